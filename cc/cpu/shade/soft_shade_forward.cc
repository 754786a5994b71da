// Soft aggregation on the CPU, the image.
//
//   cut images into square tiles; list the faces that reach each (face_bins.h)
//   for each tile:                                      a unit of work
//     start each pixel with the background's channels and weight 1
//     for each face, for each 8 pixels where it counts:  shade_tile.h
//       sums <- sums * keep + weight * attributes       image_visitor.h
//     divide each pixel's sums by its sum of weights
//
// image_visitor.h keeps the sums. All is computed in double (shaded_item.h says
// why).
#include <cstdint>
#include <vector>

#include "cc/cpu/shade/image_visitor.h"
#include "cc/cpu/shade/shade_tile.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {
namespace {

// Divides the sums into the tile's pixels.
template <typename T>
TF_SOFTRAS_INLINE void WriteTile(const ShadedItem<T>& item,
                                 const ShadedTile& tile,
                                 const ImageVisitor<T, true>& visitor,
                                 T* image) {
  const SumsLayout layout = visitor.layout;
  for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
    for (int64_t column = tile.rect.column_begin; column < tile.rect.column_end;
         ++column) {
      const double* sum =
          visitor.sums.data() + tile.offset(row, column) * layout.width;
      T* pixel = image + item.Pixel(row, column);
      const double inverse = 1.0 / sum[0];
      for (int64_t c = 0; c < item.blended; ++c) {
        pixel[c] = static_cast<T>(sum[1 + c] * inverse);
      }
      for (int64_t c = item.blended; c < item.channels; ++c) {
        pixel[c] = static_cast<T>(sum[layout.first_summed + c - item.blended]);
      }
    }
  }
}

template <typename T>
TF_SOFTRAS_INLINE void ShadeTile(const ShadedItem<T>& item,
                                 const ShadedTile& tile, T* image) {
  ImageVisitor<T, true> visitor(item, tile);
  VisitTile(item, tile, visitor);
  WriteTile(item, tile, visitor, image);
}

TF_SOFTRAS_CLONES void ShadeTileClone(const ShadedItem<float>& item,
                                      const ShadedTile& tile, float* image) {
  ShadeTile(item, tile, image);
}
TF_SOFTRAS_CLONES void ShadeTileClone(const ShadedItem<double>& item,
                                      const ShadedTile& tile, double* image) {
  ShadeTile(item, tile, image);
}

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 400;
constexpr int64_t kPixelCost = 20;

}  // namespace

template <typename T>
void SoftShadeForward(const SoftShadeInputs<T>& inputs, T* image,
                      const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const double radius = ShadeRadius(inputs);
  const Tiling tiling(mesh.batch, mesh.height, mesh.width);
  const int64_t values = mesh.height * mesh.width * inputs.channels;
  const int64_t cost = mesh.num_faces * kFaceCost / tiling.count() +
                       tiling.side * tiling.side * kPixelCost;
  // In slices, so that the bins' memory does not grow with the batch.
  const int64_t slice = MaxInt(1, 1024 / tiling.count());
  for (int64_t first = 0; first < mesh.batch; first += slice) {
    const int64_t items = MinInt(slice, mesh.batch - first);
    const std::vector<FaceBins> bins =
        BinFaces(mesh, tiling, first, items, radius, parallel_for);
    parallel_for(items * tiling.count(), cost, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t i = unit / tiling.count();
        ShadeTileClone(MakeShadedItem(inputs, first + i, radius),
                       MakeShadedTile(tiling, unit % tiling.count(),
                                      bins.empty() ? nullptr : &bins[i]),
                       image + (first + i) * values);
      }
    });
  }
}

template void SoftShadeForward<float>(const SoftShadeInputs<float>&, float*,
                                      const ParallelFor&);
template void SoftShadeForward<double>(const SoftShadeInputs<double>&, double*,
                                       const ParallelFor&);

}  // namespace tf_softras
