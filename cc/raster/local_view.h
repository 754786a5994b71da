// A face as the pixels at hand see it: its edges about a local origin, and
// which pixels those are.
#ifndef TF_SOFTRAS_CC_RASTER_LOCAL_VIEW_H_
#define TF_SOFTRAS_CC_RASTER_LOCAL_VIEW_H_

#include <cstdint>
#include <limits>

#include "cc/geometry/image_plane.h"
#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/mesh_item.h"

namespace tf_softras {

// The CPU visits this many pixels of a row at once. Rows of scratch are padded
// by as many, so the last group of a row needs no mask. Its sums beyond the
// face's rectangle are either true contributions that could have been left out,
// or fall into the padding.
constexpr int64_t kLanes = 8;

// A face's edges about the middle of a rectangle of pixels, and the offsets of
// pixels from there.
template <typename T>
struct LocalView {
  LocalTriangle<T> triangle;
  int64_t middle_row;
  int64_t middle_column;
  T step;

  TF_SOFTRAS_INLINE T qx(int64_t column) const {
    return static_cast<T>(static_cast<int32_t>(column - middle_column)) * step;
  }
  TF_SOFTRAS_INLINE T qy(int64_t row) const {
    return static_cast<T>(static_cast<int32_t>(middle_row - row)) * step;
  }
};

// The origin of a rectangle's view. FaceBatch takes the same pixel.
TF_SOFTRAS_INLINE int64_t MiddleRow(const PixelRect& rect) {
  return (rect.row_begin + rect.row_end) / 2;
}
TF_SOFTRAS_INLINE int64_t MiddleColumn(const PixelRect& rect) {
  return (rect.column_begin + rect.column_end) / 2;
}

template <typename T>
TF_SOFTRAS_INLINE LocalView<T> MakeLocalView(const Triangle& triangle,
                                             const ImagePlane& plane,
                                             const PixelRect& rect) {
  LocalView<T> view;
  view.middle_row = MiddleRow(rect);
  view.middle_column = MiddleColumn(rect);
  view.step = static_cast<T>(plane.step());
  view.triangle =
      Localize<T>(triangle, {plane.x(static_cast<double>(view.middle_column)),
                             plane.y(static_cast<double>(view.middle_row))});
  return view;
}

// Large faces are visited in blocks with an origin each, because rounding
// errors grow with the distance from it. Blocks that the face does not reach
// are skipped. A block's side is half the unit square, rounded down to whole
// groups of lanes.
TF_SOFTRAS_INLINE int64_t BlockSide(const ImagePlane& plane) {
  return MaxInt(1, plane.shorter_side() / 4 / kLanes) * kLanes;
}

// A bound of the rounding error of a distance in T from an edge, in one block:
// a few units of the last digit of the largest |q|, half the block's diagonal.
template <typename T>
TF_SOFTRAS_INLINE T Rounding(const ImagePlane& plane) {
  const double side = plane.step() * static_cast<double>(BlockSide(plane));
  constexpr double kDigit = 0.5 * std::numeric_limits<T>::epsilon();
  return static_cast<T>(8 * kDigit * side);
}

// Whether a picture has so few pixels that it is computed in double, also for
// float: a block of lanes is large beside the unit square, a lone pixel may
// carry the whole gradient, and there is little to compute.
TF_SOFTRAS_INLINE bool HasFewPixels(const ImagePlane& plane) {
  return plane.shorter_side() < 4 * kLanes;
}

TF_SOFTRAS_INLINE bool IsOneBlock(const PixelRect& rect,
                                  const ImagePlane& plane) {
  const int64_t side = BlockSide(plane);
  return rect.row_end - rect.row_begin <= side &&
         rect.column_end - rect.column_begin <= side;
}

// Whether no pixel of the block is within `radius` of the face: the block's
// middle is farther away than that plus half the block's diagonal. (The middle
// is the origin, q = 0, where a sample costs nothing.)
template <typename T>
TF_SOFTRAS_INLINE bool OutOfReach(const LocalView<T>& view,
                                  const PixelRect& block, double radius) {
  const TriangleSample<T> middle = Sample(view.triangle, T(0), T(0));
  const double reach =
      radius + static_cast<double>(view.step) *
                   static_cast<double>(block.row_end - block.row_begin +
                                       block.column_end - block.column_begin);
  return !middle.inside && middle.squared_distance > reach * reach;
}

// Calls visit(view, block) for the blocks of `rect` that the face reaches. All
// but the last of a row are whole groups of lanes wide, so that no group sees a
// pixel of the next block.
template <typename C, typename T, typename Visit>
TF_SOFTRAS_INLINE void ForEachBlock(const MeshItem<T>& item,
                                    const Triangle& triangle,
                                    const PixelRect& rect, const Visit& visit) {
  const int64_t side = BlockSide(item.plane);
  for (int64_t row = rect.row_begin; row < rect.row_end; row += side) {
    for (int64_t column = rect.column_begin; column < rect.column_end;
         column += side) {
      const PixelRect block = {row, MinInt(row + side, rect.row_end), column,
                               MinInt(column + side, rect.column_end)};
      const LocalView<C> view = MakeLocalView<C>(triangle, item.plane, block);
      if (!OutOfReach(view, block, item.radius)) visit(view, block);
    }
  }
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_RASTER_LOCAL_VIEW_H_
