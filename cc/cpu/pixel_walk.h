// Walks the pixels that the faces of a FaceBatch reach, each lane those of its
// own face: no lane idles because a row is short.
//
// A pixel that counts lies inside three half planes, the face's edges moved out
// by its reach. On a row of pixels each of them ends at a column, and the ends
// move by the same step from row to row. A rectangle around a small face has
// half as many pixels again as lie between the ends.
#ifndef TF_SOFTRAS_CC_CPU_PIXEL_WALK_H_
#define TF_SOFTRAS_CC_CPU_PIXEL_WALK_H_

#include <cstdint>

#include "cc/cpu/face_batch.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/local_view.h"

namespace tf_softras {

template <typename T>
class PixelWalk {
 public:
  static constexpr int kFaces = FaceBatch<T>::kFaces;

  // Starts at the first pixel of each lane whose `is_in` is not 0. Pixels have
  // places in rows of `stride`; lanes that are done stay at `no_pixel`.
  TF_SOFTRAS_INLINE void Start(const FaceBatch<T>& batch,
                               const int32_t (&is_in)[kFaces],
                               const ImagePlane& plane, double radius,
                               int32_t stride, int32_t no_pixel) {
    const T step = static_cast<T>(plane.step());
    // A hair more, so that rounding never loses a pixel.
    const T reach = static_cast<T>(radius) + Rounding<T>(plane);
    stride_ = stride;
    no_pixel_ = no_pixel;
    step_ = step;
    int32_t rows[kFaces];
    int32_t most_rows = 0;
    for (int lane = 0; lane < kFaces; ++lane) {
      const int32_t row = batch.row_begin[lane];
      const int32_t column = batch.column_begin[lane];
      rows[lane] = is_in[lane] ? batch.row_end[lane] - row : 0;
      most_rows = rows[lane] > most_rows ? rows[lane] : most_rows;
      columns_[lane] = static_cast<T>(batch.column_end[lane] - column);
      across_[lane] = column - (column + batch.column_end[lane]) / 2;
      up_[lane] = (row + batch.row_end[lane]) / 2 - row;
      place_[lane] = row * stride + column;
      SetEnds(lane, batch.triangle(lane), step, reach);
    }
    // Count the pixels.
    for (int32_t& count : count_) count = 0;
    for (int32_t row = 0; row < most_rows; ++row) {
      for (int lane = 0; lane < kFaces; ++lane) {
        const Ends ends = EndsOf(lane, static_cast<T>(row));
        const int32_t length = Max(ends.end - ends.begin, 1);
        const int32_t is_row = row < rows[lane];
        count_[lane] += is_row * length;
      }
    }
    most_ = 0;
    for (int lane = 0; lane < kFaces; ++lane) {
      most_ = count_[lane] > most_ ? count_[lane] : most_;
      const Ends ends = EndsOf(lane, T(0));
      row_[lane] = T(0);
      column_[lane] = ends.begin;
      end_[lane] = ends.end;
      place_[lane] += ends.begin;
    }
  }

  // The number of steps until all lanes are done.
  TF_SOFTRAS_INLINE int32_t most() const { return most_; }

  // Calls visit(lane, place, qx, qy) for each lane's pixel: its place, and its
  // offset from the middle that the face was set up about. Then moves on.
  template <typename Visit>
  TF_SOFTRAS_INLINE void Next(int32_t pixel, const Visit& visit) {
    for (int lane = 0; lane < kFaces; ++lane) {
      visit(lane, pixel < count_[lane] ? place_[lane] : no_pixel_,
            static_cast<T>(across_[lane] + column_[lane]) * step_,
            (static_cast<T>(up_[lane]) - row_[lane]) * step_);
      const T next_row = row_[lane] + T(1);
      const Ends ends = EndsOf(lane, next_row);
      const int32_t next = column_[lane] + 1;
      const bool wraps = next >= end_[lane];
      place_[lane] += wraps ? stride_ + ends.begin - column_[lane] : 1;
      column_[lane] = wraps ? ends.begin : next;
      end_[lane] = wraps ? ends.end : end_[lane];
      row_[lane] = wraps ? next_row : row_[lane];
    }
  }

 private:
  // Columns of a row: the first one that is reached, and the one after the
  // last. A row without any has its first one visited all the same, perhaps
  // beyond the rectangle: rows of scratch are padded.
  struct Ends {
    int32_t begin, end;
  };

  // Edges are on the left or on the right, or end no row.
  TF_SOFTRAS_INLINE void SetEnds(int lane, const LocalTriangle<T>& triangle,
                                 T step, T reach) {
    // So far that no number of steps comes back.
    constexpr T kNoEnd = 1 << 20;
    // Nearly horizontal edges end no row: the rectangle's first or last row
    // does. Nor do edges that are not present or count as a point.
    constexpr T kLeastSlope = T(1) / 1024;
    const T x = static_cast<T>(across_[lane]) * step;
    const T y = static_cast<T>(up_[lane]) * step;
    for (int k = 0; k < 3; ++k) {
      const LocalEdge<T>& edge = triangle.edges[k];
      const bool is_left = edge.nx > kLeastSlope;
      const bool is_right = edge.nx < -kLeastSlope;
      const T inverse = T(-1) / (step * (is_left | is_right ? edge.nx : T(1)));
      const T c = (edge.nx * x + (edge.ny * y + edge.c)) + reach;
      // Cut to a whole number, it is the first column inside, or the last plus
      // 1.
      const T end = Max(-kNoEnd, Min(kNoEnd, c * inverse)) + T(1);
      const T to_next = -edge.ny * step * inverse;
      left_[k][lane] = is_left ? end : -kNoEnd;
      left_step_[k][lane] = is_left ? to_next : T(0);
      right_[k][lane] = is_right ? end : kNoEnd;
      right_step_[k][lane] = is_right ? to_next : T(0);
    }
  }

  TF_SOFTRAS_INLINE Ends EndsOf(int lane, T row) const {
    T left = left_[0][lane] + row * left_step_[0][lane];
    T right = right_[0][lane] + row * right_step_[0][lane];
    for (int k = 1; k < 3; ++k) {
      left = Max(left, left_[k][lane] + row * left_step_[k][lane]);
      right = Min(right, right_[k][lane] + row * right_step_[k][lane]);
    }
    left = Min(Max(left, T(0)), columns_[lane]);
    right = Max(Min(right, columns_[lane]), T(0));
    return {static_cast<int32_t>(left), static_cast<int32_t>(right)};
  }

  int32_t stride_, no_pixel_, most_;
  T step_;
  // By edge: the end in the first row, and the step to the next row's. Columns
  // and rows are counted from the rectangle's first.
  T left_[3][kFaces], left_step_[3][kFaces];
  T right_[3][kFaces], right_step_[3][kFaces];
  T columns_[kFaces];
  int32_t across_[kFaces], up_[kFaces];  // the first pixel from the middle
  int32_t count_[kFaces];
  // The next pixel.
  int32_t place_[kFaces], column_[kFaces], end_[kFaces];
  T row_[kFaces];
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_PIXEL_WALK_H_
