// The soft triangle of eq. 1: signed squared distance of a point to a
// triangle's boundary, and what its gradient needs. No TensorFlow; host and
// device compile the same text.
//
// How it keeps its digits. Edges are set up in double precision, then expressed
// about a local origin (the middle of the pixels that are about to be visited).
// For a small face near that origin T is enough (NearTriangle).
// In T there remain, for each edge from a to b with unit direction u and inward
// unit normal n, three linear functions of the offset q from that origin:
//   c  = n.(p - a)    signed distance from the edge's line, positive inside,
//   ta = u.(a - p)    how far p lies before a,
//   tb = u.(p - b)    how far p lies past b.
// The squared distance to the edge is c^2 + max(ta, tb, 0)^2. Near the edge
// each of the functions is small, and so is its rounding error: about 2^-24
// |q|, never 2^-24 of a far vertex's coordinates.
#ifndef TF_SOFTRAS_CC_GEOMETRY_SOFT_TRIANGLE_H_
#define TF_SOFTRAS_CC_GEOMETRY_SOFT_TRIANGLE_H_

#include <cmath>
#include <limits>

#include "cc/geometry/platform.h"

namespace tf_softras {

// std::min and std::max are not device functions; these vectorise to one
// instruction.
template <typename T>
TF_SOFTRAS_INLINE T Min(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
TF_SOFTRAS_INLINE T Max(T a, T b) {
  return a > b ? a : b;
}

struct Point2 {
  double x;
  double y;
};

// One edge in double precision, in image-plane coordinates.
struct Edge {
  Point2 a;
  Point2 b;
  Point2 direction;       // unit; (1, 0) where a and b coincide
  Point2 inward_normal;   // unit
  double inverse_length;  // 0 where a and b coincide
  bool present;           // false for an edge that another one covers
};

struct Triangle {
  Edge edges[3];  // 0-1, 1-2, 2-0
  // A triangle without area has no inside. It is the segment or point that it
  // collapses to: its longest edge, the first of equals. The other two are not
  // present, so that its pixels belong to one edge, not to whichever rounding
  // prefers.
  bool has_area;
  // Thinner than a hundredth of its length: which of its long edges is the
  // nearer one, float cannot tell for too many points.
  bool is_thin;
};

// The linear functions c, ta, tb of one edge about a local origin.
template <typename T>
struct LocalEdge {
  T nx, ny, c;
  T ux, uy, ta, tb;
  T inverse_length;
};

template <typename T>
struct LocalTriangle {
  LocalEdge<T> edges[3];
  T inside_above;  // c must exceed it everywhere inside: 0, or out of reach
                   // without area
};

// Distances beyond this say only "far": their squares stay finite in T.
template <typename T>
struct Far;
template <>
struct Far<float> {
  static constexpr double kDistance = 1e18;
  static constexpr double kShortestEdge = 1e-18;
};
template <>
struct Far<double> {
  static constexpr double kDistance = 1e150;
  static constexpr double kShortestEdge = 1e-150;
};

// A power of two that brings coordinate differences of this size to where
// squares and products neither overflow nor vanish; 1 for every float32. (No
// reciprocal: TensorFlow's threads flush denormals.)
TF_SOFTRAS_INLINE double SafeScale(double largest) {
  return largest > 1e100 ? 0x1p-600 : (largest < 1e-100 ? 0x1p400 : 1.0);
}

// The edge from a to b; `orientation` is +1 for counter-clockwise triangles,
// else -1. An edge shorter than `shortest` counts as a point.
TF_SOFTRAS_INLINE Edge MakeEdge(Point2 a, Point2 b, double orientation,
                                double shortest) {
  // Halves cannot overflow when coordinates are near the largest double.
  double dx = 0.5 * b.x - 0.5 * a.x;
  double dy = 0.5 * b.y - 0.5 * a.y;
  const double largest = Max(std::fabs(dx), std::fabs(dy));
  const bool point = !(largest > 0.5 * shortest);
  const double scale = SafeScale(largest);
  dx *= scale;
  dy *= scale;
  const double inverse = point ? 0.0 : 1.0 / std::sqrt(dx * dx + dy * dy);
  Edge edge;
  edge.a = a;
  edge.b = b;
  edge.direction = {point ? 1.0 : dx * inverse, point ? 0.0 : dy * inverse};
  edge.inward_normal = {-edge.direction.y * orientation,
                        edge.direction.x * orientation};
  edge.inverse_length = 0.5 * scale * inverse;
  edge.present = true;
  return edge;
}

// Twice the signed area, up to a positive factor. For float32 coordinates the
// products are exact in double, so that the sign is right for every sliver.
TF_SOFTRAS_INLINE double Orientation(Point2 a, Point2 b, Point2 c) {
  double abx = 0.5 * b.x - 0.5 * a.x, aby = 0.5 * b.y - 0.5 * a.y;
  double acx = 0.5 * c.x - 0.5 * a.x, acy = 0.5 * c.y - 0.5 * a.y;
  const double largest = Max(Max(std::fabs(abx), std::fabs(aby)),
                             Max(std::fabs(acx), std::fabs(acy)));
  const double scale = SafeScale(largest);
  abx *= scale;
  aby *= scale;
  acx *= scale;
  acy *= scale;
  return abx * acy - aby * acx;
}

// The larger side of the edge's bounding box, halved: on one line, it orders
// edges as their lengths do.
TF_SOFTRAS_INLINE double HalfExtent(const Edge& edge) {
  return Max(std::fabs(0.5 * edge.b.x - 0.5 * edge.a.x),
             std::fabs(0.5 * edge.b.y - 0.5 * edge.a.y));
}

// The sine of some corner is below 0.01, which is so where two edges are nearly
// parallel. u are their unit directions.
template <typename T>
TF_SOFTRAS_INLINE bool IsThin(const T (&ux)[3], const T (&uy)[3]) {
  T smallest = T(1);
  for (int k = 0; k < 3; ++k) {
    const int next = (k + 1) % 3;
    smallest = Min(smallest, std::fabs(ux[k] * uy[next] - uy[k] * ux[next]));
  }
  return smallest < T(0.01);
}

template <typename T>
TF_SOFTRAS_INLINE Triangle MakeTriangle(Point2 v0, Point2 v1, Point2 v2) {
  const double area = Orientation(v0, v1, v2);
  const double orientation = area < 0.0 ? -1.0 : 1.0;
  constexpr double kShortest = Far<T>::kShortestEdge;
  Triangle triangle;
  triangle.edges[0] = MakeEdge(v0, v1, orientation, kShortest);
  triangle.edges[1] = MakeEdge(v1, v2, orientation, kShortest);
  triangle.edges[2] = MakeEdge(v2, v0, orientation, kShortest);
  triangle.has_area = area != 0.0;
  const Point2 u[3] = {triangle.edges[0].direction, triangle.edges[1].direction,
                       triangle.edges[2].direction};
  triangle.is_thin =
      IsThin<double>({u[0].x, u[1].x, u[2].x}, {u[0].y, u[1].y, u[2].y});
  // No branches: set-ups of several triangles vectorise.
  const double extents[3] = {HalfExtent(triangle.edges[0]),
                             HalfExtent(triangle.edges[1]),
                             HalfExtent(triangle.edges[2])};
  const bool second_longer = extents[1] > extents[0];
  const bool third_longest = extents[2] > Max(extents[0], extents[1]);
  triangle.edges[0].present =
      triangle.has_area | !(second_longer | third_longest);
  triangle.edges[1].present =
      triangle.has_area | (second_longer & !third_longest);
  triangle.edges[2].present = triangle.has_area | third_longest;
  return triangle;
}

template <typename T>
TF_SOFTRAS_INLINE T ClampFar(double distance) {
  constexpr double kFar = Far<T>::kDistance;
  return static_cast<T>(Max(-kFar, Min(kFar, distance)));
}

template <typename T>
TF_SOFTRAS_INLINE LocalEdge<T> Localize(const Edge& edge, Point2 origin) {
  const Point2 n = edge.inward_normal;
  const Point2 u = edge.direction;
  const Point2 from_a = {origin.x - edge.a.x, origin.y - edge.a.y};
  const Point2 from_b = {origin.x - edge.b.x, origin.y - edge.b.y};
  const double along_a = u.x * from_a.x + u.y * from_a.y;
  const double along_b = u.x * from_b.x + u.y * from_b.y;
  // From the nearer end, where less cancels.
  const bool a_is_nearer = std::fabs(along_a) < std::fabs(along_b);
  const double c = n.x * (a_is_nearer ? from_a.x : from_b.x) +
                   n.y * (a_is_nearer ? from_a.y : from_b.y);
  // An edge that is not present is nearest to no point: far from all, and
  // constant.
  const bool present = edge.present;
  LocalEdge<T> local;
  local.nx = static_cast<T>(present ? n.x : 0.0);
  local.ny = static_cast<T>(present ? n.y : 0.0);
  local.c = ClampFar<T>(present ? c : Far<T>::kDistance);
  local.ux = static_cast<T>(u.x);
  local.uy = static_cast<T>(u.y);
  local.ta = ClampFar<T>(-along_a);
  local.tb = ClampFar<T>(along_b);
  local.inverse_length = static_cast<T>(edge.inverse_length);
  return local;
}

template <typename T>
TF_SOFTRAS_INLINE LocalTriangle<T> Localize(const Triangle& triangle,
                                            Point2 origin) {
  LocalTriangle<T> local;
  for (int k = 0; k < 3; ++k) {
    local.edges[k] = Localize<T>(triangle.edges[k], origin);
  }
  local.inside_above = triangle.has_area ? T(0) : std::numeric_limits<T>::max();
  return local;
}

// Sets a triangle about a nearby origin up in T: half the work of doing it in
// double. Only the differences between corners and origin, and the sign of the
// area, need more digits than T has.
template <typename T>
struct NearTriangle {
  // An eighth of the unit square's side. Rounding errors of the set-up are then
  // no larger than those of samples in a block of pixels
  // (cc/raster/local_view.h).
  static constexpr T kFarthest = T(0.25);
  // Squares do not vanish.
  static constexpr T kShortestEdge = T(1e-15);

  T x[3], y[3];    // the corners as they came
  T px[3], py[3];  // from the origin
  double area;     // twice the signed area

  TF_SOFTRAS_INLINE NearTriangle(const T (&x0)[3], const T (&y0)[3],
                                 Point2 origin) {
    for (int k = 0; k < 3; ++k) {
      x[k] = x0[k];
      y[k] = y0[k];
      px[k] = static_cast<T>(static_cast<double>(x[k]) - origin.x);
      py[k] = static_cast<T>(static_cast<double>(y[k]) - origin.y);
    }
    const double ax = x[0], ay = y[0];
    area = (x[1] - ax) * (y[2] - ay) - (y[1] - ay) * (x[2] - ax);
  }

  // Whether T has digits enough. If not, MakeTriangle sets it up.
  TF_SOFTRAS_INLINE bool IsNear() const {
    T farthest = T(0), shortest = kFarthest;
    for (int k = 0; k < 3; ++k) {
      const int next = (k + 1) % 3;
      farthest = Max(farthest, Max(std::fabs(px[k]), std::fabs(py[k])));
      shortest = Min(shortest,
                     Max(std::fabs(x[next] - x[k]), std::fabs(y[next] - y[k])));
    }
    return (farthest <= kFarthest) & (shortest >= kShortestEdge) &
           (area != 0.0);
  }

  TF_SOFTRAS_INLINE LocalTriangle<T> Localize() const {
    const T orientation = area < 0.0 ? T(-1) : T(1);
    LocalTriangle<T> local;
    for (int k = 0; k < 3; ++k) {
      const int next = (k + 1) % 3;
      // Differences of what came: the corners from the origin are rounded.
      const T dx = x[next] - x[k], dy = y[next] - y[k];
      const T inverse = T(1) / std::sqrt(dx * dx + dy * dy);
      LocalEdge<T>& edge = local.edges[k];
      edge.ux = dx * inverse;
      edge.uy = dy * inverse;
      edge.nx = -edge.uy * orientation;
      edge.ny = edge.ux * orientation;
      edge.ta = edge.ux * px[k] + edge.uy * py[k];
      edge.tb = -(edge.ux * px[next] + edge.uy * py[next]);
      // From the nearer end, where less cancels.
      const bool a_is_nearer = std::fabs(edge.ta) < std::fabs(edge.tb);
      edge.c = -(edge.nx * (a_is_nearer ? px[k] : px[next]) +
                 edge.ny * (a_is_nearer ? py[k] : py[next]));
      edge.inverse_length = inverse;
    }
    local.inside_above = T(0);
    return local;
  }
};

// One point as one edge sees it.
template <typename T>
struct EdgeSample {
  T c;                 // signed distance from the edge's line
  T ta;                // distance before a, where positive
  T tb;                // distance past b, where positive
  T squared_distance;  // to the segment
};

template <typename T>
TF_SOFTRAS_INLINE EdgeSample<T> Sample(const LocalEdge<T>& edge, T qx, T qy) {
  // The terms in qy stand in brackets: they are the same along a row.
  const T t = edge.ux * qx + edge.uy * qy;
  EdgeSample<T> sample;
  sample.c = edge.nx * qx + (edge.ny * qy + edge.c);
  sample.ta = edge.ta - t;
  sample.tb = edge.tb + t;
  const T beyond = Max(Max(sample.ta, sample.tb), T(0));
  sample.squared_distance = sample.c * sample.c + beyond * beyond;
  return sample;
}

// One point as the whole triangle sees it.
template <typename T>
struct TriangleSample {
  EdgeSample<T> edges[3];
  T squared_distance;  // to the boundary
  T depth;  // the smallest c: the distance to the boundary from inside
  bool inside;
};

template <typename T>
TF_SOFTRAS_INLINE TriangleSample<T> Sample(const LocalTriangle<T>& triangle,
                                           T qx, T qy) {
  TriangleSample<T> sample;
  for (int k = 0; k < 3; ++k) {
    sample.edges[k] = Sample(triangle.edges[k], qx, qy);
  }
  sample.squared_distance = Min(
      Min(sample.edges[0].squared_distance, sample.edges[1].squared_distance),
      sample.edges[2].squared_distance);
  const T depth =
      Min(Min(sample.edges[0].c, sample.edges[1].c), sample.edges[2].c);
  // Inside, the nearest boundary point is the foot on the nearest edge's line,
  // so the distance IS the smallest c. Asking for it keeps the rounded signs of
  // a sliver's two long edges from claiming the points beyond its tip, where
  // the distance is large; where the test can go wrong, d is about 1e-8.
  sample.depth = depth;
  sample.inside = (depth > triangle.inside_above) &
                  (sample.squared_distance <= T(2) * depth * depth);
  return sample;
}

// s d^2: the argument of eq. 1's sigmoid before the division by sigma.
template <typename T>
TF_SOFTRAS_INLINE T SignedSquaredDistance(const TriangleSample<T>& sample) {
  return sample.inside ? sample.squared_distance : -sample.squared_distance;
}

// The distance to the second nearest edge's line less that to the nearest
// one's. Inside, the gradient jumps from one edge's corners to the other's
// where this is 0. (Outside, the closest point of a triangle is unique: edges
// tie in a shared corner only, and either gives the same there.)
template <typename T>
TF_SOFTRAS_INLINE T EdgeGap(const TriangleSample<T>& sample) {
  const T c0 = sample.edges[0].c, c1 = sample.edges[1].c,
          c2 = sample.edges[2].c;
  const T middle = Max(Min(c0, c1), Min(Max(c0, c1), c2));
  return middle - sample.depth;
}

// Orders the edges of one sample: the nearest one has the smallest. Near the
// border between an edge's points and a corner's, squared distances to the edge
// and to its neighbour's end agree to the last digits long before the closest
// points do (the difference is a square). The edge that has the foot of the
// perpendicular is the right one, so ends count as a hair farther.
template <typename T>
TF_SOFTRAS_INLINE T NearnessKey(const EdgeSample<T>& sample) {
  const bool is_end = Max(sample.ta, sample.tb) > T(0);
  constexpr T kHair = T(1) + 8 * std::numeric_limits<T>::epsilon();
  return sample.squared_distance * (is_end ? kHair : T(1));
}

// The closest point of the triangle to a point, and the vector from there.
template <typename T>
struct Closest {
  T rx, ry;      // p - (closest point)
  T corners[3];  // the closest point's barycentric coordinates
  // The edge that it lies on: 0, 1, or neither, and its unit direction; its
  // inverse length if the closest point is no end of it, else 0.
  bool first, second;
  T ux, uy;
  T inverse_length;
};

template <typename T>
TF_SOFTRAS_INLINE T Choose(bool first, bool second, T a, T b, T c) {
  return first ? a : (second ? b : c);
}

// The edge with the closest point so far, as seen from the point.
template <typename T>
struct NearestEdge {
  T key, c, ta, tb;
  T nx, ny, ux, uy, inverse_length;

  TF_SOFTRAS_INLINE void Take(bool closer, T other_key,
                              const EdgeSample<T>& sample,
                              const LocalEdge<T>& edge) {
    key = closer ? other_key : key;
    c = closer ? sample.c : c;
    ta = closer ? sample.ta : ta;
    tb = closer ? sample.tb : tb;
    nx = closer ? edge.nx : nx;
    ny = closer ? edge.ny : ny;
    ux = closer ? edge.ux : ux;
    uy = closer ? edge.uy : uy;
    inverse_length = closer ? edge.inverse_length : inverse_length;
  }
};

// The first of equally near edges has the closest point. The gradient of the
// squared distance with respect to corner k is -2 corners[k] (rx, ry).
template <typename T>
TF_SOFTRAS_INLINE Closest<T> ClosestPoint(const LocalTriangle<T>& triangle,
                                          const TriangleSample<T>& sample) {
  const LocalEdge<T>* e = triangle.edges;
  const EdgeSample<T>* s = sample.edges;
  const T keys[3] = {NearnessKey(s[0]), NearnessKey(s[1]), NearnessKey(s[2])};
  // One after the other: two selects a value.
  NearestEdge<T> nearest = {keys[0], s[0].c,  s[0].ta,
                            s[0].tb, e[0].nx, e[0].ny,
                            e[0].ux, e[0].uy, e[0].inverse_length};
  const bool second_closer = keys[1] < keys[0];
  nearest.Take(second_closer, keys[1], s[1], e[1]);
  const bool third = keys[2] < nearest.key;
  nearest.Take(third, keys[2], s[2], e[2]);
  const T along = Max(nearest.tb, T(0)) - Max(nearest.ta, T(0));
  const T end = Min(Max(-nearest.ta * nearest.inverse_length, T(0)), T(1));
  const T start = T(1) - end;
  Closest<T> closest;
  closest.first = !third & !second_closer;
  closest.second = !third & second_closer;
  closest.ux = nearest.ux;
  closest.uy = nearest.uy;
  closest.inverse_length = (nearest.ta <= T(0)) & (nearest.tb <= T(0))
                               ? nearest.inverse_length
                               : T(0);
  closest.rx = nearest.c * nearest.nx + along * nearest.ux;
  closest.ry = nearest.c * nearest.ny + along * nearest.uy;
  // Edge 0 runs from corner 0 to 1, edge 1 from 1 to 2, edge 2 from 2 to 0.
  closest.corners[0] = Choose(third, second_closer, end, T(0), start);
  closest.corners[1] = Choose(third, second_closer, T(0), start, end);
  closest.corners[2] = Choose(third, second_closer, start, end, T(0));
  return closest;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_GEOMETRY_SOFT_TRIANGLE_H_
