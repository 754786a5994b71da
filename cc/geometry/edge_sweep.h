// The distance that a vertex must move until an edge of its face passes a
// pixel's centre. The Neural 3D Mesh Renderer (Kato et al. 2018, section 3.2)
// divides a pixel's change of colour by it.
//
// An image is cut into lines of pixels, the rows for a move along x and the
// columns for one along y. Coordinates are counted in pixels: `along` a line
// and `line` across the lines, whole numbers at pixel centres.
#ifndef TF_SOFTRAS_CC_GEOMETRY_EDGE_SWEEP_H_
#define TF_SOFTRAS_CC_GEOMETRY_EDGE_SWEEP_H_

#include "cc/geometry/image_plane.h"
#include "cc/geometry/platform.h"

namespace tf_softras {

struct LineVertex {
  double along, line;
};

// One of the two ways to cut an image into lines.
struct LinesOfPixels {
  int64_t lines, length;              // how many, and their pixels
  int64_t line_stride, pixel_stride;  // in an image [height, width]
  double first_x, first_y;  // the centre of the first line's first pixel
  double step;  // to the next pixel along a line, in image-plane units
  bool rows;

  static TF_SOFTRAS_INLINE LinesOfPixels Rows(const ImagePlane& plane) {
    LinesOfPixels rows;
    rows.lines = plane.height;
    rows.length = plane.width;
    rows.line_stride = plane.width;
    rows.pixel_stride = 1;
    rows.first_x = plane.x(0.0);
    rows.first_y = plane.y(0.0);
    rows.step = plane.step();
    rows.rows = true;
    return rows;
  }
  // Columns start at the top: y falls along them.
  static TF_SOFTRAS_INLINE LinesOfPixels Columns(const ImagePlane& plane) {
    LinesOfPixels columns;
    columns.lines = plane.width;
    columns.length = plane.height;
    columns.line_stride = 1;
    columns.pixel_stride = plane.width;
    columns.first_x = plane.x(0.0);
    columns.first_y = plane.y(0.0);
    columns.step = -plane.step();
    columns.rows = false;
    return columns;
  }

  TF_SOFTRAS_INLINE LineVertex At(double x, double y) const {
    const double size = step < 0.0 ? -step : step;
    const double column = (x - first_x) / size;
    const double row = (first_y - y) / size;
    return rows ? LineVertex{column, row} : LineVertex{row, column};
  }
};

// The edge between two vertices of a triangle, seen from lines that cross it.
class EdgeSweep {
 public:
  TF_SOFTRAS_INLINE EdgeSweep(const LineVertex& from, const LineVertex& to,
                              const LineVertex& opposite)
      : from_(from), to_(to), height_(to.line - from.line) {
    const double side = (to.along - from.along) * (opposite.line - from.line) -
                        height_ * (opposite.along - from.along);
    outward_ = side * height_ > 0.0 ? 1 : side * height_ < 0.0 ? -1 : 0;
  }

  // Whether lines cross the edge and the triangle has an area.
  TF_SOFTRAS_INLINE bool crossed() const { return outward_ != 0; }
  // The direction along a line that leads out of the triangle: 1 or -1.
  TF_SOFTRAS_INLINE int outward() const { return outward_; }
  // Lines between these two cross the edge.
  TF_SOFTRAS_INLINE double first_line() const {
    return height_ > 0.0 ? from_.line : to_.line;
  }
  TF_SOFTRAS_INLINE double last_line() const {
    return height_ > 0.0 ? to_.line : from_.line;
  }
  // The distance by which the crossing with a line moves if the vertex `from`,
  // or `to`, moves by 1 along the lines and the other one stays. Their sum
  // is 1.
  TF_SOFTRAS_INLINE double share_of_from(double line) const {
    return (to_.line - line) / height_;
  }
  TF_SOFTRAS_INLINE double share_of_to(double line) const {
    return (line - from_.line) / height_;
  }
  // Returns the place where the line crosses the edge.
  TF_SOFTRAS_INLINE double Crossing(double line) const {
    return share_of_from(line) * from_.along + share_of_to(line) * to_.along;
  }

 private:
  LineVertex from_, to_;
  double height_;
  int outward_;
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_GEOMETRY_EDGE_SWEEP_H_
