// Visits the faces that reach a tile, set up in double, and blends them into
// the tile's pixels. All passes of the soft shader share this.
//
//   sort the tile's faces by depth, roughly: nearest first
//   for 16 faces at a time, without those that others hide:
//     set them up, one a lane (face_batch.h)
//     for each face, for each 8 pixels of a row that it reaches:
//       pack the pixels where it counts (min_coverage) and is not hidden
//     hand the packed pixels to the visitor, 8 at a time, so that no lane idles
//
// A face is hidden where a pixel's nearest level so far is so far above the
// face's that exp(difference / gamma) is below rounding beside the pixel's sum
// of weights (HiddenBehind). Most of a closed mesh's back is.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_SHADE_TILE_H_
#define TF_SOFTRAS_CC_CPU_SHADE_SHADE_TILE_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "cc/cpu/face_batch.h"
#include "cc/cpu/face_bins.h"
#include "cc/cpu/lanes.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/interpolation.h"
#include "cc/raster/local_view.h"
#include "cc/raster/shaded_item.h"

namespace tf_softras {

// A tile and the faces that may reach it.
struct ShadedTile {
  PixelRect rect;
  int64_t row, column;
  const FaceBins* bins;  // null: all faces

  // Planes of scratch have padded rows, and a last place for lanes without a
  // pixel.
  TF_SOFTRAS_INLINE int64_t stride() const {
    return rect.column_end - rect.column_begin + kLanes;
  }
  TF_SOFTRAS_INLINE int64_t no_pixel() const {
    return stride() * (rect.row_end - rect.row_begin);
  }
  TF_SOFTRAS_INLINE int64_t size() const { return no_pixel() + 1; }
  TF_SOFTRAS_INLINE int64_t offset(int64_t row, int64_t column) const {
    return (row - rect.row_begin) * stride() + (column - rect.column_begin);
  }
};

inline ShadedTile MakeShadedTile(const Tiling& tiling, int64_t index,
                                 const FaceBins* bins) {
  const int64_t row = index / tiling.columns, column = index % tiling.columns;
  return {tiling.rect(row, column), row, column, bins};
}

// A face while it is drawn over a tile.
struct ShadedFace {
  int64_t index;
  double hidden_below;  // levels from which on a pixel hides it
  // For a visitor that blends:
  FaceDepths<double> depths;
  EdgeShares<double> shares;
};

// A face is left out if its level lies below a pixel's nearest one by this
// much: the weights of all faces together are then below 2^-53 of the pixel's
// sum of weights, which is at least min_coverage. Infinity where channels are
// summed, because sums count hidden faces too.
template <typename T>
double HiddenBehind(const ShadedItem<T>& item) {
  if (item.blended < item.channels) return HUGE_VAL;
  const double faces = static_cast<double>(MaxInt(item.num_faces, 1));
  // log(1 / min_coverage) is the cut-off but for less than 1.
  return (std::log(faces) + item.blend.cutoff + 38.0) /
         item.blend.inverse_gamma;
}

template <typename T>
TF_SOFTRAS_INLINE double NearestDepth(const MeshItem<T>& mesh, int64_t face) {
  return static_cast<double>(
      Min(Min(mesh.vertex(face, 0)[2], mesh.vertex(face, 1)[2]),
          mesh.vertex(face, 2)[2]));
}

// Depths and shares of edges, which a face's values and gradients need, for the
// faces of a FaceBatch, one a lane: nine divisions a face.
struct ShadedBatch {
  static constexpr int kFaces = FaceBatch<double>::kFaces;

  double nearest[kFaces], perspective[kFaces];
  double ratio[3][kFaces], inverse[3][kFaces], beyond[3][kFaces];
  double share[3][kFaces];

  template <typename T>
  TF_SOFTRAS_INLINE void SetUp(const MeshItem<T>& mesh,
                               const int32_t (&ids)[kFaces], int count,
                               const FaceBatch<double>& batch) {
    double z[3][kFaces];
    for (int lane = 0; lane < kFaces; ++lane) {
      const int32_t face = ids[lane < count ? lane : count - 1];
      for (int k = 0; k < 3; ++k) z[k][lane] = mesh.vertex(face, k)[2];
    }
    // The flag stands outside the loop, or it would stay scalar.
    if (mesh.is_linear) {
      SetDepths<true>(z);
    } else {
      SetDepths<false>(z);
    }
    for (int lane = 0; lane < kFaces; ++lane) {
      const EdgeShares<double> shares = MakeEdgeShares(batch.triangle(lane));
      for (int k = 0; k < 3; ++k) share[k][lane] = shares.share[k];
    }
  }

  template <bool is_linear>
  TF_SOFTRAS_INLINE void SetDepths(const double (&z)[3][kFaces]) {
    for (int lane = 0; lane < kFaces; ++lane) {
      const FaceDepths<double> depths =
          MakeFaceDepths<double>(z[0][lane], z[1][lane], z[2][lane], is_linear);
      nearest[lane] = depths.nearest;
      perspective[lane] = depths.perspective;
      for (int k = 0; k < 3; ++k) {
        ratio[k][lane] = depths.ratio[k];
        inverse[k][lane] = depths.inverse[k];
        beyond[k][lane] = depths.beyond[k];
      }
    }
  }

  TF_SOFTRAS_INLINE FaceDepths<double> depths(int lane) const {
    return {nearest[lane],
            {ratio[0][lane], ratio[1][lane], ratio[2][lane]},
            {inverse[0][lane], inverse[1][lane], inverse[2][lane]},
            {beyond[0][lane], beyond[1][lane], beyond[2][lane]},
            perspective[lane]};
  }
  TF_SOFTRAS_INLINE EdgeShares<double> shares(int lane) const {
    return {{share[0][lane], share[1][lane], share[2][lane]}};
  }
};

constexpr LaneVector kLaneNumbers = {0, 1, 2, 3, 4, 5, 6, 7};
constexpr LaneBits kLaneShifts = {0, 1, 2, 3, 4, 5, 6, 7};

// The pixels of a face, or some of them, where it may count: 64 times the row
// in the tile, plus the column.
struct PackedPixels {
  static constexpr int kRow = 64;  // tiles are at most so wide

  // Places without a pixel follow, to a whole number of lanes.
  const uint16_t* places;
  int64_t count;
};
typedef uint16_t Places __attribute__((vector_size(2 * kLanes)));

// kLanes of them: where they lie in the planes of the tile, and their offsets
// in the face's view.
struct PixelGroup {
  int32_t at[kLanes];
  double qx[kLanes], qy[kLanes];

  TF_SOFTRAS_INLINE PixelGroup() {}
  TF_SOFTRAS_INLINE PixelGroup(const PackedPixels& pixels, int64_t first,
                               const ShadedTile& tile,
                               const LocalView<double>& view) {
    Places packed;
    std::memcpy(&packed, pixels.places + first, sizeof packed);
    const int32_t row =
        static_cast<int32_t>(view.middle_row - tile.rect.row_begin);
    const int32_t column =
        static_cast<int32_t>(view.middle_column - tile.rect.column_begin);
    Set(__builtin_convertvector(packed, LaneInts),
        static_cast<int32_t>(tile.stride()), row - LaneInts{},
        column - LaneInts{}, view.step);
  }

  // The view's middle is counted from the tile's first pixel.
  TF_SOFTRAS_INLINE void Set(const LaneInts& places, int32_t stride,
                             const LaneInts& middle_row,
                             const LaneInts& middle_column, double step) {
    const LaneInts row = places / PackedPixels::kRow;
    const LaneInts column = places % PackedPixels::kRow;
    const LaneInts offsets = row * stride + column;
    const LaneVector x =
        __builtin_convertvector(column - middle_column, LaneVector) * step;
    const LaneVector y =
        __builtin_convertvector(middle_row - row, LaneVector) * step;
    std::memcpy(at, &offsets, sizeof at);
    std::memcpy(qx, &x, sizeof qx);
    std::memcpy(qy, &y, sizeof qy);
    Settle(at);
    Settle(qx);
    Settle(qy);
  }
};

// Three half planes. Together they hold a face and what lies within a distance
// of it, and little more: the corners are not rounded off.
struct HalfPlanes {
  double nx[3], ny[3], c[3];  // nx x + ny y + c >= 0

  TF_SOFTRAS_INLINE HalfPlanes(const LocalTriangle<double>& triangle,
                               double distance) {
    // More than rounding, so that no pixel that counts is lost.
    const double reach = distance + 1e-12;
    for (int k = 0; k < 3; ++k) {
      nx[k] = triangle.edges[k].nx;
      ny[k] = triangle.edges[k].ny;
      c[k] = triangle.edges[k].c + reach;
    }
    // A face without area has one edge; the normals of the others are 0. It is
    // seen from both sides.
    if (triangle.inside_above > 0.0) {
      nx[0] = nx[0] + nx[1] + nx[2];
      ny[0] = ny[0] + ny[1] + ny[2];
      c[0] = Min(Min(c[0], c[1]), c[2]);
      nx[1] = nx[2] = -nx[0];
      ny[1] = ny[2] = -ny[0];
      c[1] = c[2] = 2.0 * reach - c[0];
    }
  }
};

// Finds the pixels of a block where a face may count and is not hidden.
struct PixelFinder {
  static constexpr int64_t kMost = 2 * kLanes * kLanes;

  const ShadedTile& tile;
  const LocalView<double>& view;
  const PixelRect& block;
  const double* levels;
  HalfPlanes planes;
  double hidden_below;
  int64_t row, column;  // the next cell
  uint16_t places[kMost];

  TF_SOFTRAS_INLINE PixelFinder(const ShadedTile& tile, const ShadedFace& face,
                                const LocalView<double>& view, double radius,
                                const PixelRect& block, const double* levels)
      : tile(tile),
        view(view),
        block(block),
        levels(levels),
        planes(view.triangle, radius),
        hidden_below(face.hidden_below),
        row(block.row_begin),
        column(block.column_begin) {}

  // Goes through cells of 8 x 8 pixels until there are more than kMost / 2
  // pixels. Returns whether the block ends.
  TF_SOFTRAS_INLINE bool Next(PackedPixels* pixels) {
    int64_t count = 0;
    while (row < block.row_end && count <= kMost - kLanes * kLanes) {
      count = AddCell(count);
      column += kLanes;
      const bool ends = column >= block.column_end;
      column = ends ? block.column_begin : column;
      row += ends ? kLanes : 0;
    }
    const uint16_t no_pixel = static_cast<uint16_t>(
        (tile.rect.row_end - tile.rect.row_begin) * PackedPixels::kRow);
    *pixels = {places, count};
    for (; count % kLanes != 0; ++count) places[count] = no_pixel;
    return row >= block.row_end;
  }

 private:
  TF_SOFTRAS_INLINE int64_t AddCell(int64_t count) {
    const int64_t at = tile.offset(row, column), stride = tile.stride();
    const int64_t rows = MinInt(kLanes, block.row_end - row);
    const int64_t columns = block.column_end - column;
    const LaneVector qx = kLaneNumbers * view.step + view.qx(column);
    LaneVector along_row[3];
    for (int k = 0; k < 3; ++k) {
      along_row[k] = planes.nx[k] * qx + planes.c[k];
    }
    // A bit a pixel.
    LaneBits marks = {};
    for (int64_t r = 0; r < rows; ++r) {
      LaneVector level;
      std::memcpy(&level, levels + at + r * stride, sizeof level);
      const LaneVector qy = view.qy(row + r) - LaneVector{};
      // Not negative where the face may count and is not hidden.
      LaneVector score = hidden_below - level;
      for (int k = 0; k < 3; ++k) {
        const LaneVector inside = planes.ny[k] * qy + along_row[k];
        score = inside < score ? inside : score;
      }
      LaneBits negative;
      std::memcpy(&negative, &score, sizeof negative);
      marks |= (~negative >> 63) << (kLanes * r);
    }
    marks <<= kLaneShifts;
    uint64_t bits = 0;
    for (int64_t lane = 0; lane < kLanes; ++lane) bits |= marks[lane];
    if (columns < kLanes) {
      bits &= ((uint64_t{1} << columns) - 1) * 0x0101010101010101u;
    }
    const int64_t place = (row - tile.rect.row_begin) * PackedPixels::kRow +
                          (column - tile.rect.column_begin);
    for (; bits != 0; bits &= bits - 1) {
      const int bit = __builtin_ctzll(bits);
      places[count++] = static_cast<uint16_t>(
          place + bit / kLanes * PackedPixels::kRow + bit % kLanes);
    }
    return count;
  }
};

// Hands the pixels of a block where the face may count and is not hidden to
// visitor.Pairs(face, view, pixels). Where it does not count after all, its
// coverage is 0.
template <typename Visitor>
TF_SOFTRAS_INLINE void VisitBlock(const ShadedTile& tile,
                                  const ShadedFace& face,
                                  const LocalView<double>& view, double radius,
                                  const PixelRect& block, Visitor& visitor) {
  PixelFinder finder(tile, face, view, radius, block, visitor.levels());
  for (bool ends = false; !ends;) {
    PackedPixels pixels;
    ends = finder.Next(&pixels);
    if (pixels.count > 0) visitor.Pairs(face, view, pixels);
  }
}

// A face that may reach a tile, and the depth of its nearest corner.
struct ListedFace {
  double depth;
  int32_t face;
};

// The faces that may reach a tile, without those behind the near plane.
template <typename T>
std::vector<ListedFace> ListFaces(const ShadedItem<T>& item,
                                  const ShadedTile& tile) {
  std::vector<ListedFace> listed;
  const auto add = [&](int64_t face) {
    if (!item.mesh.InFront(face)) return;
    listed.push_back(
        {NearestDepth(item.mesh, face), static_cast<int32_t>(face)});
  };
  if (tile.bins == nullptr) {
    listed.reserve(item.num_faces);
    for (int64_t face = 0; face < item.num_faces; ++face) add(face);
  } else {
    for (int level = 0; level < tile.bins->num_levels(); ++level) {
      const FaceList list = tile.bins->List(level, tile.row, tile.column);
      listed.reserve(listed.size() + list.count);
      for (int64_t i = 0; i < list.count; ++i) add(list.faces[i]);
    }
  }
  return listed;
}

// Sorts them, nearest first but for the order within a class of depths.
inline std::vector<ListedFace> SortByDepth(std::vector<ListedFace> listed) {
  double least = HUGE_VAL, most = -HUGE_VAL;
  for (const ListedFace& each : listed) {
    least = Min(least, each.depth);
    most = Max(most, each.depth);
  }
  constexpr int kClasses = 256;
  const double scale = kClasses / (most - least);
  // All depths alike, or too far apart for double: any order is right.
  if (!(scale > 0.0 && scale < HUGE_VAL)) return listed;
  const auto class_of = [least, scale](const ListedFace& each) {
    return static_cast<int>(Min((each.depth - least) * scale, kClasses - 1.0));
  };
  int32_t next[kClasses + 1] = {};
  for (const ListedFace& each : listed) ++next[class_of(each) + 1];
  for (int i = 0; i < kClasses; ++i) next[i + 1] += next[i];
  std::vector<ListedFace> sorted(listed.size());
  for (const ListedFace& each : listed) sorted[next[class_of(each)]++] = each;
  return sorted;
}

// The least of the pixels' nearest levels in each cell of 8 x 8 pixels of a
// tile: a face below all of its cells is hidden.
struct LeastLevels {
  static constexpr int64_t kSide = kLanes;
  static constexpr int64_t kMostCells = 64;  // tiles are at most 64 pixels wide

  int64_t columns = 0;
  double highest = -HUGE_VAL;
  double least[kMostCells];

  TF_SOFTRAS_INLINE void Update(const ShadedTile& tile, const double* levels) {
    const int64_t height = tile.rect.row_end - tile.rect.row_begin;
    const int64_t width = tile.rect.column_end - tile.rect.column_begin;
    const int64_t rows = (height + kSide - 1) / kSide;
    columns = (width + kSide - 1) / kSide;
    highest = -HUGE_VAL;
    for (int64_t cell = 0; cell < rows * columns; ++cell) {
      const int64_t row = cell / columns * kSide;
      const int64_t column = cell % columns * kSide;
      const int64_t left = width - column;
      double lanes[kSide];
      for (double& lane : lanes) lane = HUGE_VAL;
      for (int64_t r = row; r < MinInt(row + kSide, height); ++r) {
        const double* __restrict level = levels + r * tile.stride() + column;
        if (left < kSide) {
          for (int64_t lane = 0; lane < left; ++lane) {
            lanes[lane] = Min(level[lane], lanes[lane]);
          }
        } else {
          TakeLeast(level, lanes);
        }
      }
      double lowest = HUGE_VAL;
      for (const double lane : lanes) lowest = Min(lowest, lane);
      least[cell] = lowest;
      highest = Max(highest, lowest);
    }
  }

  // Returns true only if every pixel of `rect` has a level above
  // `hidden_below`.
  TF_SOFTRAS_INLINE bool Hide(const ShadedTile& tile, const PixelRect& rect,
                              double hidden_below) const {
    const PixelRect own = Intersect(rect, tile.rect);
    if (own.empty()) return true;
    const int64_t row = own.row_begin - tile.rect.row_begin;
    const int64_t last_row = own.row_end - 1 - tile.rect.row_begin;
    const int64_t column = own.column_begin - tile.rect.column_begin;
    const int64_t last_column = own.column_end - 1 - tile.rect.column_begin;
    for (int64_t r = row / kSide; r <= last_row / kSide; ++r) {
      for (int64_t c = column / kSide; c <= last_column / kSide; ++c) {
        if (least[r * columns + c] <= hidden_below) return false;
      }
    }
    return true;
  }
};

// Visits a tile's faces. visitor.levels() are the pixels' nearest levels so
// far, of ShadedTile::size(). A visitor that blends changes them: it takes the
// faces in the order of their depths, so that most of those behind are hidden
// early.
template <typename T, typename Visitor>
TF_SOFTRAS_INLINE void VisitTile(const ShadedItem<T>& item,
                                 const ShadedTile& tile, Visitor& visitor) {
  // The map of hidden cells is made again after this many faces.
  constexpr int64_t kFacesPerUpdate = 128;
  const double hidden_behind = HiddenBehind(item);
  std::vector<ListedFace> faces = ListFaces(item, tile);
  if (Visitor::kBlends) faces = SortByDepth(std::move(faces));
  const int64_t count = static_cast<int64_t>(faces.size());
  FaceBatch<double> batch;
  ShadedBatch depths;
  LeastLevels least;
  for (int64_t next = 0, updated = -1; next < count;) {
    // The next faces that are not hidden.
    const int64_t update = Visitor::kBlends ? next / kFacesPerUpdate : 0;
    if (hidden_behind < HUGE_VAL && update != updated) {
      updated = update;
      least.Update(tile, visitor.levels());
    }
    int32_t ids[FaceBatch<double>::kFaces];
    double hidden_below[FaceBatch<double>::kFaces];
    int lanes = 0;
    for (; next < count && lanes < batch.kFaces; ++next) {
      const int32_t face = faces[next].face;
      const double below = item.blend.Level(faces[next].depth) + hidden_behind;
      const bool is_hidden = least.highest > below &&
                             least.Hide(tile, item.mesh.Reach(face), below);
      if (is_hidden) continue;
      ids[lanes] = face;
      hidden_below[lanes++] = below;
    }
    if (lanes == 0) break;
    // Set them up, one a lane, and visit one after the other.
    const int32_t* id = ids;
    batch.SetUp(
        item.mesh, lanes,
        [id](int lane) __attribute__((always_inline)) {
          return static_cast<int64_t>(id[lane]);
        },
        tile.rect);
    if (Visitor::kBlends) depths.SetUp(item.mesh, ids, lanes, batch);
    for (int lane = 0; lane < lanes; ++lane) {
      const PixelRect rect = batch.rect(lane);
      if (rect.empty()) continue;
      const LocalView<double> view =
          MakeLocalView(batch, lane, item.mesh.plane, rect);
      ShadedFace shaded = {ids[lane], hidden_below[lane], {}, {}};
      if (Visitor::kBlends) {
        shaded.depths = depths.depths(lane);
        shaded.shares = depths.shares(lane);
      }
      visitor.BeginFace(shaded);
      // Large faces in blocks with an origin each, as in ForEachBlock.
      const bool is_one = IsOneBlock(rect, item.mesh.plane);
      const int64_t side = is_one ? MaxInt(rect.row_end - rect.row_begin,
                                           rect.column_end - rect.column_begin)
                                  : BlockSide(item.mesh.plane);
      for (int64_t row = rect.row_begin, column = rect.column_begin;
           row < rect.row_end;) {
        const PixelRect block = {row, MinInt(row + side, rect.row_end), column,
                                 MinInt(column + side, rect.column_end)};
        const LocalView<double> seen =
            is_one ? view
                   : MakeLocalView<double>(item.mesh.MakeFace(ids[lane]),
                                           item.mesh.plane, block);
        if (is_one || !OutOfReach(seen, block, item.mesh.radius)) {
          VisitBlock(tile, shaded, seen, item.mesh.radius, block, visitor);
        }
        column += side;
        if (column >= rect.column_end) {
          column = rect.column_begin;
          row += side;
        }
      }
    }
  }
}

// One face's part in kLanes pixels' sums: sums so far times `keep`, plus corner
// k's attributes times parts[k]. Channels that are summed, not blended, get
// summed_parts instead.
struct GroupTerms {
  double keep[kLanes];
  double weight[kLanes];
  double parts[3][kLanes];
  double summed_parts[3][kLanes];
};

// Blends kLanes packed pixels; `level` is their nearest so far. The arguments
// are copied first, here and wherever pairs are computed in lanes: a load
// through a reference that only some lanes need would keep the loop from
// becoming vector code.
template <bool has_sums>
TF_SOFTRAS_INLINE void BlendGroup(const DepthBlend<double>& blend_reference,
                                  const ShadedFace& face,
                                  const LocalView<double>& view,
                                  const PixelGroup& group,
                                  double (&level)[kLanes], GroupTerms& terms) {
  const DepthBlend<double> blend = blend_reference;
  const LocalTriangle<double> triangle = view.triangle;
  const EdgeShares<double> shares = face.shares;
  const FaceDepths<double> depths = face.depths;
  const PixelGroup q = group;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    const ShadedPair<double> pair =
        Shade(blend, triangle, shares, depths, q.qx[lane], q.qy[lane]);
    const BlendStep<double> step = Step(blend, level[lane], pair);
    level[lane] = step.level;
    terms.keep[lane] = step.keep;
    terms.weight[lane] = step.weight;
    for (int k = 0; k < 3; ++k) {
      terms.parts[k][lane] = step.weight * pair.at.weights[k];
      if (has_sums) {
        terms.summed_parts[k][lane] = pair.coverage * pair.at.weights[k];
      }
    }
  }
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SHADE_SHADE_TILE_H_
