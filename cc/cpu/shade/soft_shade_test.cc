#include "cc/cpu/shade/soft_shade.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "cc/reference/schedules.h"

namespace tf_softras {
namespace {

template <typename T>
struct Scene {
  std::vector<T> vertices, attributes, background;
  std::vector<int32_t> faces;
  SoftShadeInputs<T> inputs;

  // Triangles of about the same size, with vertices of their own; a background
  // for each pixel, or one for all.
  Scene(int64_t batch, int64_t num_faces, int64_t height, int64_t width,
        int64_t channels, bool background_is_image) {
    std::mt19937 random(1);
    std::uniform_real_distribution<double> uniform(-1, 1);
    const int64_t num_vertices = 3 * num_faces;
    for (int64_t i = 0; i < batch * num_faces; ++i) {
      const double x = uniform(random), y = uniform(random);
      for (int corner = 0; corner < 3; ++corner) {
        vertices.push_back(static_cast<T>(x + 0.2 * uniform(random)));
        vertices.push_back(static_cast<T>(y + 0.2 * uniform(random)));
        vertices.push_back(static_cast<T>(2 + uniform(random)));
      }
    }
    const auto fill = [&](std::vector<T>& values, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        values.push_back(static_cast<T>(uniform(random)));
      }
    };
    fill(attributes, batch * num_vertices * channels);
    fill(background,
         (background_is_image ? batch * height * width : 1) * channels);
    for (int64_t i = 0; i < num_vertices; ++i) {
      faces.push_back(static_cast<int32_t>(i));
    }
    inputs.mesh.vertices = vertices.data();
    inputs.mesh.faces = faces.data();
    inputs.mesh.batch = batch;
    inputs.mesh.num_vertices = num_vertices;
    inputs.mesh.num_faces = num_faces;
    inputs.mesh.height = height;
    inputs.mesh.width = width;
    inputs.mesh.sigma = T(1e-3);
    inputs.attributes = attributes.data();
    inputs.background = background.data();
    inputs.background_is_image = background_is_image;
    inputs.channels = channels;
    inputs.gamma = T(1e-2);
    inputs.far = 100;
    inputs.epsilon = 1e-3;
    inputs.min_coverage = static_cast<double>(1e-4f);
  }

  int64_t values() const { return inputs.mesh.num_pixels() * inputs.channels; }
};

template <typename T>
struct Results {
  std::vector<T> image, state, vertices, attributes, background;
};

template <typename T>
Results<T> Run(const Scene<T>& scene, bool is_hard,
               const ParallelFor& parallel_for) {
  // Stale values, which must all be overwritten.
  const T stale = T(-77);
  const int64_t numbers = is_hard ? 0 : StateNumbers(scene.inputs.channels, 0);
  Results<T> results = {
      std::vector<T>(scene.values(), stale),
      std::vector<T>(scene.inputs.mesh.num_pixels() * numbers, stale),
      std::vector<T>(scene.vertices.size(), stale),
      std::vector<T>(scene.attributes.size(), stale),
      std::vector<T>(scene.background.size(), stale)};
  const SoftShadeGradients<T> gradients = {results.vertices.data(),
                                           results.attributes.data(),
                                           results.background.data()};
  std::vector<T> upstream(scene.values());
  for (size_t i = 0; i < upstream.size(); ++i) {
    upstream[i] = static_cast<T>(std::sin(static_cast<double>(i)));
  }
  if (is_hard) {
    HardShadeForward(scene.inputs, results.image.data(), parallel_for);
    HardShadeBackward(scene.inputs, upstream.data(), gradients, parallel_for);
  } else {
    SoftShadeForward(scene.inputs, results.image.data(), results.state.data(),
                     parallel_for);
    SoftShadeBackward(scene.inputs,
                      {results.image.data(), results.state.data()},
                      upstream.data(), gradients, parallel_for);
  }
  return results;
}

template <typename T>
class SoftShadeCpuTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SoftShadeCpuTest, Types);

// The image has several tiles, blocks, units and slices of the batch, and sizes
// that none of them divides.
TYPED_TEST(SoftShadeCpuTest, ScheduleDoesNotChangeABit) {
  for (const bool is_hard : {false, true}) {
    for (const bool background_is_image : {false, true}) {
      const Scene<TypeParam> scene(3, 100, 75, 131, 3, background_is_image);
      const auto serial = Run(scene, is_hard, Serial);
      for (const ParallelFor& schedule :
           {ParallelFor(Backwards), ParallelFor(FourThreads)}) {
        const auto other = Run(scene, is_hard, schedule);
        EXPECT_TRUE(SameBits(serial.image, other.image));
        EXPECT_TRUE(SameBits(serial.state, other.state));
        EXPECT_TRUE(SameBits(serial.vertices, other.vertices));
        EXPECT_TRUE(SameBits(serial.attributes, other.attributes));
        EXPECT_TRUE(SameBits(serial.background, other.background));
      }
      EXPECT_EQ(
          std::count(serial.state.begin(), serial.state.end(), TypeParam(-77)),
          0);
      for (const auto* values : {&serial.image, &serial.vertices,
                                 &serial.attributes, &serial.background}) {
        EXPECT_EQ(std::count(values->begin(), values->end(), TypeParam(-77)),
                  0);
        EXPECT_LT(std::count(values->begin(), values->end(), TypeParam(0)),
                  static_cast<int64_t>(values->size()));
      }
    }
  }
}

// A loss that is linear in attributes and background is the product of its
// gradient with them.
TYPED_TEST(SoftShadeCpuTest, ImageIsLinearInAttributesAndBackground) {
  for (const bool is_hard : {false, true}) {
    for (const bool background_is_image : {false, true}) {
      const Scene<TypeParam> scene(2, 80, 40, 33, 5, background_is_image);
      const auto results = Run(scene, is_hard, Serial);
      double loss = 0, size = 0;
      for (size_t i = 0; i < results.image.size(); ++i) {
        const double term =
            results.image[i] *
            static_cast<TypeParam>(std::sin(static_cast<double>(i)));
        loss += term;
        size += std::fabs(term);
      }
      for (size_t i = 0; i < scene.attributes.size(); ++i) {
        loss -= double{results.attributes[i]} * double{scene.attributes[i]};
      }
      for (size_t i = 0; i < scene.background.size(); ++i) {
        loss -= double{results.background[i]} * double{scene.background[i]};
      }
      EXPECT_NEAR(loss, 0, 1e-6 * size);
    }
  }
}

// An item's image does not depend on its place in the batch, except for
// rounding.
TYPED_TEST(SoftShadeCpuTest, ItemsAreIndependent) {
  for (const bool is_hard : {false, true}) {
    const Scene<TypeParam> scene(5, 60, 33, 33, 3, true);
    const auto together = Run(scene, is_hard, Serial);
    Scene<TypeParam> last(5, 60, 33, 33, 3, true);
    last.inputs.mesh.vertices += 4 * 3 * last.inputs.mesh.num_vertices;
    last.inputs.attributes += 4 * 3 * last.inputs.mesh.num_vertices;
    last.inputs.background += 4 * 33 * 33 * 3;
    last.inputs.mesh.batch = 1;
    std::vector<TypeParam> image(33 * 33 * 3),
        state(33 * 33 * StateNumbers(3, 0));
    if (is_hard) {
      HardShadeForward(last.inputs, image.data(), Serial);
    } else {
      SoftShadeForward(last.inputs, image.data(), state.data(), Serial);
    }
    for (size_t i = 0; i < image.size(); ++i) {
      EXPECT_NEAR(image[i], together.image[4 * 33 * 33 * 3 + i], 1e-6);
    }
  }
}

TYPED_TEST(SoftShadeCpuTest, NothingToDrawIsTheBackground) {
  for (const bool is_hard : {false, true}) {
    Scene<TypeParam> scene(2, 10, 7, 9, 3, true);
    scene.inputs.mesh.near = TypeParam(50);
    const auto results = Run(scene, is_hard, Serial);
    EXPECT_TRUE(SameBits(results.image, scene.background));
    for (const TypeParam value : results.vertices) EXPECT_EQ(value, 0);
    for (const TypeParam value : results.attributes) EXPECT_EQ(value, 0);
  }
}

}  // namespace
}  // namespace tf_softras
