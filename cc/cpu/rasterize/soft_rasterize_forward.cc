// The soft silhouette on the CPU.
//
//   cut images into square tiles; list the faces that reach each (face_bins.h)
//   for each tile:                                      a unit of work
//     for 16 faces of its lists at a time:
//       set them up, one a lane (face_batch.h)
//       for each face, for each 8 pixels of two rows that it reaches:
//         x, by its distance                            wait in a queue
//     for what waits:
//       excess <- (1 + excess) (1 + e^x) - 1            coverage.h, no
//       logarithm
//     write S and 1 - S of each pixel
//
// Sums are kept in T for a stretch of 512 faces, then joined to double ones. A
// tile with many faces is several units, whose sums are joined in order. Large
// faces are visited in blocks with an origin each (local_view.h). Pictures
// smaller than 32 pixels are summed in double.
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>
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

namespace tf_softras {
namespace {

// Float sums are joined to double ones after this many terms, which bounds the
// rounding: n 2^-24 / 4 < 8e-6 S (1 - S) at worst, a hundredth of it in
// ordinary cases.
constexpr int64_t kFacesPerStretch = 512;

// The sums of a tile's pixels: in C for the current stretch of faces, in double
// for all stretches before it.
template <typename C>
struct TileSums {
  PixelRect rect;
  int64_t stride;
  std::vector<C> stretch;
  std::vector<double> total;
  int64_t faces_in_stretch = 0;

  explicit TileSums(const PixelRect& tile)
      : rect(tile),
        stride(tile.column_end - tile.column_begin + kLanes),
        // A row more: rows are visited in pairs.
        stretch(stride * (tile.row_end - tile.row_begin + 1), C(0)),
        total(stretch.size(), 0.0) {}

  TF_SOFTRAS_INLINE C* pixel(int64_t row, int64_t column) {
    return stretch.data() + (row - rect.row_begin) * stride +
           (column - rect.column_begin);
  }

  TF_SOFTRAS_INLINE void EndStretch() {
    C* part = stretch.data();
    double* whole = total.data();
    const int64_t count = static_cast<int64_t>(total.size());
    for (int64_t i = 0; i < count; ++i) {
      whole[i] = JoinExcess(whole[i], static_cast<double>(part[i]));
      part[i] = C(0);
    }
    faces_in_stretch = 0;
  }

  // Frees the stretch. Only the totals are needed later.
  void DropStretch() { std::vector<C>().swap(stretch); }

  // Adds the totals of the faces before these.
  void AddBefore(const TileSums& before) {
    for (size_t i = 0; i < total.size(); ++i) {
      total[i] = JoinExcess(before.total[i], total[i]);
    }
  }
};

// Pairs of pixels and faces on their way into a tile's sums, in groups of
// kLanes pixels of two rows. A step of the way is done for many groups before
// the next one: a processor looks a hundred instructions ahead, and finds
// little to do at once in the chain of one group.
template <typename C>
class PairQueue {
 public:
  PairQueue(const DistanceOdds<C>& odds, TileSums<C>& sums)
      : odds_(odds), sums_(sums) {}

  // Two rows at once, because few faces are wider than a vector. Where the rows
  // are odd, the last one is below the block: as beyond its right side, it gets
  // a true contribution that could have been left out, or is padding.
  TF_SOFTRAS_INLINE void AddBlock(const LocalView<C>& view_reference,
                                  const PixelRect& block) {
    const LocalView<C> view = view_reference;
    for (int64_t row = block.row_begin; row < block.row_end; row += 2) {
      const int32_t up = static_cast<int32_t>(view.middle_row - row);
      for (int64_t column = block.column_begin; column < block.column_end;
           column += kLanes) {
        AddGroup(view, static_cast<int32_t>(column - view.middle_column), up);
        pixels_[groups_] = sums_.pixel(row, column);
        if (++groups_ == kMostGroups) Flush();
      }
    }
  }

  // Adds what waits to the sums, in the order in which it came.
  TF_SOFTRAS_INLINE void Flush() {
    for (int64_t i = 0; i < groups_ * kGroup; ++i) {
      values_[i] = PowerOfTwo(values_[i]);
    }
    for (int64_t group = 0; group < groups_; ++group) {
      const C* odds = values_ + group * kGroup;
      Aggregate(odds, pixels_[group]);
      Aggregate(odds + kLanes, pixels_[group] + sums_.stride);
    }
    groups_ = 0;
  }

 private:
  static constexpr int64_t kGroup = 2 * kLanes;
  static constexpr int64_t kMostGroups = 64;

  TF_SOFTRAS_INLINE void AddGroup(const LocalView<C>& view, int32_t across,
                                  int32_t up) {
    static_assert(kLanes == 8, "a value for each lane of two rows");
    static constexpr int32_t kColumn[kGroup] = {0, 1, 2, 3, 4, 5, 6, 7,
                                                0, 1, 2, 3, 4, 5, 6, 7};
    static constexpr int32_t kRow[kGroup] = {0, 0, 0, 0, 0, 0, 0, 0,
                                             1, 1, 1, 1, 1, 1, 1, 1};
    C exponents[kGroup];
    for (int64_t lane = 0; lane < kGroup; ++lane) {
      const C qx = static_cast<C>(across + kColumn[lane]) * view.step;
      const C qy = static_cast<C>(up - kRow[lane]) * view.step;
      const TriangleSample<C> sample = Sample(view.triangle, qx, qy);
      exponents[lane] = odds_.Log2(sample.squared_distance, sample.inside);
    }
    std::memcpy(values_ + groups_ * kGroup, exponents, sizeof exponents);
  }

  static TF_SOFTRAS_INLINE void Aggregate(const C* odds, C* excess) {
    C sums[kLanes];
    std::memcpy(sums, excess, sizeof sums);
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] = tf_softras::Aggregate(sums[lane], odds[lane]);
    }
    std::memcpy(excess, sums, sizeof sums);
  }

  const DistanceOdds<C> odds_;
  TileSums<C>& sums_;
  int64_t groups_ = 0;
  C* pixels_[kMostGroups];
  alignas(64) C values_[kMostGroups * kGroup];
};

// Adds the faces ids[begin .. end - 1] to a tile; without a list, the faces
// begin .. end - 1.
template <typename C, typename T>
TF_SOFTRAS_INLINE void AddFaces(const MeshItem<T>& item,
                                const DistanceOdds<C>& odds, const int32_t* ids,
                                int64_t begin, int64_t end, TileSums<C>& sums) {
  FaceBatch<C> batch;
  PairQueue<C> queue(odds, sums);
  for (int64_t first = begin; first < end; first += batch.kFaces) {
    const auto face = [ ids, first ](int lane) __attribute__((always_inline)) {
      return ids ? static_cast<int64_t>(ids[first + lane]) : first + lane;
    };
    const int lanes = static_cast<int>(MinInt(batch.kFaces, end - first));
    // Set the next faces up, one a lane.
    batch.SetUp(item, lanes, face, sums.rect);
    // Draw them one after the other, in blocks where they are large.
    for (int lane = 0; lane < lanes; ++lane) {
      const PixelRect rect = batch.rect(lane);
      if (rect.empty()) continue;
      if (IsOneBlock(rect, item.plane)) {
        queue.AddBlock(MakeLocalView(batch, lane, item.plane, rect), rect);
      } else {
        ForEachBlock<C>(
            item, item.MakeFace(face(lane)), rect,
            [&](const LocalView<C>& view, const PixelRect& block)
                __attribute__((always_inline)) {
                  queue.AddBlock(view, block);
                });
      }
      if (++sums.faces_in_stretch == kFacesPerStretch) {
        queue.Flush();
        sums.EndStretch();
      }
    }
  }
  queue.Flush();
}

// A segment of a tile's faces: a unit of work.
struct Unit {
  int64_t item, row, column;
  int64_t begin, end;  // of the tile's faces
  bool whole;          // all of them: no other unit has faces of this tile
};

// Sums a unit's faces into its tile. They are counted through the lists of all
// levels, or through the mesh where there are no bins. The clones call this.
template <typename C, typename T>
TF_SOFTRAS_INLINE void SumUnit(const MeshItem<T>& item,
                               const DistanceOdds<C>& odds,
                               const FaceBins* bins, const Unit& unit,
                               TileSums<C>& sums) {
  if (bins == nullptr) {
    AddFaces(item, odds, nullptr, unit.begin, unit.end, sums);
  } else {
    int64_t before = 0;
    for (int level = 0; level < bins->num_levels(); ++level) {
      const FaceList list = bins->List(level, unit.row, unit.column);
      AddFaces(item, odds, list.faces, MaxInt(0, unit.begin - before),
               MinInt(list.count, unit.end - before), sums);
      before += list.count;
    }
  }
  sums.EndStretch();
}

#define TF_SOFTRAS_SUM_UNIT(C, T)                                  \
  TF_SOFTRAS_CLONES void SumUnitClone(                             \
      const MeshItem<T>& item, const DistanceOdds<C>& odds,        \
      const FaceBins* bins, const Unit& unit, TileSums<C>& sums) { \
    SumUnit(item, odds, bins, unit, sums);                         \
  }
TF_SOFTRAS_SUM_UNIT(float, float)
TF_SOFTRAS_SUM_UNIT(double, float)
TF_SOFTRAS_SUM_UNIT(double, double)
#undef TF_SOFTRAS_SUM_UNIT

// Writes the silhouette and transparency of a tile's pixels. They come as
// pointers, because vectors need to know that nothing else writes the sums.
template <typename T>
TF_SOFTRAS_INLINE void WriteTile(const PixelRect& rect, const double* total,
                                 int64_t stride, int64_t width,
                                 T* __restrict silhouette,
                                 T* __restrict transparency) {
  const int64_t columns = rect.column_end - rect.column_begin;
  for (int64_t row = rect.row_begin; row < rect.row_end; ++row) {
    const double* __restrict excess = total + (row - rect.row_begin) * stride;
    const int64_t first = row * width + rect.column_begin;
    for (int64_t i = 0; i < columns; ++i) {
      silhouette[first + i] = static_cast<T>(SilhouetteFromExcess(excess[i]));
      transparency[first + i] =
          static_cast<T>(TransparencyFromExcess(excess[i]));
    }
  }
}

#define TF_SOFTRAS_WRITE_TILE(T)                                     \
  TF_SOFTRAS_CLONES void WriteTileClone(                             \
      const PixelRect& rect, const double* total, int64_t stride,    \
      int64_t width, T* silhouette, T* transparency) {               \
    WriteTile(rect, total, stride, width, silhouette, transparency); \
  }
TF_SOFTRAS_WRITE_TILE(float)
TF_SOFTRAS_WRITE_TILE(double)
#undef TF_SOFTRAS_WRITE_TILE

// A tile's list is summed in segments of this many faces, so that a tile with
// the whole mesh is work for several threads. Segments depend on the lists
// alone.
constexpr int64_t kFacesPerSegment = 8192;

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 100;
constexpr int64_t kPixelCost = 5;

std::vector<Unit> MakeUnits(const Tiling& tiling, int64_t items,
                            const std::vector<FaceBins>& bins,
                            int64_t num_faces) {
  std::vector<Unit> units;
  for (int64_t i = 0; i < items; ++i) {
    for (int64_t row = 0; row < tiling.rows; ++row) {
      for (int64_t column = 0; column < tiling.columns; ++column) {
        int64_t count = bins.empty() ? num_faces : 0;
        for (int level = 0; !bins.empty() && level < bins[i].num_levels();
             ++level) {
          count += bins[i].List(level, row, column).count;
        }
        const int64_t segments =
            MaxInt(1, (count + kFacesPerSegment - 1) / kFacesPerSegment);
        for (int64_t k = 0; k < segments; ++k) {
          units.push_back({i, row, column, count * k / segments,
                           count * (k + 1) / segments, segments == 1});
        }
      }
    }
  }
  return units;
}

template <typename C, typename T>
void ForwardIn(const SoftRasterizeInputs<T>& inputs, T* silhouette,
               T* transparency, const ParallelFor& parallel_for) {
  const double radius = Radius(ForwardCutoff<T>(inputs.num_faces), inputs);
  const DistanceOdds<C> odds(static_cast<C>(inputs.sigma));
  const Tiling tiling(inputs.batch, inputs.height, inputs.width);
  const int64_t pixels = inputs.height * inputs.width;

  // Items are drawn in slices, so that the bins' memory does not grow with the
  // batch.
  const int64_t slice = MaxInt(1, 1024 / tiling.count());
  for (int64_t first = 0; first < inputs.batch; first += slice) {
    const int64_t items = MinInt(slice, inputs.batch - first);
    // Find the faces that reach each tile, and divide the tiles into units.
    const std::vector<FaceBins> bins =
        BinFaces(inputs, tiling, first, items, radius, parallel_for);
    const std::vector<Unit> units =
        MakeUnits(tiling, items, bins, inputs.num_faces);
    const auto write = [&](const Unit& unit, const TileSums<C>& sums) {
      WriteTileClone(sums.rect, sums.total.data(), sums.stride, inputs.width,
                     silhouette + (first + unit.item) * pixels,
                     transparency + (first + unit.item) * pixels);
    };
    // Sum each unit. Tiles of several units are kept until all are done.
    std::vector<std::unique_ptr<TileSums<C>>> parts(units.size());
    const int64_t cost = inputs.num_faces * kFaceCost / tiling.count() +
                         tiling.side * tiling.side * kPixelCost;
    parallel_for(static_cast<int64_t>(units.size()), cost,
                 [&](int64_t begin, int64_t end) {
                   for (int64_t u = begin; u < end; ++u) {
                     const Unit& unit = units[u];
                     auto sums = std::make_unique<TileSums<C>>(
                         tiling.rect(unit.row, unit.column));
                     SumUnitClone(
                         MakeMeshItem(inputs, first + unit.item, radius), odds,
                         bins.empty() ? nullptr : &bins[unit.item], unit,
                         *sums);
                     if (unit.whole) {
                       write(unit, *sums);
                     } else {
                       sums->DropStretch();
                       parts[u] = std::move(sums);
                     }
                   }
                 });
    // Join the units of those tiles, in their order.
    for (size_t u = 0; u < units.size(); ++u) {
      if (units[u].whole) continue;
      if (units[u].begin > 0) parts[u]->AddBefore(*parts[u - 1]);
      const bool last = u + 1 == units.size() || units[u + 1].begin == 0;
      if (last) write(units[u], *parts[u]);
      if (units[u].begin > 0) parts[u - 1].reset();
    }
  }
}

}  // namespace

template <typename T>
void SoftRasterizeForward(const SoftRasterizeInputs<T>& inputs, T* silhouette,
                          T* transparency, const ParallelFor& parallel_for) {
  if (HasFewPixels(ImagePlane{inputs.height, inputs.width})) {
    ForwardIn<double>(inputs, silhouette, transparency, parallel_for);
  } else {
    ForwardIn<T>(inputs, silhouette, transparency, parallel_for);
  }
}

template void SoftRasterizeForward<float>(const SoftRasterizeInputs<float>&,
                                          float*, float*, const ParallelFor&);
template void SoftRasterizeForward<double>(const SoftRasterizeInputs<double>&,
                                           double*, double*,
                                           const ParallelFor&);

}  // namespace tf_softras
