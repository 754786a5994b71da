#include "cc/cpu/rasterize/soft_rasterize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "cc/reference/brute_force.h"
#include "cc/reference/schedules.h"

namespace tf_softras {
namespace {

template <typename T>
struct Scene {
  std::vector<T> vertices;
  std::vector<int32_t> faces;
  SoftRasterizeInputs<T> inputs;

  Scene(int64_t batch, int64_t num_faces, int64_t height, int64_t width,
        double size, T sigma) {
    std::mt19937 random(1);
    std::uniform_real_distribution<double> uniform(-1, 1);
    const int64_t num_vertices = 3 * num_faces;
    for (int64_t item = 0; item < batch; ++item) {
      for (int64_t face = 0; face < num_faces; ++face) {
        const double x = uniform(random), y = uniform(random);
        for (int corner = 0; corner < 3; ++corner) {
          vertices.push_back(static_cast<T>(x + size * uniform(random)));
          vertices.push_back(static_cast<T>(y + size * uniform(random)));
          vertices.push_back(T(1));
        }
      }
    }
    for (int64_t i = 0; i < num_vertices; ++i) {
      faces.push_back(static_cast<int32_t>(i));
    }
    inputs.vertices = vertices.data();
    inputs.faces = faces.data();
    inputs.batch = batch;
    inputs.num_vertices = num_vertices;
    inputs.num_faces = num_faces;
    inputs.height = height;
    inputs.width = width;
    inputs.sigma = sigma;
  }

  int64_t pixels() const { return inputs.num_pixels(); }
};

template <typename T>
struct Results {
  std::vector<T> silhouette, transparency, gradient;
};

template <typename T>
std::vector<T> Upstream(const Scene<T>& scene) {
  std::vector<T> upstream(scene.pixels());
  for (size_t i = 0; i < upstream.size(); ++i) {
    upstream[i] = static_cast<T>(std::sin(static_cast<double>(i)));
  }
  return upstream;
}

template <typename T>
Results<T> Run(const Scene<T>& scene, const ParallelFor& parallel_for) {
  Results<T> results;
  results.silhouette.resize(scene.pixels());
  results.transparency.resize(scene.pixels());
  results.gradient.resize(scene.vertices.size());
  SoftRasterizeForward(scene.inputs, results.silhouette.data(),
                       results.transparency.data(), parallel_for);
  SoftRasterizeBackward(scene.inputs, results.transparency.data(),
                        Upstream(scene).data(), results.gradient.data(),
                        parallel_for);
  return results;
}

template <typename T>
class SoftRasterizeCpuTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SoftRasterizeCpuTest, Types);

// The image has several tiles, blocks and slices of the batch, and sizes that
// none of them divides.
TYPED_TEST(SoftRasterizeCpuTest, ScheduleDoesNotChangeABit) {
  // The second is cut into bands, chunks and vertex ranges.
  for (const bool large : {false, true}) {
    const Scene<TypeParam> scene(large ? 1 : 3, large ? 9000 : 150,
                                 large ? 256 : 75, large ? 260 : 131,
                                 large ? 0.02 : 0.2, TypeParam(1e-5));
    const auto serial = Run(scene, Serial);
    EXPECT_GT(*std::max_element(serial.gradient.begin(), serial.gradient.end()),
              0);
    for (const ParallelFor& schedule :
         {ParallelFor(Backwards), ParallelFor(FourThreads)}) {
      const auto other = Run(scene, schedule);
      EXPECT_TRUE(SameBits(serial.silhouette, other.silhouette));
      EXPECT_TRUE(SameBits(serial.transparency, other.transparency));
      EXPECT_TRUE(SameBits(serial.gradient, other.gradient));
    }
  }
}

TYPED_TEST(SoftRasterizeCpuTest, SilhouetteAndTransparencyAddUpToOne) {
  const Scene<TypeParam> scene(1, 100, 40, 40, 0.3, TypeParam(1e-3));
  const auto results = Run(scene, Serial);
  for (size_t i = 0; i < results.silhouette.size(); ++i) {
    EXPECT_NEAR(results.silhouette[i] + results.transparency[i], 1, 2e-7);
  }
}

// Float promises 1.3e-4 and 6.4e-4 here. A picture of few pixels, where a lone
// one may carry the gradient, is as exact as its inputs and outputs.
TEST(SoftRasterizeFewPixelsTest, FloatIsComputedInDouble) {
  for (const int64_t side : {22, 31}) {
    const Scene<float> scene(1, 60, side, side + 2, 0.5, 1e-7f);
    Scene<double> exact(1, 60, side, side + 2, 0.5, 1e-7);
    std::copy(scene.vertices.begin(), scene.vertices.end(),
              exact.vertices.begin());
    exact.inputs.sigma = scene.inputs.sigma;
    const auto results = tf_softras::Run(scene, Serial);
    const auto truth = tf_softras::Run(exact, Serial);
    for (size_t i = 0; i < truth.silhouette.size(); ++i) {
      // Rounding, and the twentieth of 5e-6 that the cut-off may take.
      EXPECT_NEAR(results.silhouette[i], truth.silhouette[i], 3.5e-7);
    }
    double error = 0, norm = 0;
    for (size_t i = 0; i < truth.gradient.size(); ++i) {
      error += std::pow(results.gradient[i] - truth.gradient[i], 2);
      norm += std::pow(truth.gradient[i], 2);
    }
    EXPECT_LE(error, 4e-12 * norm);
    EXPECT_GT(norm, 1);
  }
}

// Enough opaque faces that a sum overflows, before and after stretches of faces
// that do not reach the pixel.
TYPED_TEST(SoftRasterizeCpuTest, OpaquePixelsHaveNoTransparency) {
  for (const int64_t opaque : {0, 1400}) {
    Scene<TypeParam> scene(1, 1500, 4, 4, 0.01, TypeParam(1e-7));
    for (int64_t face = opaque; face < opaque + 100; ++face) {
      const TypeParam corners[] = {-9, -9, 1, 9, -9, 1, 0, 9, 1};
      std::copy(corners, corners + 9, scene.vertices.begin() + 9 * face);
    }
    const auto results = Run(scene, Serial);
    for (const TypeParam value : results.silhouette) EXPECT_EQ(value, 1);
    for (const TypeParam value : results.transparency) {
      EXPECT_GE(value, 0);
      EXPECT_LT(value, TypeParam(1e-37));
    }
  }
}

// 1 / sigma overflows where sigma is denormal.
TYPED_TEST(SoftRasterizeCpuTest, GradientIsFiniteForTheSmallestSigma) {
  const Scene<TypeParam> scene(1, 10, 7, 9, 0.2,
                               std::numeric_limits<TypeParam>::denorm_min());
  for (const TypeParam value : Run(scene, Serial).gradient) {
    EXPECT_TRUE(std::isfinite(value));
  }
}

// The most units that one parallel_for had, in the forward and in the backward
// pass.
template <typename T>
std::pair<int64_t, int64_t> MostUnits(const Scene<T>& scene) {
  int64_t most = 0;
  const ParallelFor spy =
      [&most](int64_t total, int64_t cost,
              const std::function<void(int64_t, int64_t)>& work) {
        most = std::max(most, total);
        Serial(total, cost, work);
      };
  std::vector<T> silhouette(scene.pixels()), transparency(scene.pixels());
  std::vector<T> gradient(scene.vertices.size());
  SoftRasterizeForward(scene.inputs, silhouette.data(), transparency.data(),
                       spy);
  const int64_t forward = std::exchange(most, 0);
  SoftRasterizeBackward(scene.inputs, transparency.data(), silhouette.data(),
                        gradient.data(), spy);
  return {forward, most};
}

TYPED_TEST(SoftRasterizeCpuTest, OneHugeFaceIsWorkForSeveralThreads) {
  const Scene<TypeParam> scene(1, 1, 256, 256, 1.5, TypeParam(1e-3));
  const auto units = MostUnits(scene);
  EXPECT_GE(units.first, 4);
  EXPECT_GE(units.second, 4);
}

// There are more units than tiles: the faces of a tile are divided among units,
// whose sums are joined in the same order every time.
TYPED_TEST(SoftRasterizeCpuTest, FacesInOneTileAreWorkForSeveralThreads) {
  Scene<TypeParam> scene(1, 20000, 16, 16, 0.02, TypeParam(3e-4));
  for (size_t i = 0; i < scene.vertices.size(); i += 3) {
    scene.vertices[i] = TypeParam(0.5) + scene.vertices[i] * TypeParam(0.1);
    scene.vertices[i + 1] *= TypeParam(0.1);
  }
  const auto units = MostUnits(scene);
  EXPECT_GE(units.first, 2);
  EXPECT_GE(units.second, 2);
  EXPECT_TRUE(SameBits(Run(scene, Serial).silhouette,
                       Run(scene, FourThreads).silhouette));

  // The two halves of the mesh, drawn apart: their transparencies multiply.
  const auto whole = Run(scene, Serial);
  scene.inputs.num_faces = 10000;
  const auto first = Run(scene, Serial);
  scene.inputs.faces += 3 * 10000;
  const auto second = Run(scene, Serial);
  for (size_t i = 0; i < whole.transparency.size(); ++i) {
    EXPECT_NEAR(whole.transparency[i],
                first.transparency[i] * second.transparency[i], 1e-5);
  }
  EXPECT_LT(
      *std::min_element(whole.transparency.begin(), whole.transparency.end()),
      TypeParam(0.5));
}

// The same face 20,000 times, far from the pixels: a tile's list has several
// segments, and one face more or less would show.
TYPED_TEST(SoftRasterizeCpuTest, SegmentsOfAListAddUp) {
  constexpr int kFaces = 20000;
  const TypeParam face[] = {1.3, -2, 1, 1.3, 2, 1, 2, 0, 1};
  Scene<TypeParam> scene(1, kFaces, 40, 44, 0.1, TypeParam(0.01));
  for (int i = 0; i < kFaces; ++i) {
    std::copy(face, face + 9, scene.vertices.begin() + 9 * i);
  }
  Scene<double> one(1, 1, 40, 44, 0.1, scene.inputs.sigma);
  std::copy(face, face + 9, one.vertices.begin());
  const auto results = Run(scene, Serial);
  const auto truth = Run(one, Serial);
  for (size_t i = 0; i < truth.transparency.size(); ++i) {
    EXPECT_NEAR(results.transparency[i],
                std::pow(truth.transparency[i], kFaces),
                sizeof(TypeParam) == 4 ? 5e-6 : 1e-6);
  }
  EXPECT_GE(MostUnits(scene).first, 2);
}

// Few faces on many pixels are summed band by band, many vertices are gathered
// range by range.
TYPED_TEST(SoftRasterizeCpuTest, PartsOfTheGradientAddUp) {
  const Scene<TypeParam> banded(1, 6, 256, 260, 1.5, TypeParam(1e-3));
  const Scene<TypeParam> ranged(1, 1700, 33, 35, 0.1, TypeParam(1e-3));
  for (const auto* scene : {&banded, &ranged}) {
    const auto results = Run(*scene, Serial);
    const BruteForce truth =
        RasterizeByBruteForce(scene->inputs, Upstream(*scene).data());
    double error = 0, norm = 0;
    for (size_t i = 0; i < truth.gradient.size(); ++i) {
      error += std::pow(results.gradient[i] - truth.gradient[i], 2);
      norm += std::pow(truth.gradient[i], 2);
    }
    const double bound =
        sizeof(TypeParam) == 4 ? 1e-5 + 2e-7 / std::sqrt(1e-3) : 1e-8;
    EXPECT_GT(norm, 1);
    EXPECT_LE(std::sqrt(error), bound * std::sqrt(norm) + truth.ties);
  }
}

// An item's picture does not depend on the other items, except for rounding.
TYPED_TEST(SoftRasterizeCpuTest, ItemsAreIndependent) {
  const Scene<TypeParam> scene(5, 60, 33, 33, 0.2, TypeParam(1e-3));
  const auto together = Run(scene, Serial);
  Scene<TypeParam> last(5, 60, 33, 33, 0.2, TypeParam(1e-3));
  last.inputs.vertices += 4 * 3 * last.inputs.num_vertices;
  last.inputs.batch = 1;
  std::vector<TypeParam> silhouette(33 * 33), transparency(33 * 33);
  SoftRasterizeForward(last.inputs, silhouette.data(), transparency.data(),
                       Serial);
  for (size_t i = 0; i < silhouette.size(); ++i) {
    EXPECT_NEAR(silhouette[i], together.silhouette[4 * 33 * 33 + i], 1e-5);
  }
}

TYPED_TEST(SoftRasterizeCpuTest, NothingToDrawIsTransparent) {
  Scene<TypeParam> scene(2, 10, 7, 9, 0.2, TypeParam(1e-3));
  scene.inputs.near = TypeParam(1);  // every vertex lies at it
  const auto results = Run(scene, Serial);
  for (const TypeParam value : results.silhouette) EXPECT_EQ(value, 0);
  for (const TypeParam value : results.transparency) EXPECT_EQ(value, 1);
  for (const TypeParam value : results.gradient) EXPECT_EQ(value, 0);
}

}  // namespace
}  // namespace tf_softras
