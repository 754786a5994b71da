// SoftRasterizeTangent and SoftRasterizeSigmaBackward. (In Python they are
// compared with the derivatives of the reference.)
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/reference/schedules.h"

namespace tf_softras {
namespace {

// Triangles that share no vertex, small ones and every tenth a large one, and a
// direction in which they move.
template <typename T>
struct MovingScene {
  std::vector<T> vertices, tangent;
  std::vector<int32_t> faces;
  SoftRasterizeInputs<T> inputs;

  MovingScene(int64_t batch, int64_t num_faces, int64_t height, int64_t width,
              T sigma) {
    std::mt19937 random(1);
    std::uniform_real_distribution<double> uniform(-1, 1);
    for (int64_t face = 0; face < batch * num_faces; ++face) {
      const double size = face % 10 == 0 ? 1.0 : 0.1;
      const double x = uniform(random), y = uniform(random);
      for (int corner = 0; corner < 3; ++corner) {
        vertices.push_back(static_cast<T>(x + size * uniform(random)));
        vertices.push_back(static_cast<T>(y + size * uniform(random)));
        vertices.push_back(T(1));
        for (int i = 0; i < 3; ++i) {
          tangent.push_back(static_cast<T>(uniform(random)));
        }
      }
    }
    for (int64_t i = 0; i < 3 * num_faces; ++i) {
      faces.push_back(static_cast<int32_t>(i));
    }
    inputs.vertices = vertices.data();
    inputs.faces = faces.data();
    inputs.batch = batch;
    inputs.num_vertices = 3 * num_faces;
    inputs.num_faces = num_faces;
    inputs.height = height;
    inputs.width = width;
    inputs.sigma = sigma;
  }

  int64_t pixels() const { return inputs.batch * inputs.height * inputs.width; }
};

template <typename T>
struct Derivatives {
  std::vector<T> tangent;
  std::vector<T> sigma;  // one number
};

template <typename T>
std::vector<T> Upstream(int64_t pixels) {
  std::vector<T> upstream(pixels);
  for (int64_t i = 0; i < pixels; ++i) {
    upstream[i] = static_cast<T>(std::sin(static_cast<double>(i)));
  }
  return upstream;
}

template <typename T>
Derivatives<T> Differentiate(const MovingScene<T>& scene, T sigma_tangent,
                             const ParallelFor& parallel_for) {
  std::vector<T> silhouette(scene.pixels()), transparency(scene.pixels());
  SoftRasterizeForward(scene.inputs, silhouette.data(), transparency.data(),
                       parallel_for);
  Derivatives<T> derivatives;
  derivatives.tangent.resize(scene.pixels());
  derivatives.sigma.resize(1);
  SoftRasterizeTangent(scene.inputs, transparency.data(), scene.tangent.data(),
                       sigma_tangent, derivatives.tangent.data(), parallel_for);
  SoftRasterizeSigmaBackward(scene.inputs, transparency.data(),
                             Upstream<T>(scene.pixels()).data(),
                             derivatives.sigma.data(), parallel_for);
  return derivatives;
}

std::vector<double> Silhouette(MovingScene<double> scene, double step,
                               double sigma_tangent) {
  for (size_t i = 0; i < scene.vertices.size(); ++i) {
    scene.vertices[i] += step * scene.tangent[i];
  }
  scene.inputs.vertices = scene.vertices.data();
  scene.inputs.faces = scene.faces.data();
  scene.inputs.sigma += step * sigma_tangent;
  std::vector<double> silhouette(scene.pixels()), transparency(scene.pixels());
  SoftRasterizeForward(scene.inputs, silhouette.data(), transparency.data(),
                       Serial);
  return silhouette;
}

template <typename T>
class SoftRasterizeTangentTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SoftRasterizeTangentTest, Types);

// Several tiles, blocks and slices of the batch, of sizes that divide nothing.
TYPED_TEST(SoftRasterizeTangentTest, ScheduleDoesNotChangeABit) {
  const MovingScene<TypeParam> scene(3, 150, 75, 131, TypeParam(1e-4));
  const auto serial = Differentiate(scene, TypeParam(1e-4), Serial);
  EXPECT_NE(serial.sigma[0], TypeParam(0));
  for (const ParallelFor& schedule :
       {ParallelFor(Backwards), ParallelFor(FourThreads)}) {
    const auto other = Differentiate(scene, TypeParam(1e-4), schedule);
    EXPECT_TRUE(SameBits(serial.tangent, other.tangent));
    EXPECT_TRUE(SameBits(serial.sigma, other.sigma));
  }
}

TEST(SoftRasterizeTangentNumericTest, IsTheCentralDifference) {
  const MovingScene<double> scene(2, 60, 70, 90, 1e-3);
  const double sigma_tangent = 1e-3, step = 1e-7;
  const auto derivatives = Differentiate(scene, sigma_tangent, Serial);
  const auto after = Silhouette(scene, step, sigma_tangent);
  const auto before = Silhouette(scene, -step, sigma_tangent);
  double error = 0, norm = 0;
  for (int64_t i = 0; i < scene.pixels(); ++i) {
    const double numeric = (after[i] - before[i]) / (2 * step);
    error += std::pow(derivatives.tangent[i] - numeric, 2);
    norm += std::pow(numeric, 2);
  }
  EXPECT_GT(norm, 100);
  // Kinks where two edges are equally near: a few pixels cross one in a step.
  EXPECT_LT(error, 1e-8 * norm);
}

TEST(SoftRasterizeTangentNumericTest, GradientOfSigmaIsTheCentralDifference) {
  MovingScene<double> scene(2, 60, 70, 90, 1e-3);
  const auto derivatives = Differentiate(scene, 0.0, Serial);
  scene.tangent.assign(scene.tangent.size(), 0.0);
  const double step = 1e-8;
  const auto after = Silhouette(scene, step, 1.0);
  const auto before = Silhouette(scene, -step, 1.0);
  const auto upstream = Upstream<double>(scene.pixels());
  double numeric = 0;
  for (int64_t i = 0; i < scene.pixels(); ++i) {
    numeric += upstream[i] * (after[i] - before[i]) / (2 * step);
  }
  EXPECT_NEAR(derivatives.sigma[0], numeric, 1e-4 * std::fabs(numeric) + 1e-5);
}

}  // namespace
}  // namespace tf_softras
