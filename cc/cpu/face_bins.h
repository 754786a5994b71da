// Which faces reach which tile of an image: a loose pyramid of cells.
//
// Level 0 has the leaf tiles; a cell of level k spans 2^k of them on each side.
// A face is listed at the first level whose cells are no smaller than its pixel
// rectangle, so in at most four cells, and a tile visits its own list and those
// of its ancestors. Memory is O(faces) for every sigma, also when each face
// reaches each pixel. Lists hold faces in ascending order and do not depend on
// threads.
#ifndef TF_SOFTRAS_CC_CPU_FACE_BINS_H_
#define TF_SOFTRAS_CC_CPU_FACE_BINS_H_

#include <cstdint>
#include <vector>

#include "cc/geometry/image_plane.h"

namespace tf_softras {

// Faces in ascending order.
struct FaceList {
  const int32_t* faces;
  int64_t count;
};

class FaceBins {
 public:
  // Room for an image of height x width pixels in leaf tiles of side `tile`.
  FaceBins(int64_t height, int64_t width, int64_t tile);

  int num_levels() const { return static_cast<int>(levels_.size()); }

  // The faces [0, num_faces) are listed in chunks, which may go through in
  // parallel: first Count for each chunk, then EndCount, then Fill for each.
  // rect(face) gives the pixels that a face reaches, empty for none.
  void Begin(int64_t num_faces, int64_t chunks) {
    num_faces_ = num_faces;
    chunks_ = chunks;
    next_.assign(chunks * num_cells_, 0);
  }
  int64_t chunks() const { return chunks_; }

  template <typename RectOfFace>
  void Count(int64_t chunk, const RectOfFace& rect) {
    int64_t* count = next_.data() + chunk * num_cells_;
    ForEachCell(chunk, rect, [count](int64_t cell, int32_t) { ++count[cell]; });
  }

  void EndCount() {
    offsets_.assign(num_cells_ + 1, 0);
    int64_t total = 0;
    for (int64_t cell = 0; cell < num_cells_; ++cell) {
      offsets_[cell] = total;
      for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
        int64_t& next = next_[chunk * num_cells_ + cell];
        const int64_t count = next;
        next = total;
        total += count;
      }
    }
    offsets_[num_cells_] = total;
    faces_.resize(total);
  }

  template <typename RectOfFace>
  void Fill(int64_t chunk, const RectOfFace& rect) {
    int64_t* next = next_.data() + chunk * num_cells_;
    ForEachCell(chunk, rect, [this, next](int64_t cell, int32_t face) {
      faces_[next[cell]++] = face;
    });
  }

  // The list of a level that may reach the leaf tile (tile_row, tile_column).
  FaceList List(int level, int64_t tile_row, int64_t tile_column) const {
    const int64_t cell = levels_[level].first_cell +
                         (tile_row >> level) * levels_[level].columns +
                         (tile_column >> level);
    return {faces_.data() + offsets_[cell],
            offsets_[cell + 1] - offsets_[cell]};
  }

 private:
  struct Level {
    int64_t side;  // pixels
    int64_t columns;
    int64_t first_cell;
  };

  template <typename RectOfFace, typename Emit>
  void ForEachCell(int64_t chunk, const RectOfFace& rect_of_face,
                   const Emit& emit) const {
    const int64_t end = num_faces_ * (chunk + 1) / chunks_;
    for (int64_t face = num_faces_ * chunk / chunks_; face < end; ++face) {
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
  int64_t num_faces_ = 0;
  int64_t chunks_ = 0;
  std::vector<int64_t> next_;     // of each chunk and cell
  std::vector<int64_t> offsets_;  // of each cell
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

#endif  // TF_SOFTRAS_CC_CPU_FACE_BINS_H_
