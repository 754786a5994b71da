// The nearest face at each pixel, on the CPU.
//
//   for each band of rows of an item's image:           a unit of work
//     for each face, in order:
//       for each row of its bounding box inside the band:
//         from where the row enters the face until it leaves it:
//           depth by 1/z; keep the face if it is nearer than the one so far
//
// A pixel's value depends on the mesh alone, not on the bands and not on the
// threads: every band sees the faces in the same order.
#include "cc/cpu/rasterize/hard_rasterize.h"

#include <algorithm>

#include "cc/geometry/hard_triangle.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {
namespace {

// Enough units to spread; not more, because each band looks at every face.
constexpr int64_t kUnits = 16;
// Guesses for the scheduler, in nanoseconds: for a face, and for a pixel with
// the few faces that overlap there.
constexpr int64_t kFaceCost = 20;
constexpr int64_t kPixelCost = 20;

template <typename T>
ImageVertex LoadVertex(const T* vertices, int64_t index) {
  const T* vertex = vertices + 3 * index;
  return {static_cast<double>(vertex[0]), static_cast<double>(vertex[1]),
          static_cast<double>(vertex[2])};
}

// `face_index` and `depth` are those of the row's first pixel.
template <typename T>
void DrawRow(const HardTriangle& triangle, const ImagePlane& plane, int64_t row,
             int64_t column_begin, int64_t column_end, int32_t face,
             int32_t* face_index, T* depth) {
  const double y = plane.y(row);
  bool entered = false;
  for (int64_t column = column_begin; column < column_end; ++column) {
    double exact;
    if (!triangle.DepthAt(plane.x(column), y, &exact)) {
      if (entered) return;  // A row meets a triangle in one interval.
      continue;
    }
    entered = true;
    // Compared in T, so that the tie rule (the lower face index stays) holds
    // for the depths that are handed out.
    const T rounded = static_cast<T>(exact);
    if (face_index[column] < 0 || rounded < depth[column]) {
      face_index[column] = face;
      depth[column] = rounded;
    }
  }
}

// `vertices`, `face_index` and `depth` are those of one batch item.
template <typename T>
void DrawBand(const RasterizeInputs<T>& inputs, const T* vertices,
              const PixelRect& band, int32_t* face_index, T* depth) {
  const ImagePlane plane{inputs.height, inputs.width};
  const int64_t begin = band.row_begin * plane.width;
  const int64_t end = band.row_end * plane.width;
  std::fill(face_index + begin, face_index + end, -1);
  std::fill(depth + begin, depth + end, T(0));
  for (int64_t face = 0; face < inputs.num_faces; ++face) {
    const int32_t* corners = inputs.faces + 3 * face;
    HardTriangle triangle(LoadVertex(vertices, corners[0]),
                          LoadVertex(vertices, corners[1]),
                          LoadVertex(vertices, corners[2]));
    const PixelRect rect = Intersect(triangle.Pixels(plane), band);
    if (rect.empty() ||
        !triangle.SetUp(static_cast<double>(inputs.near), inputs.is_linear)) {
      continue;
    }
    for (int64_t row = rect.row_begin; row < rect.row_end; ++row) {
      DrawRow(triangle, plane, row, rect.column_begin, rect.column_end,
              static_cast<int32_t>(face), face_index + row * plane.width,
              depth + row * plane.width);
    }
  }
}

}  // namespace

template <typename T>
void HardRasterize(const RasterizeInputs<T>& inputs, int32_t* face_index,
                   T* depth, const ParallelFor& parallel_for) {
  const int64_t pixels = inputs.height * inputs.width;
  const int64_t bands =
      std::min(inputs.height, (kUnits + inputs.batch - 1) / inputs.batch);
  const int64_t cost =
      kFaceCost * inputs.num_faces + kPixelCost * (pixels / bands + 1);
  parallel_for(inputs.batch * bands, cost, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t item = unit / bands;
      const int64_t index = unit % bands;
      const PixelRect band = {index * inputs.height / bands,
                              (index + 1) * inputs.height / bands, 0,
                              inputs.width};
      DrawBand(inputs, inputs.vertices + 3 * item * inputs.num_vertices, band,
               face_index + item * pixels, depth + item * pixels);
    }
  });
}

template void HardRasterize<float>(const RasterizeInputs<float>&, int32_t*,
                                   float*, const ParallelFor&);
template void HardRasterize<double>(const RasterizeInputs<double>&, int32_t*,
                                    double*, const ParallelFor&);

}  // namespace tf_softras
