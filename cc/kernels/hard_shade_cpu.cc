// The nearest face's attributes: which face that is, hard_rasterize_cpu.h says;
// here pixels are coloured by it, one by one, in double.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/geometry/hard_triangle.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/interpolation.h"
#include "cc/kernels/face_batch.h"
#include "cc/kernels/gradient_sums.h"
#include "cc/kernels/hard_rasterize_cpu.h"
#include "cc/kernels/soft_shade_cpu.h"

namespace tf_softras {
namespace {

// The nearest face at each pixel of the batch, -1 for none.
template <typename T>
std::vector<int32_t> NearestFaces(const SoftShadeInputs<T>& inputs,
                                  const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  std::vector<int32_t> faces(mesh.batch * mesh.height * mesh.width);
  std::vector<T> depth(faces.size());
  HardRasterize<T>(
      {mesh.vertices, mesh.faces, mesh.batch, mesh.num_vertices, mesh.num_faces,
       mesh.height, mesh.width, static_cast<double>(mesh.near)},
      faces.data(), depth.data(), parallel_for);
  return faces;
}

template <typename T>
ImageVertex VertexOf(const Item<T>& item, int64_t face, int corner) {
  const T* vertex = item.vertex(face, corner);
  return {static_cast<double>(vertex[0]), static_cast<double>(vertex[1]),
          static_cast<double>(vertex[2])};
}

// A face where one pixel's centre meets it.
struct FaceAtPixel {
  double coordinates[3];  // barycentric but for the factor `sum`
  double sum;
  double slope_x[3], slope_y[3];  // of the coordinates
  FaceDepths<double> depths;
  Interpolation<double> at;

  template <typename T>
  FaceAtPixel(const Item<T>& item, int64_t face, int64_t row, int64_t column) {
    const ImageVertex v0 = VertexOf(item, face, 0);
    const ImageVertex v1 = VertexOf(item, face, 1);
    const ImageVertex v2 = VertexOf(item, face, 2);
    HardTriangle triangle(v0, v1, v2);
    triangle.SetUp(static_cast<double>(item.near));
    triangle.WeightsAt(item.plane.x(static_cast<double>(column)),
                       item.plane.y(static_cast<double>(row)), coordinates);
    sum = coordinates[0] + coordinates[1] + coordinates[2];
    // Smaller than the arithmetic resolves: it is its first corner.
    const bool is_point = sum == 0.0;
    if (is_point) coordinates[0] = sum = 1.0;
    for (int k = 0; k < 3; ++k) {
      slope_x[k] = is_point ? 0.0 : triangle.SlopeX(k);
      slope_y[k] = is_point ? 0.0 : triangle.SlopeY(k);
    }
    depths = MakeFaceDepths(v0.z, v1.z, v2.z);
    at = Interpolate(depths, coordinates, sum);
  }
};

// Adds the gradient through one pixel that a face covers.
template <typename T>
void AddPixel(const SoftShadeInputs<T>& inputs, const Item<T>& item,
              const T* attributes, int64_t face, const FaceAtPixel& pixel,
              const T* upstream, const UnitSums& sums) {
  const int64_t channels = inputs.channels;
  const double* w = pixel.at.weights;
  double values[3] = {0.0, 0.0, 0.0};
  for (int k = 0; k < 3; ++k) {
    const int64_t first = item.faces[3 * face + k] * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const double g = upstream[c];
      values[k] += g * static_cast<double>(attributes[first + c]);
      sums.attributes[first + c] += w[k] * g;
    }
  }
  const double value = w[0] * values[0] + w[1] * values[1] + w[2] * values[2];
  const double deviation[3] = {values[0] - value, values[1] - value,
                               values[2] - value};
  const InterpolationGradient<double> gradient = GradientOfInterpolation(
      pixel.depths, pixel.coordinates, pixel.sum, pixel.at, deviation, 0.0);
  const CornerGradient<double> corners =
      GradientInside(pixel.slope_x, pixel.slope_y, pixel.coordinates, pixel.sum,
                     gradient.coordinates);
  for (int k = 0; k < 3; ++k) {
    double* sum = sums.vertices + 3 * int64_t{item.faces[3 * face + k]};
    sum[0] += corners.x[k];
    sum[1] += corners.y[k];
    sum[2] += gradient.depths[k];
  }
}

// Calls visit(pixel of the item, row, column) for rows [row_begin, row_end).
template <typename Visit>
void ForEachPixel(const ImagePlane& plane, int64_t row_begin, int64_t row_end,
                  const Visit& visit) {
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t column = 0; column < plane.width; ++column) {
      visit(row * plane.width + column, row, column);
    }
  }
}

// A guess for the scheduler, in nanoseconds.
constexpr int64_t kPixelCost = 100;

}  // namespace

template <typename T>
void HardShadeForward(const SoftShadeInputs<T>& inputs, T* image,
                      const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const int64_t channels = inputs.channels;
  const std::vector<int32_t> faces = NearestFaces(inputs, parallel_for);
  parallel_for(
      mesh.batch * mesh.height, mesh.width * kPixelCost,
      [&](int64_t begin, int64_t end) {
        for (int64_t line = begin; line < end; ++line) {
          const int64_t i = line / mesh.height, row = line % mesh.height;
          const Item<T> item = MakeItem(inputs.mesh, i, 0.0);
          const T* attributes =
              inputs.attributes + i * mesh.num_vertices * channels;
          ForEachPixel(
              item.plane, row, row + 1, [&](int64_t, int64_t, int64_t column) {
                const int64_t pixel = line * mesh.width + column;
                T* out = image + pixel * channels;
                const int64_t face = faces[pixel];
                if (face < 0) {
                  const T* background =
                      inputs.background +
                      (inputs.background_is_image ? pixel * channels : 0);
                  std::copy(background, background + channels, out);
                  return;
                }
                const FaceAtPixel seen(item, face, row, column);
                for (int64_t c = 0; c < channels; ++c) {
                  double sum = 0.0;
                  for (int k = 0; k < 3; ++k) {
                    sum += seen.at.weights[k] *
                           static_cast<double>(
                               attributes[item.faces[3 * face + k] * channels +
                                          c]);
                  }
                  out[c] = static_cast<T>(sum);
                }
              });
        }
      });
}

template <typename T>
void HardShadeBackward(const SoftShadeInputs<T>& inputs, const T* upstream,
                       const SoftShadeGradients<T>& gradients,
                       const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const int64_t channels = inputs.channels;
  const int64_t pixels = mesh.height * mesh.width;
  const std::vector<int32_t> faces = NearestFaces(inputs, parallel_for);
  GradientSums<T> sums(inputs, mesh.height);
  const int64_t units = sums.units();
  for (int64_t first = 0; first < mesh.batch; first += sums.slice()) {
    const int64_t items = MinInt(sums.slice(), mesh.batch - first);
    sums.Begin(first, items);
    parallel_for(
        items * units, pixels / units * kPixelCost,
        [&](int64_t begin, int64_t end) {
          for (int64_t at = begin; at < end; ++at) {
            const int64_t i = first + at / units, unit = at % units;
            const Item<T> item = MakeItem(inputs.mesh, i, 0.0);
            const T* attributes =
                inputs.attributes + i * mesh.num_vertices * channels;
            const UnitSums part = sums.unit(at / units, unit);
            ForEachPixel(
                item.plane, unit * mesh.height / units,
                (unit + 1) * mesh.height / units,
                [&](int64_t own, int64_t row, int64_t column) {
                  const int64_t pixel = i * pixels + own;
                  const T* g = upstream + pixel * channels;
                  const int64_t face = faces[pixel];
                  if (inputs.background_is_image) {
                    T* background = gradients.background + pixel * channels;
                    for (int64_t c = 0; c < channels; ++c) {
                      background[c] = face < 0 ? g[c] : T(0);
                    }
                  } else if (face < 0) {
                    for (int64_t c = 0; c < channels; ++c) {
                      part.background[c] += g[c];
                    }
                  }
                  if (face < 0) return;
                  AddPixel(inputs, item, attributes, face,
                           FaceAtPixel(item, face, row, column), g, part);
                });
          }
        });
    sums.Write(gradients, parallel_for);
  }
  if (!inputs.background_is_image) sums.WriteBackground(gradients.background);
}

#define TF_SOFTRAS_INSTANTIATE(T)                                         \
  template void HardShadeForward<T>(const SoftShadeInputs<T>&, T*,        \
                                    const ParallelFor&);                  \
  template void HardShadeBackward<T>(const SoftShadeInputs<T>&, const T*, \
                                     const SoftShadeGradients<T>&,        \
                                     const ParallelFor&);
TF_SOFTRAS_INSTANTIATE(float)
TF_SOFTRAS_INSTANTIATE(double)
#undef TF_SOFTRAS_INSTANTIATE

}  // namespace tf_softras
