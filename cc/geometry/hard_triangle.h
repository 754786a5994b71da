// One triangle seen at pixel centres: is the centre inside it, and how deep
// does it lie there?
//
// Image plane: the shorter image side spans [-1, 1], pixels are square, row 0
// is the top; the triangle's z is the camera's depth, positive in front. Under
// perspective 1/z is linear on the image plane, so depths are interpolated as
// 1/z; under parallel projection z itself is.
//
// Coverage is closed (a centre on an edge is inside) and two-sided. Every edge
// function is evaluated from the edge's lexicographically smaller end, so that
// two faces that share an edge see the same number with opposite signs: a
// centre near it is inside at least one of them whatever the rounding, and no
// crack can open.
#ifndef TF_SOFTRAS_CC_GEOMETRY_HARD_TRIANGLE_H_
#define TF_SOFTRAS_CC_GEOMETRY_HARD_TRIANGLE_H_

#include "cc/geometry/image_plane.h"
#include "cc/geometry/platform.h"

namespace tf_softras {

// The least and the greatest of three, by comparison alone: std::min is not a
// device function.
TF_SOFTRAS_INLINE double Least(double a, double b, double c) {
  const double least = b < a ? b : a;
  return c < least ? c : least;
}
TF_SOFTRAS_INLINE double Greatest(double a, double b, double c) {
  const double greatest = b > a ? b : a;
  return c > greatest ? c : greatest;
}

// A vertex on the image plane with its camera depth.
struct ImageVertex {
  double x, y, z;
};

class HardTriangle {
 public:
  // Uninitialised: room in a GPU's shared memory.
  HardTriangle() = default;
  // The vertices must be finite.
  TF_SOFTRAS_INLINE HardTriangle(const ImageVertex& v0, const ImageVertex& v1,
                                 const ImageVertex& v2)
      : vertices_{v0, v1, v2},
        min_x_(Least(v0.x, v1.x, v2.x)),
        max_x_(Greatest(v0.x, v1.x, v2.x)),
        min_y_(Least(v0.y, v1.y, v2.y)),
        max_y_(Greatest(v0.y, v1.y, v2.y)),
        scale_(0.0) {}

  // Holds every pixel of `plane` whose centre the triangle covers.
  TF_SOFTRAS_INLINE PixelRect Pixels(const ImagePlane& plane) const {
    return PixelsInside(plane, plane.bounds(), min_x_, max_x_, min_y_, max_y_)
        .ToPixels();
  }

  // Prepares DepthAt. False if the triangle covers nothing by definition: a
  // vertex at depth <= near (which must not be negative), or no area.
  TF_SOFTRAS_INLINE bool SetUp(double near, bool is_linear = false) {
    const ImageVertex& v0 = vertices_[0];
    const ImageVertex& v1 = vertices_[1];
    const ImageVertex& v2 = vertices_[2];
    nearest_ = Least(v0.z, v1.z, v2.z);
    if (!(nearest_ > near)) return false;
    farthest_ = Greatest(v0.z, v1.z, v2.z);

    // A power of two, so exact. It keeps products of the largest doubles
    // finite.
    const double extent =
        Greatest(Greatest(-min_x_, max_x_, 0.0), -min_y_, max_y_);
    scale_ = extent > 0x1p+400 ? 0x1p-600 : 1.0;

    // Edge i lies opposite vertex i.
    edges_[0].SetUp(v1, v2, scale_);
    edges_[1].SetUp(v2, v0, scale_);
    edges_[2].SetUp(v0, v1, scale_);
    const double doubled_area =
        edges_[2].sign * edges_[2].At(v2.x * scale_, v2.y * scale_);
    if (doubled_area == 0.0) return false;
    if (doubled_area < 0.0) {
      for (Edge& edge : edges_) edge.sign = -edge.sign;
    }
    // Relative to the nearest vertex's, so that 1/z of the smallest depths
    // cannot overflow.
    for (int k = 0; k < 3; ++k) {
      const double z = vertices_[k].z;
      inverse_depth_[k] = is_linear ? 1.0 : nearest_ / z;
      beyond_[k] = is_linear ? z - nearest_ : 0.0;
    }
    return true;
  }

  // True if the point is inside or on the boundary; then weights[k], not
  // negative, are its barycentric coordinates up to a common factor. All are 0
  // where the triangle is smaller than the arithmetic resolves.
  TF_SOFTRAS_INLINE bool WeightsAt(double x, double y,
                                   double (&weights)[3]) const {
    // Only slivers need this check: their edge functions cannot tell where
    // along the sliver a point lies.
    if (!(x >= min_x_ && x <= max_x_ && y >= min_y_ && y <= max_y_))
      return false;
    for (int k = 0; k < 3; ++k) {
      weights[k] = edges_[k].sign * edges_[k].At(x * scale_, y * scale_);
    }
    return weights[0] >= 0.0 && weights[1] >= 0.0 && weights[2] >= 0.0;
  }

  // The gradient of weights[k] in x and y.
  TF_SOFTRAS_INLINE double SlopeX(int k) const {
    return -edges_[k].sign * edges_[k].dy * scale_;
  }
  TF_SOFTRAS_INLINE double SlopeY(int k) const {
    return edges_[k].sign * edges_[k].dx * scale_;
  }

  // True if the point is inside or on the boundary; then *depth is the depth
  // there, between the vertices' depths.
  TF_SOFTRAS_INLINE bool DepthAt(double x, double y, double* depth) const {
    double weights[3];
    if (!WeightsAt(x, y, weights)) return false;
    const double w0 = weights[0], w1 = weights[1], w2 = weights[2];
    const double weight = w0 + w1 + w2;
    if (weight == 0.0) {  // Underflow.
      *depth = nearest_;
      return true;
    }
    const double inverse = w0 * inverse_depth_[0] + w1 * inverse_depth_[1] +
                           w2 * inverse_depth_[2];
    // An inverse that underflowed to zero gives infinity, which the clamp turns
    // into farthest_.
    const double exact =
        nearest_ * (weight / inverse) +
        (w0 * beyond_[0] + w1 * beyond_[1] + w2 * beyond_[2]) / weight;
    *depth =
        exact < nearest_ ? nearest_ : (exact > farthest_ ? farthest_ : exact);
    return true;
  }

 private:
  struct Edge {
    double x, y;    // the lexicographically smaller end
    double dx, dy;  // from there to the other end
    double sign;    // +1 or -1: makes the value positive inside the triangle

    TF_SOFTRAS_INLINE void SetUp(const ImageVertex& from, const ImageVertex& to,
                                 double scale) {
      const bool swapped = to.x < from.x || (to.x == from.x && to.y < from.y);
      const ImageVertex& low = swapped ? to : from;
      const ImageVertex& high = swapped ? from : to;
      x = low.x * scale;
      y = low.y * scale;
      dx = high.x * scale - x;
      dy = high.y * scale - y;
      sign = swapped ? -1.0 : 1.0;
    }
    TF_SOFTRAS_INLINE double At(double px, double py) const {
      return dx * (py - y) - dy * (px - x);
    }
  };

  ImageVertex vertices_[3];
  double min_x_, max_x_, min_y_, max_y_;
  Edge edges_[3];
  double inverse_depth_[3];  // 1 if linear
  double beyond_[3];         // depth beyond nearest_ if linear, else 0
  double nearest_, farthest_;
  double scale_;
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_GEOMETRY_HARD_TRIANGLE_H_
