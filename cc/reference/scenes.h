// Meshes for tests of kernels: random, small, large, thin, degenerate, crowded.
#ifndef TF_SOFTRAS_CC_REFERENCE_SCENES_H_
#define TF_SOFTRAS_CC_REFERENCE_SCENES_H_

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "cc/raster/inputs.h"

namespace tf_softras {

template <typename T>
struct Scene {
  std::string name;
  int64_t batch = 1, height = 32, width = 32;
  std::vector<T> vertices;
  std::vector<int32_t> faces;
  T sigma = T(1e-3);
  T near = T(0);
  bool is_linear = false;

  SoftRasterizeInputs<T> inputs() const {
    SoftRasterizeInputs<T> inputs;
    inputs.vertices = vertices.data();
    inputs.faces = faces.data();
    inputs.batch = batch;
    inputs.num_vertices =
        batch ? static_cast<int64_t>(vertices.size()) / 3 / batch : 4;
    inputs.num_faces = static_cast<int64_t>(faces.size()) / 3;
    inputs.height = height;
    inputs.width = width;
    inputs.sigma = sigma;
    inputs.near = near;
    inputs.is_linear = is_linear;
    return inputs;
  }
  int64_t pixels() const { return batch * height * width; }
};

// Vertices are drawn in float, so that both types see the same scenes.
using Random = std::mt19937;
inline double Uniform(Random& random, double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(random);
}
inline double Normal(Random& random, double deviation) {
  return std::normal_distribution<double>(0, deviation)(random);
}

template <typename T>
void AddVertex(Scene<T>* scene, double x, double y, double z = 1) {
  for (const double value : {x, y, z}) {
    scene->vertices.push_back(static_cast<T>(static_cast<float>(value)));
  }
}

// Adds a face with vertices of its own. For a batch of one.
template <typename T>
void AddFace(Scene<T>* scene, std::vector<std::vector<double>> corners) {
  for (const auto& corner : corners) {
    scene->faces.push_back(static_cast<int32_t>(scene->vertices.size() / 3));
    AddVertex(scene, corner[0], corner[1], corner.size() > 2 ? corner[2] : 1);
  }
}

// Large faces over shared vertices, some with a repeated index; two items.
template <typename T>
Scene<T> RandomMesh() {
  Random random(1);
  Scene<T> scene = {"random mesh", 2, 24, 40, {}, {}};
  for (int i = 0; i < 2 * 40; ++i) {
    AddVertex(&scene, Uniform(random, -2, 2), Uniform(random, -2, 2));
  }
  for (int i = 0; i < 3 * 24; ++i) {
    scene.faces.push_back(static_cast<int32_t>(random() % 40));
  }
  return scene;
}

template <typename T>
Scene<T> SmallFaces() {
  Random random(2);
  Scene<T> scene = {"small faces", 1, 33, 17, {}, {}};
  for (int i = 0; i < 60; ++i) {
    const double x = Uniform(random, -1, 1), y = Uniform(random, -1, 1);
    std::vector<std::vector<double>> corners;
    for (int k = 0; k < 3; ++k) {
      corners.push_back({x + Normal(random, 0.1), y + Normal(random, 0.1)});
    }
    AddFace(&scene, corners);
  }
  return scene;
}

template <typename T>
Scene<T> Slivers() {
  Random random(3);
  Scene<T> scene = {"slivers", 1, 32, 32, {}, {}};
  for (int i = 0; i < 30; ++i) {
    const double x = Uniform(random, -1, 1), y = Uniform(random, -1, 1);
    const double dx = Normal(random, 0.5), dy = Normal(random, 0.5);
    AddFace(&scene, {{x, y},
                     {x + dx, y + dy},
                     {x + dx / 2 + Normal(random, 1e-7),
                      y + dy / 2 + Normal(random, 1e-7)}});
  }
  return scene;
}

template <typename T>
Scene<T> ZeroAreaFaces() {
  Random random(4);
  Scene<T> scene = {"zero-area faces", 1, 32, 32, {}, {}};
  for (int i = 0; i < 8; ++i) {
    // Binary fractions: collinear points are collinear in float too.
    const double x = std::round(Uniform(random, -16, 16)) / 16;
    const double y = std::round(Uniform(random, -16, 16)) / 16;
    const double dx = std::round(Normal(random, 8)) / 16;
    const double dy = std::round(Normal(random, 8)) / 16;
    AddFace(&scene, {{x, y}, {x + dx, y + dy}, {x + dx, y + dy}});
    AddFace(&scene, {{x, y}, {x, y}, {x, y}});
    AddFace(&scene, {{x, y}, {x + 2 * dx, y + 2 * dy}, {x + dx, y + dy}});
  }
  return scene;
}

// Vertices and edges on the pixel centres of a 16 x 16 image.
template <typename T>
Scene<T> FacesThroughPixelCentres() {
  Scene<T> scene = {"faces through pixel centres", 1, 16, 16, {}, {}};
  const double corners[3][3][2] = {{{0, 0}, {5, 1}, {2, 4}},
                                   {{-6, -2}, {-2, 0}, {-5, 5}},
                                   {{-3, -7}, {6, -4}, {0, -5}}};
  for (const auto& face : corners) {
    std::vector<std::vector<double>> points;
    for (const auto& corner : face) {
      points.push_back({(2 * corner[0] + 1) / 16, (2 * corner[1] + 1) / 16});
    }
    AddFace(&scene, points);
  }
  return scene;
}

// Most faces fall into one tile of a larger image, which gives several stages
// of faces, and lists that a block must sort. All share a vertex, so its list
// is long.
template <typename T>
Scene<T> ManyFacesInOneTile() {
  Random random(5);
  Scene<T> scene = {"many faces in one tile", 1, 40, 40, {}, {}};
  AddVertex(&scene, -0.55, 0.6);
  for (int i = 0; i < 300; ++i) {
    scene.faces.push_back(0);
    for (int k = 0; k < 2; ++k) {
      scene.faces.push_back(static_cast<int32_t>(scene.vertices.size() / 3));
      AddVertex(&scene, Uniform(random, -0.7, -0.5), Uniform(random, 0.5, 0.7));
    }
  }
  return scene;
}

// Faces of many patches, which whole blocks sum, in several parts.
template <typename T>
Scene<T> HugeFaces() {
  Scene<T> scene = {"huge faces", 1, 45, 70, {}, {}};
  AddFace(&scene, {{-2, -1.9}, {2, -1.7}, {0.1, 1.3}});
  AddFace(&scene, {{-1.9, 0.2}, {1.8, 0.33}, {1.1, 0.41}});
  AddFace(&scene, {{0.3, 0.3}, {0.35, 0.3}, {0.3, 0.36}});
  return scene;
}

template <typename T>
std::vector<Scene<T>> Scenes() {
  return {RandomMesh<T>(),        SmallFaces<T>(),
          Slivers<T>(),           ZeroAreaFaces<T>(),
          HugeFaces<T>(),         FacesThroughPixelCentres<T>(),
          ManyFacesInOneTile<T>()};
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_REFERENCE_SCENES_H_
