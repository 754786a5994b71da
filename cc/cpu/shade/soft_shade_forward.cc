// Soft aggregation on the CPU, the image.
//
//   cut images into square tiles; list the faces that reach each (face_bins.h)
//   for each tile:                                      a unit of work
//     start each pixel with the background's channels and weight 1
//     for each face, for each 8 pixels where it counts:  shade_tile.h
//       sums <- sums * keep + weight * attributes       image_visitor.h
//     divide each pixel's sums by its sum of weights
//     keep what the backward passes need              shade_state.h
//
// image_visitor.h keeps the sums. All is computed in double (shaded_item.h says
// why).
#include <cstdint>
#include <vector>

#include "cc/cpu/shade/image_visitor.h"
#include "cc/cpu/shade/shade_state.h"
#include "cc/cpu/shade/shade_tile.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {
namespace {

// Divides the sums into the tile's pixels, and keeps the state. kBlended is the
// number of blended channels where the compiler should know it, or 0.
template <int kBlended, typename T>
TF_SOFTRAS_INLINE void WriteTile(const ShadedItem<T>& item,
                                 const ShadedTile& tile,
                                 const ImageVisitor<T, true>& visitor, T* image,
                                 T* state) {
  const SumsLayout layout = visitor.layout;
  const int64_t blended = kBlended > 0 ? kBlended : item.blended;
  for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
    for (int64_t column = tile.rect.column_begin; column < tile.rect.column_end;
         ++column) {
      const int64_t at = tile.offset(row, column);
      const double* sum = visitor.sums.data() + at * layout.width;
      T* __restrict pixel = image + item.Pixel(row, column);
      T* __restrict kept = state + StateAt(item, row, column);
      const RoundedPair<T> level(visitor.level[at]);
      kept[StateNumber::kLevel] = level.rounded;
      kept[StateNumber::kLevelLost] = level.lost;
      const RoundedPair<T> total(sum[0]);
      kept[StateNumber::kTotal] = total.rounded;
      kept[StateNumber::kTotalLost] = total.lost;
      const double inverse = 1.0 / sum[0];
      for (int64_t c = 0; c < blended; ++c) {
        const double value = sum[1 + c] * inverse;
        pixel[c] = static_cast<T>(value);
        kept[StateNumber::kImageLost + c] =
            static_cast<T>(value - static_cast<double>(pixel[c]));
      }
      for (int64_t c = blended; c < item.channels; ++c) {
        pixel[c] = static_cast<T>(sum[layout.first_summed + c - blended]);
      }
    }
  }
}

template <typename T>
TF_SOFTRAS_INLINE void ShadeTile(const ShadedItem<T>& item,
                                 const ShadedTile& tile, T* image, T* state) {
  ImageVisitor<T, true> visitor(item, tile);
  VisitTile(item, tile, visitor);
  if (item.blended == 3) {
    WriteTile<3>(item, tile, visitor, image, state);
  } else {
    WriteTile<0>(item, tile, visitor, image, state);
  }
}

TF_SOFTRAS_CLONES void ShadeTileClone(const ShadedItem<float>& item,
                                      const ShadedTile& tile, float* image,
                                      float* state) {
  ShadeTile(item, tile, image, state);
}
TF_SOFTRAS_CLONES void ShadeTileClone(const ShadedItem<double>& item,
                                      const ShadedTile& tile, double* image,
                                      double* state) {
  ShadeTile(item, tile, image, state);
}

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 400;
constexpr int64_t kPixelCost = 20;

}  // namespace

template <typename T>
void SoftShadeForward(const SoftShadeInputs<T>& inputs, T* image, T* state,
                      const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const double radius = ShadeRadius(inputs);
  const Tiling tiling(mesh.batch, mesh.height, mesh.width);
  const int64_t pixels = mesh.height * mesh.width;
  const int64_t numbers = StateNumbers(inputs.channels, inputs.summed_channels);
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
                       image + (first + i) * pixels * inputs.channels,
                       state + (first + i) * pixels * numbers);
      }
    });
  }
}

template void SoftShadeForward<float>(const SoftShadeInputs<float>&, float*,
                                      float*, const ParallelFor&);
template void SoftShadeForward<double>(const SoftShadeInputs<double>&, double*,
                                       double*, const ParallelFor&);

}  // namespace tf_softras
