// Which faces reach which tile of an image: a loose pyramid of cells.
//
// Level 0 has the leaf tiles; a cell of level k spans 2^k of them on each side.
// A face is listed at the first level whose cells are no smaller than its pixel
// rectangle, so in at most four cells, and a tile visits its own list and those
// of its ancestors. Memory is O(faces) for every sigma, also when each face
// reaches each pixel. Lists hold faces in ascending order and do not depend on
// threads.
#ifndef TF_SOFTRAS_CC_KERNELS_FACE_BINS_H_
#define TF_SOFTRAS_CC_KERNELS_FACE_BINS_H_

#include <cstdint>
#include <vector>

#include "cc/geometry/image_plane.h"

namespace tf_softras {

class FaceBins {
 public:
  // Room for an image of height x width pixels in leaf tiles of side `tile`.
  FaceBins(int64_t height, int64_t width, int64_t tile);

  // Lists the faces 0 .. num_faces - 1; rect(face) gives the pixels it reaches,
  // empty for none.
  template <typename RectOfFace>
  void Fill(int64_t num_faces, const RectOfFace& rect) {
    offsets_.assign(num_cells_ + 1, 0);
    ForEachCell(num_faces, rect,
                [this](int64_t cell, int32_t) { ++offsets_[cell + 1]; });
    for (int64_t cell = 0; cell < num_cells_; ++cell) {
      offsets_[cell + 1] += offsets_[cell];
    }
    faces_.resize(offsets_[num_cells_]);
    std::vector<int64_t> next(offsets_.begin(), offsets_.end() - 1);
    ForEachCell(num_faces, rect, [this, &next](int64_t cell, int32_t face) {
      faces_[next[cell]++] = face;
    });
  }

  // Calls visit(begin, end) with the lists that may reach the leaf tile
  // (tile_row, tile_column).
  template <typename Visit>
  void ForTile(int64_t tile_row, int64_t tile_column,
               const Visit& visit) const {
    for (const Level& level : levels_) {
      const int64_t cell =
          level.first_cell + tile_row * level.columns + tile_column;
      visit(faces_.data() + offsets_[cell], faces_.data() + offsets_[cell + 1]);
      tile_row /= 2;
      tile_column /= 2;
    }
  }

 private:
  struct Level {
    int64_t side;  // pixels
    int64_t columns;
    int64_t first_cell;
  };

  template <typename RectOfFace, typename Emit>
  void ForEachCell(int64_t num_faces, const RectOfFace& rect_of_face,
                   const Emit& emit) const {
    for (int64_t face = 0; face < num_faces; ++face) {
      const PixelRect rect = rect_of_face(face);
      if (rect.empty()) continue;
      const int64_t extent = MaxInt(rect.row_end - rect.row_begin,
                                    rect.column_end - rect.column_begin);
      size_t k = 0;
      while (k + 1 < levels_.size() && levels_[k].side < extent) ++k;
      const Level& level = levels_[k];
      for (int64_t row = rect.row_begin / level.side;
           row <= (rect.row_end - 1) / level.side; ++row) {
        for (int64_t column = rect.column_begin / level.side;
             column <= (rect.column_end - 1) / level.side; ++column) {
          emit(level.first_cell + row * level.columns + column,
               static_cast<int32_t>(face));
        }
      }
    }
  }

  std::vector<Level> levels_;
  int64_t num_cells_ = 0;
  std::vector<int64_t> offsets_;
  std::vector<int32_t> faces_;
};

inline FaceBins::FaceBins(int64_t height, int64_t width, int64_t tile) {
  for (int64_t side = tile;; side *= 2) {
    const int64_t rows = (height + side - 1) / side;
    const int64_t columns = (width + side - 1) / side;
    levels_.push_back({side, columns, num_cells_});
    num_cells_ += rows * columns;
    if (rows == 1 && columns == 1) break;
  }
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_FACE_BINS_H_
