// Each tile goes through its faces, as the forward pass does, and sums
// D_j dx_j a pixel; times the transparency that is the derivative of S. All of
// it in double: which edge is nearest decides whose tangent counts, and there
// is no second look at close calls then.
#include <cmath>
#include <cstddef>
#include <vector>

#include "cc/cpu/face_batch.h"
#include "cc/cpu/face_bins.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/coverage.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/local_view.h"
#include "cc/raster/saturate.h"

namespace tf_softras {
namespace {

// The motion of the inputs.
template <typename T>
struct Tangents {
  const T* vertices;     // [num_vertices, 3] of an item; null where they stay
  double inverse_sigma;  // 1 / sigma
  double sigma;          // d sigma / sigma
};

// The motion of a face's corners on the image plane.
struct CornerTangents {
  double x[3] = {};
  double y[3] = {};
};

// sum_j D_j dx_j of a tile's pixels, in padded rows.
struct TileRates {
  PixelRect rect;
  int64_t stride;
  std::vector<double> rates;

  explicit TileRates(const PixelRect& tile)
      : rect(tile),
        stride(tile.column_end - tile.column_begin + kLanes),
        rates(stride * (tile.row_end - tile.row_begin), 0.0) {}

  TF_SOFTRAS_INLINE double* pixel(int64_t row, int64_t column) {
    return rates.data() + (row - rect.row_begin) * stride +
           (column - rect.column_begin);
  }
};

// With x = s d^2 / sigma: dx = s d(d^2) / sigma - x dsigma / sigma, and the
// derivative of d^2 with respect to corner k is -2 corners[k] (rx, ry).
template <bool moves_vertices, typename T>
TF_SOFTRAS_INLINE void AddBlock(const LocalView<double>& view_reference,
                                const CornerTangents& corners_reference,
                                const Tangents<T>& tangents,
                                const PixelRect& block, TileRates& sums) {
  // Copies: loads from behind references keep the loop from vectorising.
  const LocalView<double> view = view_reference;
  const CornerTangents corners = corners_reference;
  const double inverse_sigma = tangents.inverse_sigma;
  const double sigma_rate = tangents.sigma;
  for (int64_t row = block.row_begin; row < block.row_end; ++row) {
    const double qy = view.qy(row);
    double* rates = sums.pixel(row, block.column_begin);
    for (int64_t column = block.column_begin; column < block.column_end;
         column += kLanes, rates += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const TriangleSample<double> sample =
            Sample(view.triangle, view.qx(column + lane), qy);
        const double x = Min(Max(SignedSquaredDistance(sample) * inverse_sigma,
                                 Exponent<double>::kLowest),
                             Exponent<double>::kHighest);
        double rate = -x * sigma_rate;
        if constexpr (moves_vertices) {
          const Closest<double> closest = ClosestPoint(view.triangle, sample);
          double dx = 0.0, dy = 0.0;  // of the closest point
          for (int k = 0; k < 3; ++k) {
            dx += closest.corners[k] * corners.x[k];
            dy += closest.corners[k] * corners.y[k];
          }
          rate += (sample.inside ? -2.0 : 2.0) * inverse_sigma *
                  (closest.rx * dx + closest.ry * dy);
        }
        rates[lane] += Coverage(ClampedExp(x)) * rate;
      }
    }
  }
}

// Adds the faces ids[0 .. count - 1], or 0 .. count - 1 where there is no list.
template <bool moves_vertices, typename T>
TF_SOFTRAS_INLINE void AddFaces(const MeshItem<T>& item,
                                const Tangents<T>& tangents, const int32_t* ids,
                                int64_t count, TileRates& sums) {
  FaceBatch<double> batch;
  for (int64_t first = 0; first < count; first += batch.kFaces) {
    const auto face = [ ids, first ](int lane) __attribute__((always_inline)) {
      return ids ? static_cast<int64_t>(ids[first + lane]) : first + lane;
    };
    const int lanes = static_cast<int>(MinInt(batch.kFaces, count - first));
    batch.SetUp(item, lanes, face, sums.rect);
    for (int lane = 0; lane < lanes; ++lane) {
      const PixelRect rect = batch.rect(lane);
      if (rect.empty()) continue;
      CornerTangents corners;
      if constexpr (moves_vertices) {
        for (int k = 0; k < 3; ++k) {
          const T* tangent =
              tangents.vertices +
              3 * static_cast<int64_t>(item.faces[3 * face(lane) + k]);
          corners.x[k] = tangent[0];
          corners.y[k] = tangent[1];
        }
      }
      ForEachBlock<double>(
          item, item.MakeFace(face(lane)), rect,
          [&](const LocalView<double>& view, const PixelRect& block)
              __attribute__((always_inline)) {
                AddBlock<moves_vertices>(view, corners, tangents, block, sums);
              });
    }
  }
}

// Sums the faces of a tile, in the order of the lists of all levels, or of the
// mesh if there are no bins. The body of the clones.
template <typename T>
TF_SOFTRAS_INLINE void SumTile(const MeshItem<T>& item,
                               const Tangents<T>& tangents,
                               const FaceBins* bins, int64_t num_faces,
                               int64_t tile_row, int64_t tile_column,
                               TileRates& sums) {
  const int levels = bins == nullptr ? 1 : bins->num_levels();
  for (int level = 0; level < levels; ++level) {
    const FaceList list = bins == nullptr
                              ? FaceList{nullptr, num_faces}
                              : bins->List(level, tile_row, tile_column);
    if (tangents.vertices == nullptr) {
      AddFaces<false>(item, tangents, list.faces, list.count, sums);
    } else {
      AddFaces<true>(item, tangents, list.faces, list.count, sums);
    }
  }
}

#define TF_SOFTRAS_SUM_TILE(T)                                             \
  TF_SOFTRAS_CLONES void SumTileClone(                                     \
      const MeshItem<T>& item, const Tangents<T>& tangents,                \
      const FaceBins* bins, int64_t num_faces, int64_t tile_row,           \
      int64_t tile_column, TileRates& sums) {                              \
    SumTile(item, tangents, bins, num_faces, tile_row, tile_column, sums); \
  }
TF_SOFTRAS_SUM_TILE(float)
TF_SOFTRAS_SUM_TILE(double)
#undef TF_SOFTRAS_SUM_TILE

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 200;
constexpr int64_t kPixelCost = 10;

// Calls write(unit, first pixel of the item, rates) for each tile of each item,
// a unit of work: `unit` counts them.
template <typename T, typename Write>
void ForEachTile(const SoftRasterizeInputs<T>& inputs, const T* tangent,
                 double sigma_rate, const Write& write,
                 const ParallelFor& parallel_for) {
  const int64_t pixels = inputs.height * inputs.width;
  const double radius =
      Radius(BackwardCutoff<T>(inputs.num_faces, pixels), inputs);
  const double inverse_sigma = InverseSigma(static_cast<double>(inputs.sigma));
  const Tiling tiling(inputs.batch, inputs.height, inputs.width);
  const int64_t slice = MaxInt(1, 1024 / tiling.count());
  for (int64_t first = 0; first < inputs.batch; first += slice) {
    const int64_t items = MinInt(slice, inputs.batch - first);
    const std::vector<FaceBins> bins =
        BinFaces(inputs, tiling, first, items, radius, parallel_for);
    const int64_t cost = inputs.num_faces * kFaceCost / tiling.count() +
                         tiling.side * tiling.side * kPixelCost;
    parallel_for(items * tiling.count(), cost, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t i = unit / tiling.count();
        const int64_t row = unit % tiling.count() / tiling.columns;
        const int64_t column = unit % tiling.columns;
        const int64_t item = first + i;
        const Tangents<T> tangents = {
            tangent == nullptr ? nullptr
                               : tangent + item * inputs.num_vertices * 3,
            inverse_sigma, sigma_rate * inverse_sigma};
        TileRates sums(tiling.rect(row, column));
        SumTileClone(MakeMeshItem(inputs, item, radius), tangents,
                     bins.empty() ? nullptr : &bins[i], inputs.num_faces, row,
                     column, sums);
        write(first * tiling.count() + unit, item * pixels, sums);
      }
    });
  }
}

// Calls visit(pixel, rate) for each pixel of a tile that is not opaque to the
// last digit that counts (coverage.h), in order.
template <typename T, typename Visit>
void ForEachRate(const SoftRasterizeInputs<T>& inputs, const T* transparency,
                 int64_t first, TileRates& sums, const Visit& visit) {
  const int64_t pixels = inputs.height * inputs.width;
  const T smallest =
      static_cast<T>(std::exp(-BackwardCutoff<T>(inputs.num_faces, pixels)));
  for (int64_t row = sums.rect.row_begin; row < sums.rect.row_end; ++row) {
    for (int64_t column = sums.rect.column_begin; column < sums.rect.column_end;
         ++column) {
      const int64_t pixel = first + row * inputs.width + column;
      const T t = transparency[pixel];
      visit(pixel, t > smallest
                       ? static_cast<double>(t) * *sums.pixel(row, column)
                       : 0.0);
    }
  }
}

}  // namespace

template <typename T>
void SoftRasterizeTangent(const SoftRasterizeInputs<T>& inputs,
                          const T* transparency, const T* vertices_tangent,
                          T sigma_tangent, T* silhouette_tangent,
                          const ParallelFor& parallel_for) {
  ForEachTile(
      inputs, vertices_tangent, static_cast<double>(sigma_tangent),
      [&](int64_t, int64_t first, TileRates& sums) {
        ForEachRate(inputs, transparency, first, sums,
                    [&](int64_t pixel, double rate) {
                      silhouette_tangent[pixel] = Saturate<T>(rate);
                    });
      },
      parallel_for);
}

template <typename T>
void SoftRasterizeSigmaBackward(const SoftRasterizeInputs<T>& inputs,
                                const T* transparency, const T* upstream,
                                T* sigma_gradient,
                                const ParallelFor& parallel_for) {
  const Tiling tiling(inputs.batch, inputs.height, inputs.width);
  std::vector<double> parts(inputs.batch * tiling.count(), 0.0);
  ForEachTile(
      inputs, static_cast<const T*>(nullptr), 1.0,
      [&](int64_t unit, int64_t first, TileRates& sums) {
        double part = 0.0;
        ForEachRate(inputs, transparency, first, sums,
                    [&](int64_t pixel, double rate) {
                      part += static_cast<double>(upstream[pixel]) * rate;
                    });
        parts[unit] = part;
      },
      parallel_for);
  double sum = 0.0;
  for (const double part : parts) sum += part;
  *sigma_gradient = Saturate<T>(sum);
}

template void SoftRasterizeTangent<float>(const SoftRasterizeInputs<float>&,
                                          const float*, const float*, float,
                                          float*, const ParallelFor&);
template void SoftRasterizeTangent<double>(const SoftRasterizeInputs<double>&,
                                           const double*, const double*, double,
                                           double*, const ParallelFor&);
template void SoftRasterizeSigmaBackward<float>(
    const SoftRasterizeInputs<float>&, const float*, const float*, float*,
    const ParallelFor&);
template void SoftRasterizeSigmaBackward<double>(
    const SoftRasterizeInputs<double>&, const double*, const double*, double*,
    const ParallelFor&);

}  // namespace tf_softras
