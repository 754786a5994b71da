// Hard aggregation on the CPU: the nearest face alone colours a pixel.
//
//   find the nearest face of each pixel                 hard_rasterize.h
//   forward, for each pixel:
//     interpolate its face's attributes with perspective, or copy the
//     background
//   backward, for each pixel:
//     add its gradient to the face's three vertices and their attributes, or to
//     the background                                    gradient_sums.h
//
// All is computed in double. A unit of work is a row forward, a band of rows
// backward.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/cpu/face_batch.h"
#include "cc/cpu/gradient_sums.h"
#include "cc/cpu/rasterize/hard_rasterize.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"
#include "cc/raster/face_at_pixel.h"

namespace tf_softras {
namespace {

// The nearest face at each pixel of the batch, -1 for none.
template <typename T>
std::vector<int32_t> NearestFaces(const SoftShadeInputs<T>& inputs,
                                  const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  std::vector<int32_t> faces(mesh.num_pixels());
  std::vector<T> depth(faces.size());
  HardRasterize<T>(mesh, faces.data(), depth.data(), parallel_for);
  return faces;
}

// Adds the gradient through one pixel that a face covers.
template <typename T>
void AddPixel(const SoftShadeInputs<T>& inputs, const MeshItem<T>& item,
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
  const PairGradient<double> gradient = GradientAtPixel(pixel, values);
  for (int k = 0; k < 3; ++k) {
    double* sum = sums.vertices + 3 * int64_t{item.faces[3 * face + k]};
    sum[0] += gradient.x[k];
    sum[1] += gradient.y[k];
    sum[2] += gradient.z[k];
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
          const MeshItem<T> item = MakeMeshItem(inputs.mesh, i, 0.0);
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
            const MeshItem<T> item = MakeMeshItem(inputs.mesh, i, 0.0);
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
