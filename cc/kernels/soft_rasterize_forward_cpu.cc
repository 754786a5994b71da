#include <cmath>
#include <cstddef>
#include <vector>

#include "cc/geometry/coverage.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/kernels/face_batch.h"
#include "cc/kernels/face_bins.h"
#include "cc/kernels/local_view.h"
#include "cc/kernels/simd.h"
#include "cc/kernels/soft_rasterize_cpu.h"
#include "cc/kernels/tiling.h"

namespace tf_softras {
namespace {

// Float sums are handed over to double ones after at most this many terms,
// which bounds what rounding can add up to: n 2^-24 / 4 < 8e-6 S (1 - S) in the
// worst case, a hundredth of it in ordinary ones.
constexpr int64_t kFacesPerStretch = 512;

// A tile's pixels: float sums of a stretch of faces, and double ones of all
// before.
template <typename T>
struct TileSums {
  PixelRect rect;
  int64_t stride;
  std::vector<T> stretch;
  std::vector<double> total;
  int64_t faces_in_stretch = 0;

  explicit TileSums(const PixelRect& tile)
      : rect(tile),
        stride(tile.column_end - tile.column_begin + kLanes),
        stretch(stride * (tile.row_end - tile.row_begin), T(0)),
        total(stretch.size(), 0.0) {}

  TF_SOFTRAS_INLINE T* pixel(int64_t row, int64_t column) {
    return stretch.data() + (row - rect.row_begin) * stride +
           (column - rect.column_begin);
  }

  TF_SOFTRAS_INLINE void EndStretch() {
    T* part = stretch.data();
    double* whole = total.data();
    const int64_t count = static_cast<int64_t>(total.size());
    for (int64_t i = 0; i < count; ++i) {
      whole[i] = Aggregate(whole[i], static_cast<double>(part[i]));
      part[i] = T(0);
    }
    faces_in_stretch = 0;
  }
};

template <typename T>
TF_SOFTRAS_INLINE void AddBlock(const LocalView<T>& view, T inverse_sigma,
                                const PixelRect& block, TileSums<T>& sums) {
  for (int64_t row = block.row_begin; row < block.row_end; ++row) {
    const T qy = view.qy(row);
    T* excess = sums.pixel(row, block.column_begin);
    for (int64_t column = block.column_begin; column < block.column_end;
         column += kLanes, excess += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const T odds = Odds(SignedSquaredDistance(Sample(
                                view.triangle, view.qx(column + lane), qy)),
                            inverse_sigma);
        excess[lane] = Aggregate(excess[lane], odds);
      }
    }
  }
}

// Adds the faces ids[0 .. count - 1], or 0 .. count - 1 where there is no list,
// to a tile.
template <typename T>
TF_SOFTRAS_INLINE void AddFaces(const Item<T>& item, T inverse_sigma,
                                const int32_t* ids, int64_t count,
                                TileSums<T>& sums) {
  FaceBatch<T> batch;
  for (int64_t first = 0; first < count; first += batch.kFaces) {
    const auto face = [ ids, first ](int lane) __attribute__((always_inline)) {
      return ids ? static_cast<int64_t>(ids[first + lane]) : first + lane;
    };
    const int lanes = static_cast<int>(MinInt(batch.kFaces, count - first));
    batch.SetUp(item, lanes, face, sums.rect);
    for (int lane = 0; lane < lanes; ++lane) {
      const PixelRect rect = batch.rect(lane);
      if (rect.empty()) continue;
      if (IsOneBlock(rect, item.plane)) {
        AddBlock(MakeLocalView(batch, lane, item.plane, rect), inverse_sigma,
                 rect, sums);
      } else {
        ForEachBlock<T>(
            item, item.MakeFace(face(lane)), rect,
            [&](const LocalView<T>& view, const PixelRect& block)
                __attribute__((always_inline)) {
                  AddBlock(view, inverse_sigma, block, sums);
                });
      }
      if (++sums.faces_in_stretch == kFacesPerStretch) sums.EndStretch();
    }
  }
}

template <typename T>
TF_SOFTRAS_INLINE void WriteTile(TileSums<T>& sums, int64_t width,
                                 T* silhouette, T* transparency) {
  sums.EndStretch();
  const int64_t columns = sums.rect.column_end - sums.rect.column_begin;
  for (int64_t row = sums.rect.row_begin; row < sums.rect.row_end; ++row) {
    const double* excess =
        sums.total.data() + (row - sums.rect.row_begin) * sums.stride;
    const int64_t first = row * width + sums.rect.column_begin;
    for (int64_t i = 0; i < columns; ++i) {
      silhouette[first + i] = static_cast<T>(SilhouetteFromExcess(excess[i]));
      transparency[first + i] =
          static_cast<T>(TransparencyFromExcess(excess[i]));
    }
  }
}

// An item's picture: what both clones of a type do.
template <typename T>
TF_SOFTRAS_INLINE void RenderTile(const Item<T>& item, T inverse_sigma,
                                  const FaceBins* bins, int64_t num_faces,
                                  int64_t tile_row, int64_t tile_column,
                                  const PixelRect& tile, T* silhouette,
                                  T* transparency) {
  TileSums<T> sums(tile);
  if (bins == nullptr) {
    AddFaces<T>(item, inverse_sigma, nullptr, num_faces, sums);
  } else {
    bins->ForTile(
        tile_row, tile_column,
        [&](const int32_t* begin, const int32_t* end)
            __attribute__((always_inline)) {
              AddFaces(item, inverse_sigma, begin, end - begin, sums);
            });
  }
  WriteTile(sums, item.plane.width, silhouette, transparency);
}

#define TF_SOFTRAS_RENDER_TILE(T)                                              \
  TF_SOFTRAS_CLONES void RenderTileClone(                                      \
      const Item<T>& item, T inverse_sigma, const FaceBins* bins,              \
      int64_t num_faces, int64_t tile_row, int64_t tile_column,                \
      const PixelRect& tile, T* silhouette, T* transparency) {                 \
    RenderTile<T>(item, inverse_sigma, bins, num_faces, tile_row, tile_column, \
                  tile, silhouette, transparency);                             \
  }
TF_SOFTRAS_RENDER_TILE(float)
TF_SOFTRAS_RENDER_TILE(double)
#undef TF_SOFTRAS_RENDER_TILE

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 100;
constexpr int64_t kBinCost = 20;
constexpr int64_t kPixelCost = 5;

}  // namespace

template <typename T>
void SoftRasterizeForward(const SoftRasterizeInputs<T>& inputs, T* silhouette,
                          T* transparency, const ParallelFor& parallel_for) {
  const double radius = Radius(ForwardCutoff<T>(inputs.num_faces), inputs);
  const T inverse_sigma = InverseSigma(inputs.sigma);
  const Tiling tiling(inputs.batch, inputs.height, inputs.width);
  const int64_t pixels = inputs.height * inputs.width;
  const bool one_tile = tiling.count() == 1;

  // Items go through in slices, so that the bins' memory does not grow with the
  // batch.
  const int64_t slice =
      one_tile ? inputs.batch : MaxInt(1, 1024 / tiling.count());
  for (int64_t first = 0; first < inputs.batch; first += slice) {
    const int64_t items = MinInt(slice, inputs.batch - first);
    std::vector<FaceBins> bins;
    if (!one_tile) {
      bins.assign(items, FaceBins(inputs.height, inputs.width, tiling.side));
      parallel_for(
          items, inputs.num_faces * kBinCost, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
              const Item<T> item = MakeItem(inputs, first + i, radius);
              bins[i].Fill(inputs.num_faces,
                           [&item](int64_t face) { return item.Reach(face); });
            }
          });
    }
    const int64_t cost = inputs.num_faces * kFaceCost / tiling.count() +
                         tiling.side * tiling.side * kPixelCost;
    parallel_for(items * tiling.count(), cost, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t i = unit / tiling.count();
        const int64_t row = unit % tiling.count() / tiling.columns;
        const int64_t column = unit % tiling.columns;
        RenderTileClone(MakeItem(inputs, first + i, radius), inverse_sigma,
                        one_tile ? nullptr : &bins[i], inputs.num_faces, row,
                        column, tiling.rect(row, column),
                        silhouette + (first + i) * pixels,
                        transparency + (first + i) * pixels);
      }
    });
  }
}

template void SoftRasterizeForward<float>(const SoftRasterizeInputs<float>&,
                                          float*, float*, const ParallelFor&);
template void SoftRasterizeForward<double>(const SoftRasterizeInputs<double>&,
                                           double*, double*,
                                           const ParallelFor&);

}  // namespace tf_softras
