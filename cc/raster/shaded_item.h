// What the shader's passes read of one item of the batch, on any device.
//
// All is computed in double, for float inputs too: levels are divided by a
// gamma of 1e-6, which leaves float's 24 bits of depth nothing.
#ifndef TF_SOFTRAS_CC_RASTER_SHADED_ITEM_H_
#define TF_SOFTRAS_CC_RASTER_SHADED_ITEM_H_

#include <cstdint>

#include "cc/geometry/depth_blend.h"
#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/inputs.h"
#include "cc/raster/mesh_item.h"

namespace tf_softras {

// One item of the batch.
template <typename T>
struct ShadedItem {
  MeshItem<T> mesh;
  int64_t num_faces;
  const T* attributes;  // [num_vertices, channels]
  const T* background;  // [height, width, channels] or [channels]
  bool background_is_image;
  int64_t channels;
  DepthBlend<double> blend;

  TF_SOFTRAS_INLINE int64_t Pixel(int64_t row, int64_t column) const {
    return (row * mesh.plane.width + column) * channels;
  }
  TF_SOFTRAS_INLINE const T* Background(int64_t row, int64_t column) const {
    return background + (background_is_image ? Pixel(row, column) : 0);
  }
};

template <typename T>
double ShadeRadius(const SoftShadeInputs<T>& inputs) {
  // A hair more than what counts, which is decided pixel by pixel.
  return Radius(CoverageCutoff(inputs.min_coverage), inputs.mesh) * (1 + 1e-9);
}

template <typename T>
ShadedItem<T> MakeShadedItem(const SoftShadeInputs<T>& inputs, int64_t item,
                             double radius) {
  const auto& mesh = inputs.mesh;
  const double range = inputs.far - static_cast<double>(mesh.near);
  // Inverses stay finite for denormal numbers.
  constexpr double kLargest = Far<double>::kDistance;
  const DepthBlend<double> blend = {
      Min(1.0 / static_cast<double>(mesh.sigma), kLargest),
      CoverageCutoff(inputs.min_coverage),
      inputs.far,
      1.0 / range,
      Min(1.0 / static_cast<double>(inputs.gamma), kLargest),
      inputs.epsilon};
  const int64_t pixels =
      inputs.background_is_image ? mesh.height * mesh.width : 0;
  return {MakeMeshItem(mesh, item, radius),
          mesh.num_faces,
          inputs.attributes + item * mesh.num_vertices * inputs.channels,
          inputs.background + item * pixels * inputs.channels,
          inputs.background_is_image,
          inputs.channels,
          blend};
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_RASTER_SHADED_ITEM_H_
