// The cells in which faces are listed: a loose pyramid over the tiles of an
// image, the same on host and device.
//
// Level 0 has the tiles; a cell of level k spans 2^k of them on each side. A
// face is listed at the first level whose cells are no smaller than its pixels'
// rectangle, so in at most four cells: memory is O(faces) for every sigma. A
// tile visits its own list and those of the cells above it.
#ifndef TF_SOFTRAS_CC_RASTER_TILE_PYRAMID_H_
#define TF_SOFTRAS_CC_RASTER_TILE_PYRAMID_H_

#include <cstdint>

#include "cc/geometry/image_plane.h"
#include "cc/geometry/platform.h"

namespace tf_softras {

struct TilePyramid {
  // Sides of images are below 2^31.
  static constexpr int kMostLevels = 32;
  static constexpr int64_t kMostCellsOfAFace = 4;

  int64_t tile;  // pixels on a side
  int levels;
  int64_t columns[kMostLevels];
  int64_t first_cell[kMostLevels + 1];

  TilePyramid(int64_t height, int64_t width, int64_t tile)
      : tile(tile), levels(0) {
    int64_t side = tile;
    first_cell[0] = 0;
    bool top = false;
    while (!top) {
      const int64_t rows = (height + side - 1) / side;
      columns[levels] = (width + side - 1) / side;
      first_cell[levels + 1] = first_cell[levels] + rows * columns[levels];
      top = rows == 1 && columns[levels] == 1;
      ++levels;
      side *= 2;
    }
  }

  TF_SOFTRAS_INLINE int64_t num_tiles() const { return first_cell[1]; }
  TF_SOFTRAS_INLINE int64_t num_cells() const { return first_cell[levels]; }

  // The cell of `level` that holds the tile.
  TF_SOFTRAS_INLINE int64_t CellOfTile(int level, int64_t tile_row,
                                       int64_t tile_column) const {
    return first_cell[level] + (tile_row >> level) * columns[level] +
           (tile_column >> level);
  }

  // Calls emit(cell) for the cells in which a rectangle of pixels is listed.
  template <typename Emit>
  TF_SOFTRAS_INLINE void ForEachCell(const PixelRect& rect,
                                     const Emit& emit) const {
    if (rect.empty()) return;
    const int64_t extent = MaxInt(rect.row_end - rect.row_begin,
                                  rect.column_end - rect.column_begin);
    int level = 0;
    while (level + 1 < levels && (tile << level) < extent) ++level;
    const int64_t side = tile << level;
    for (int64_t row = rect.row_begin / side; row <= (rect.row_end - 1) / side;
         ++row) {
      for (int64_t column = rect.column_begin / side;
           column <= (rect.column_end - 1) / side; ++column) {
        emit(first_cell[level] + row * columns[level] + column);
      }
    }
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_RASTER_TILE_PYRAMID_H_
