// Pixel centres on the image plane, and the pixels that a rectangle of the
// plane covers.
//
// The shorter image side spans [-1, 1] and pixels are square. Row 0 is the top:
// the centre of pixel (row r, column c) is x = (2c + 1 - width) / s, y =
// (height - 1 - 2r) / s with s = min(height, width).
#ifndef TF_SOFTRAS_CC_GEOMETRY_IMAGE_PLANE_H_
#define TF_SOFTRAS_CC_GEOMETRY_IMAGE_PLANE_H_

#include <cmath>
#include <cstdint>

#include "cc/geometry/platform.h"

namespace tf_softras {

struct PixelRect;

struct ImagePlane {
  int64_t height;
  int64_t width;

  TF_SOFTRAS_INLINE int64_t shorter_side() const {
    return height < width ? height : width;
  }
  // All pixels.
  TF_SOFTRAS_INLINE PixelRect bounds() const;
  // The distance between neighbouring pixel centres.
  TF_SOFTRAS_INLINE double step() const {
    return 2.0 / static_cast<double>(shorter_side());
  }
  // Columns and rows are whole numbers. They vectorise as double.
  TF_SOFTRAS_INLINE double x(double column) const {
    return (2.0 * column + 1.0 - static_cast<double>(width)) /
           static_cast<double>(shorter_side());
  }
  TF_SOFTRAS_INLINE double y(double row) const {
    return (static_cast<double>(height) - 1.0 - 2.0 * row) /
           static_cast<double>(shorter_side());
  }
};

// Rows [row_begin, row_end) and columns [column_begin, column_end).
struct PixelRect {
  int64_t row_begin;
  int64_t row_end;
  int64_t column_begin;
  int64_t column_end;

  TF_SOFTRAS_INLINE bool empty() const {
    return row_begin >= row_end || column_begin >= column_end;
  }
};

TF_SOFTRAS_INLINE PixelRect ImagePlane::bounds() const {
  return {0, height, 0, width};
}

TF_SOFTRAS_INLINE int64_t MinInt(int64_t a, int64_t b) { return a < b ? a : b; }
TF_SOFTRAS_INLINE int64_t MaxInt(int64_t a, int64_t b) { return a > b ? a : b; }

TF_SOFTRAS_INLINE PixelRect Intersect(const PixelRect& a, const PixelRect& b) {
  return {MaxInt(a.row_begin, b.row_begin), MinInt(a.row_end, b.row_end),
          MaxInt(a.column_begin, b.column_begin),
          MinInt(a.column_end, b.column_end)};
}

// A PixelRect in whole numbers of type double.
struct RealRect {
  double row_begin;
  double row_end;
  double column_begin;
  double column_end;

  TF_SOFTRAS_INLINE double middle_row() const {
    return std::floor(0.5 * (row_begin + row_end));
  }
  TF_SOFTRAS_INLINE double middle_column() const {
    return std::floor(0.5 * (column_begin + column_end));
  }
  TF_SOFTRAS_INLINE PixelRect ToPixels() const {
    return {static_cast<int64_t>(row_begin), static_cast<int64_t>(row_end),
            static_cast<int64_t>(column_begin),
            static_cast<int64_t>(column_end)};
  }
};

TF_SOFTRAS_INLINE double Clamp(double value, int64_t low, int64_t high) {
  const double least = static_cast<double>(low);
  const double most = static_cast<double>(high);
  const double raised = value > least ? value : least;
  return raised < most ? raised : most;
}

// The pixels within `bounds` whose centres lie in the closed rectangle
// [x_min, x_max] x [y_min, y_max]. Any finite or infinite sides are fine.
TF_SOFTRAS_INLINE RealRect PixelsInside(const ImagePlane& plane,
                                        const PixelRect& bounds, double x_min,
                                        double x_max, double y_min,
                                        double y_max) {
  const double half = 0.5 * static_cast<double>(plane.shorter_side());
  const double middle_column = 0.5 * static_cast<double>(plane.width - 1);
  const double middle_row = 0.5 * static_cast<double>(plane.height - 1);
  // A hair wider than asked for, so that rounding never loses a pixel on the
  // border.
  constexpr double kHair = 1e-9;
  RealRect rect;
  rect.column_begin = Clamp(std::ceil(x_min * half + (middle_column - kHair)),
                            bounds.column_begin, bounds.column_end);
  rect.column_end =
      Clamp(std::floor(x_max * half + (middle_column + kHair)) + 1.0,
            bounds.column_begin, bounds.column_end);
  rect.row_begin = Clamp(std::ceil((middle_row - kHair) - y_max * half),
                         bounds.row_begin, bounds.row_end);
  rect.row_end = Clamp(std::floor((middle_row + kHair) - y_min * half) + 1.0,
                       bounds.row_begin, bounds.row_end);
  return rect;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_GEOMETRY_IMAGE_PLANE_H_
