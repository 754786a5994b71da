// The scenes of the benchmarks with colours, for the shader on all devices, and
// how its image is verified. Three channels unless told otherwise, gamma 1e-4.
#ifndef TF_SOFTRAS_CC_BENCHMARKS_SHADING_H_
#define TF_SOFTRAS_CC_BENCHMARKS_SHADING_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "cc/benchmarks/scenes.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {

constexpr int64_t kChannels = 3;
constexpr float kBackground[kChannels] = {0.25f, 0.5f, 1.0f};

struct Shading {
  SoftShadeInputs<float> inputs;
  std::vector<float> attributes, background, image, state, upstream,
      vertices_gradient, attributes_gradient, background_gradient;

  explicit Shading(const TimedScene& scene, int64_t channels = kChannels)
      : attributes(scene.vertices.size() / 3 * channels),
        background(channels),
        image(scene.pixels() * channels),
        state(scene.pixels() * StateNumbers(channels, 0)),
        upstream(image.size()),
        vertices_gradient(scene.vertices.size()),
        attributes_gradient(attributes.size()),
        background_gradient(channels) {
    for (int64_t c = 0; c < channels; ++c) {
      background[c] = kBackground[c % kChannels];
    }
    for (size_t i = 0; i < attributes.size(); ++i) {
      attributes[i] = std::sin(static_cast<float>(i));
    }
    for (size_t i = 0; i < upstream.size(); ++i) {
      upstream[i] = std::cos(static_cast<float>(i));
    }
    inputs.mesh = scene.inputs();
    inputs.attributes = attributes.data();
    inputs.background = background.data();
    inputs.channels = channels;
    inputs.gamma = 1e-4f;
    inputs.far = 100.0;
    inputs.epsilon = 1e-3;
    inputs.min_coverage = 1e-4;
  }
};

// Computes the first channel of one pixel of the first item over all faces,
// from logarithms; or, if `is_hard`, that of the nearest face that the pixel is
// in.
inline double TrueValue(const TimedScene& scene, const Shading& shading,
                        const Point2& p, bool is_hard) {
  const auto& mesh = shading.inputs.mesh;
  DepthBlend<double> blend;
  blend.inverse_sigma = 1.0 / static_cast<double>(mesh.sigma);
  blend.cutoff = CoverageCutoff(1e-4);
  blend.far = 100.0;
  blend.inverse_range = 1.0 / 100.0;
  blend.inverse_gamma = 1.0 / static_cast<double>(1e-4f);
  blend.background_level = 1e-3;
  std::vector<double> logs = {blend.background_level * blend.inverse_gamma};
  std::vector<double> values = {shading.background[0]};
  double nearest = -HUGE_VAL, nearest_value = shading.background[0];
  for (int64_t face = 0; face < mesh.num_faces; ++face) {
    const auto triangle = Localize<double>(FaceOf(scene, 0, face), p);
    const int32_t* v = mesh.faces + 3 * face;
    const auto pair = Shade(blend, triangle, MakeEdgeShares(triangle),
                            MakeFaceDepths<double>(mesh.vertices[3 * v[0] + 2],
                                                   mesh.vertices[3 * v[1] + 2],
                                                   mesh.vertices[3 * v[2] + 2]),
                            0.0, 0.0);
    if (!pair.counts) continue;
    logs.push_back(std::log(pair.coverage) + pair.level * blend.inverse_gamma);
    double value = 0;
    for (int k = 0; k < 3; ++k) {
      value += pair.at.weights[k] *
               shading.attributes[shading.inputs.channels * v[k]];
    }
    values.push_back(value);
    if (pair.inside && pair.level > nearest) {
      nearest = pair.level;
      nearest_value = value;
    }
  }
  if (is_hard) return nearest_value;
  const double most = *std::max_element(logs.begin(), logs.end());
  double sum = 0, total = 0;
  for (size_t i = 0; i < logs.size(); ++i) {
    sum += std::exp(logs[i] - most) * values[i];
    total += std::exp(logs[i] - most);
  }
  return sum / total;
}

inline double WorstError(const TimedScene& scene, const Shading& shading,
                         bool is_hard = false) {
  const ImagePlane plane = {scene.side, scene.side};
  std::mt19937 random(1);
  double worst = 0;
  for (int sample = 0; sample < 48; ++sample) {
    const int64_t pixel = static_cast<int64_t>(
        random() % static_cast<uint32_t>(scene.side * scene.side));
    const Point2 p = {plane.x(static_cast<double>(pixel % scene.side)),
                      plane.y(static_cast<double>(pixel / scene.side))};
    worst = std::max(
        worst,
        std::fabs(TrueValue(scene, shading, p, is_hard) -
                  double{shading.image[pixel * shading.inputs.channels]}));
  }
  return worst;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_BENCHMARKS_SHADING_H_
