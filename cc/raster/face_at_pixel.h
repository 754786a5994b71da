// A face at the centre of one pixel that it covers, for the shader's hard
// aggregation: attributes and depth there, and the gradient of both.
#ifndef TF_SOFTRAS_CC_RASTER_FACE_AT_PIXEL_H_
#define TF_SOFTRAS_CC_RASTER_FACE_AT_PIXEL_H_

#include <cstdint>

#include "cc/geometry/depth_blend.h"
#include "cc/geometry/hard_triangle.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/interpolation.h"
#include "cc/geometry/platform.h"
#include "cc/raster/mesh_item.h"

namespace tf_softras {

template <typename T>
TF_SOFTRAS_INLINE ImageVertex VertexOf(const MeshItem<T>& item, int64_t face,
                                       int corner) {
  const T* vertex = item.vertex(face, corner);
  return {static_cast<double>(vertex[0]), static_cast<double>(vertex[1]),
          static_cast<double>(vertex[2])};
}

// A face at the centre of one pixel that it covers.
struct FaceAtPixel {
  double coordinates[3];  // barycentric but for the factor `sum`
  double sum;
  double slope_x[3], slope_y[3];  // of the coordinates
  FaceDepths<double> depths;
  Interpolation<double> at;

  template <typename T>
  TF_SOFTRAS_INLINE FaceAtPixel(const MeshItem<T>& item, int64_t face,
                                int64_t row, int64_t column) {
    const ImageVertex v0 = VertexOf(item, face, 0);
    const ImageVertex v1 = VertexOf(item, face, 1);
    const ImageVertex v2 = VertexOf(item, face, 2);
    HardTriangle triangle(v0, v1, v2);
    triangle.SetUp(static_cast<double>(item.near), item.is_linear);
    triangle.WeightsAt(item.plane.x(static_cast<double>(column)),
                       item.plane.y(static_cast<double>(row)), coordinates);
    sum = coordinates[0] + coordinates[1] + coordinates[2];
    // A face smaller than the arithmetic resolves counts as its first corner.
    const bool is_point = sum == 0.0;
    if (is_point) coordinates[0] = sum = 1.0;
    for (int k = 0; k < 3; ++k) {
      slope_x[k] = is_point ? 0.0 : triangle.SlopeX(k);
      slope_y[k] = is_point ? 0.0 : triangle.SlopeY(k);
    }
    depths = MakeFaceDepths(v0.z, v1.z, v2.z, item.is_linear);
    at = Interpolate(depths, coordinates, sum);
  }
};

// The gradient of a loss through the pixel. values[k]: the upstream gradient
// times corner k's attributes, summed over channels.
TF_SOFTRAS_INLINE PairGradient<double> GradientAtPixel(
    const FaceAtPixel& pixel, const double (&values)[3]) {
  const double* w = pixel.at.weights;
  const double value = w[0] * values[0] + w[1] * values[1] + w[2] * values[2];
  const double deviation[3] = {values[0] - value, values[1] - value,
                               values[2] - value};
  const InterpolationGradient<double> interpolation = GradientOfInterpolation(
      pixel.depths, pixel.coordinates, pixel.sum, pixel.at, deviation, 0.0);
  const CornerGradient<double> corners =
      GradientInside(pixel.slope_x, pixel.slope_y, pixel.coordinates, pixel.sum,
                     interpolation.coordinates);
  PairGradient<double> gradient;
  for (int k = 0; k < 3; ++k) {
    gradient.x[k] = corners.x[k];
    gradient.y[k] = corners.y[k];
    gradient.z[k] = interpolation.depths[k];
  }
  return gradient;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_RASTER_FACE_AT_PIXEL_H_
