// Scenes with depths, colours and a background for tests of the shader, and the
// bounds of its promise (docs/architecture.md).
#ifndef TF_SOFTRAS_CC_REFERENCE_SHADED_SCENES_H_
#define TF_SOFTRAS_CC_REFERENCE_SHADED_SCENES_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "cc/raster/inputs.h"
#include "cc/reference/scenes.h"

namespace tf_softras {

template <typename T>
struct ShadedScene {
  Scene<T> mesh;
  std::vector<T> attributes, background;
  int64_t channels;
  int64_t summed_channels = 0;
  bool background_is_image;
  bool is_hard = false;
  T gamma = T(1e-4f);
  double far = 100, epsilon = 1e-3;
  double min_coverage = static_cast<double>(1e-4f);

  // Gives a mesh depths and colours.
  ShadedScene(const Scene<T>& from, int64_t channels, bool background_is_image)
      : mesh(from),
        channels(channels),
        background_is_image(background_is_image) {
    Random random(8);
    for (size_t i = 2; i < mesh.vertices.size(); i += 3) {
      mesh.vertices[i] = static_cast<T>(
          static_cast<float>(Uniform(random, 1, 4) * mesh.vertices[i]));
    }
    const auto fill = [&](std::vector<T>* values, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        values->push_back(
            static_cast<T>(static_cast<float>(Uniform(random, -1, 1))));
      }
    };
    fill(&attributes,
         static_cast<int64_t>(mesh.vertices.size()) / 3 * channels);
    fill(&background, (background_is_image ? mesh.pixels() : 1) * channels);
  }

  SoftShadeInputs<T> inputs() const {
    SoftShadeInputs<T> inputs;
    inputs.mesh = mesh.inputs();
    inputs.attributes = attributes.data();
    inputs.background = background.data();
    inputs.background_is_image = background_is_image;
    inputs.channels = channels;
    inputs.summed_channels = summed_channels;
    inputs.gamma = gamma;
    inputs.far = far;
    inputs.epsilon = epsilon;
    inputs.min_coverage = min_coverage;
    return inputs;
  }
  int64_t values() const { return mesh.pixels() * channels; }
  std::string name() const {
    char text[200];
    std::snprintf(text, sizeof text, "%s, %d channels, %s, sigma %g, gamma %g",
                  mesh.name.c_str(), static_cast<int>(channels),
                  is_hard ? "hard" : "soft", static_cast<double>(mesh.sigma),
                  static_cast<double>(gamma));
    return text;
  }
};

// The bounds of promise 1: absolute for the image, relative for the gradients.
template <typename T>
double ImageBound(T gamma) {
  return (sizeof(T) == 8 ? 1e-12 : 1e-7) + 1e-15 / static_cast<double>(gamma);
}
template <typename T>
double GradientBound(T gamma) {
  return (sizeof(T) == 8 ? 1e-10 : 1e-6) + 1e-15 / static_cast<double>(gamma);
}

// Moves a scene so that no coordinate is a fraction as pixel centres are. Where
// the foot of a perpendicular falls on an end of an edge, the closest point
// begins to slide, and the gradient has two sides. Collinear points stay
// collinear.
template <typename T>
void MoveOffTheGrid(Scene<T>* mesh) {
  for (size_t i = 0; i < mesh->vertices.size(); i += 3) {
    mesh->vertices[i] += static_cast<T>(197.0 / 65536);
    mesh->vertices[i + 1] += static_cast<T>(331.0 / 65536);
  }
}

// 1, 3 and 5 channels in turn, and both kinds of background.
template <typename T>
std::vector<ShadedScene<T>> ShadedScenes() {
  std::vector<ShadedScene<T>> scenes;
  for (Scene<T> mesh : Scenes<T>()) {
    const int64_t i = static_cast<int64_t>(scenes.size());
    if (mesh.name == ZeroAreaFaces<T>().name) MoveOffTheGrid(&mesh);
    mesh.is_linear = i % 2 == 1;  // half of them under parallel projection
    scenes.emplace_back(mesh, 1 + 2 * (i % 3), i % 2 == 0);
  }
  return scenes;
}

// Whether no pixel's centre lies on an edge.
template <typename T>
bool IsSmooth(const ShadedScene<T>& scene) {
  return scene.mesh.name != FacesThroughPixelCentres<T>().name;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_REFERENCE_SHADED_SCENES_H_
