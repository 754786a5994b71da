// One item of the batch as the shader reads it, on any device.
//
// The shader computes in double, for float inputs too: levels are divided by a
// gamma as small as 1e-6, which would leave nothing of float's 24 bits of
// depth.
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
  int64_t blended;  // the first channels; the others are summed
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
  // A hair more than what counts. Each pixel decides exactly.
  return Radius(CoverageCutoff(inputs.min_coverage), inputs.mesh) * (1 + 1e-9);
}

template <typename T>
ShadedItem<T> MakeShadedItem(const SoftShadeInputs<T>& inputs, int64_t item,
                             double radius) {
  const auto& mesh = inputs.mesh;
  const double range = inputs.far - static_cast<double>(mesh.near);
  // The inverses of denormal numbers stay finite.
  constexpr double kLargest = Far<double>::kDistance;
  DepthBlend<double> blend;
  blend.inverse_sigma = Min(1.0 / static_cast<double>(mesh.sigma), kLargest);
  blend.cutoff = CoverageCutoff(inputs.min_coverage);
  blend.far = inputs.far;
  blend.inverse_range = 1.0 / range;
  blend.inverse_gamma = Min(1.0 / static_cast<double>(inputs.gamma), kLargest);
  blend.background_level = inputs.epsilon;
  const int64_t pixels =
      inputs.background_is_image ? mesh.height * mesh.width : 0;
  ShadedItem<T> shaded;
  shaded.mesh = MakeMeshItem(mesh, item, radius);
  shaded.num_faces = mesh.num_faces;
  shaded.attributes =
      inputs.attributes + item * mesh.num_vertices * inputs.channels;
  shaded.background = inputs.background + item * pixels * inputs.channels;
  shaded.background_is_image = inputs.background_is_image;
  shaded.channels = inputs.channels;
  shaded.blended = inputs.channels - inputs.summed_channels;
  shaded.blend = blend;
  return shaded;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_RASTER_SHADED_ITEM_H_
