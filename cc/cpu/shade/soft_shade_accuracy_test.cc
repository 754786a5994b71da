// The shader's first promise (docs/architecture.md) on the CPU, against brute
// force in long double. Python's tests hold it to the reference in TensorFlow.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cc/cpu/shade/soft_shade.h"
#include "cc/reference/brute_force_shade.h"
#include "cc/reference/schedules.h"
#include "cc/reference/shaded_scenes.h"

namespace tf_softras {
namespace {

template <typename T>
std::vector<T> Upstream(int64_t count) {
  std::vector<T> upstream(count);
  for (int64_t i = 0; i < count; ++i) {
    upstream[i] = static_cast<T>(std::sin(3.0 * static_cast<double>(i)));
  }
  return upstream;
}

template <typename T>
double Largest(const std::vector<T>& values, const std::vector<double>& truth) {
  double largest = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double difference =
        std::fabs(static_cast<double>(values[i]) - truth[i]);
    // NaN counts.
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

template <typename T>
double RelativeError(const std::vector<T>& values,
                     const std::vector<double>& truth) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double difference = static_cast<double>(values[i]) - truth[i];
    error += difference * difference;
    norm += truth[i] * truth[i];
  }
  return error == 0 ? 0 : std::sqrt(error / norm);
}

template <typename T>
void Check(const ShadedScene<T>& scene, int* gradients) {
  SCOPED_TRACE(scene.name());
  const SoftShadeInputs<T> inputs = scene.inputs();
  const std::vector<T> upstream = Upstream<T>(scene.values());
  const BruteForceShade truth =
      ShadeByBruteForce(inputs, scene.is_hard, upstream.data());
  ASSERT_FALSE(truth.is_uncertain);
  std::vector<T> image(scene.values()), vertices(scene.mesh.vertices.size()),
      attributes(scene.attributes.size()), background(scene.background.size());
  std::vector<T> state(inputs.mesh.num_pixels() *
                       StateNumbers(inputs.channels, inputs.summed_channels));
  SoftShadeForward(inputs, image.data(), state.data(), Serial);
  EXPECT_LE(Largest(image, truth.image), ImageBound(scene.gamma));
  const double bound = GradientBound(scene.gamma);
  for (const bool has_state : {false, true}) {
    SCOPED_TRACE(has_state ? "with the state" : "without the state");
    SoftShadeBackward<T>(
        inputs, {image.data(), has_state ? state.data() : nullptr},
        upstream.data(),
        {vertices.data(), attributes.data(), background.data()}, Serial);
    if (IsSmooth(scene)) {
      EXPECT_LE(RelativeError(vertices, truth.vertices), bound);
    }
    EXPECT_LE(RelativeError(attributes, truth.attributes), bound);
    EXPECT_LE(RelativeError(background, truth.background), bound);
  }
  *gradients += std::any_of(truth.vertices.begin(), truth.vertices.end(),
                            [](double value) { return value != 0; });
}

template <typename T>
class SoftShadeAccuracyTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SoftShadeAccuracyTest, Types);

TYPED_TEST(SoftShadeAccuracyTest, IsWithinThePromisedBounds) {
  constexpr float kSofteners[][2] = {
      {1e-6f, 1e-6f}, {1e-3f, 1e-4f}, {1e-1f, 1e-6f}, {1e-1f, 1e-1f}};
  int gradients = 0;
  for (ShadedScene<TypeParam>& scene : ShadedScenes<TypeParam>()) {
    for (const auto& softener : kSofteners) {
      // All pairs of 300 faces would count, which takes too long.
      if (softener[0] > 1e-2f && scene.mesh.faces.size() > 300) continue;
      scene.mesh.sigma = static_cast<TypeParam>(softener[0]);
      scene.gamma = static_cast<TypeParam>(softener[1]);
      Check(scene, &gradients);
    }
  }
  EXPECT_GE(gradients, 20);
}

TYPED_TEST(SoftShadeAccuracyTest, SummedChannelsAreWithinThePromisedBounds) {
  int gradients = 0;
  for (ShadedScene<TypeParam>& scene : ShadedScenes<TypeParam>()) {
    for (int64_t summed = 1; summed <= scene.channels; summed += 2) {
      // The sums of many faces stay below 1 in size.
      for (TypeParam& value : scene.attributes) value *= TypeParam(0.03125f);
      scene.summed_channels = summed;
      Check(scene, &gradients);
    }
  }
  EXPECT_GE(gradients, 10);
}

// A tile's pairs are visited at most 2^17 at once (found_parts.h).
TYPED_TEST(SoftShadeAccuracyTest, MorePairsThanAreKeptAreWithinTheBounds) {
  constexpr int64_t kFaces = 600, kSide = 16;  // one tile
  static_assert(kFaces * kSide * kSide > 1 << 17, "more than are kept");
  Scene<TypeParam> mesh = {"all over a tile", 1, kSide, kFaces, {}, {}};
  Random random(7);
  for (int64_t i = 0; i < kFaces; ++i) {
    std::vector<std::vector<double>> corners;
    for (int k = 0; k < 3; ++k) {
      corners.push_back({Uniform(random, -1, 1), Uniform(random, -1, 1)});
    }
    AddFace(&mesh, corners);
  }
  ShadedScene<TypeParam> scene(mesh, 3, false);
  // Every pair counts, and no face hides another.
  scene.mesh.sigma = TypeParam(0.1f);
  scene.gamma = TypeParam(0.1f);
  int gradients = 0;
  Check(scene, &gradients);
  EXPECT_EQ(gradients, 1);
}

// Faces behind others, nearer and farther than a level counts.
TYPED_TEST(SoftShadeAccuracyTest, LayersAreWithinThePromisedBounds) {
  int gradients = 0;
  for (const double distance : {1e-4, 1e-3, 4e-3, 1e-2, 1.0}) {
    Scene<TypeParam> mesh = {"layers", 1, 33, 40, {}, {}};
    Random random(6);
    for (int i = 0; i < 40; ++i) {
      const double x = Uniform(random, -1, 1), y = Uniform(random, -1, 1);
      std::vector<std::vector<double>> corners;
      for (int k = 0; k < 3; ++k) {
        corners.push_back({x + Normal(random, 0.3), y + Normal(random, 0.3)});
      }
      AddFace(&mesh, corners);
    }
    ShadedScene<TypeParam> scene(mesh, 3, false);
    for (size_t i = 2; i < scene.mesh.vertices.size(); i += 3) {
      const double layer = static_cast<double>((i / 9 * 17) % 40);
      scene.mesh.vertices[i] = static_cast<TypeParam>(static_cast<float>(
          2.0 + distance * (layer + Uniform(random, -0.5, 0.5))));
    }
    Check(scene, &gradients);
  }
  EXPECT_EQ(gradients, 5);
}

}  // namespace
}  // namespace tf_softras
