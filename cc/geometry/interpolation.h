// Interpolates attributes and depth from a face's corners to a point of it,
// with the gradients of both.
//
// With b_k >= 0 the point's barycentric coordinates on the image plane (their
// sum is 1) and z_k > 0 the corners' depths, attribute = sum_k w_k A_k with
//   perspective (1/z is linear on the image plane):
//     z = 1 / sum_k (b_k / z_k),  w_k = b_k z / z_k;
//   parallel projection (z is linear there): w_k = b_k,  z = sum_k b_k z_k.
//
// A pixel outside a face takes the face's closest point to it, which eq. 1
// measures the distance to. This point exists for every face, also without
// area, and moves no faster than the pixel does. (Barycentric coordinates
// clamped at 0 and divided by their sum give a point, too, but not for faces
// without area, and near a sliver that point runs from end to end.)
#ifndef TF_SOFTRAS_CC_GEOMETRY_INTERPOLATION_H_
#define TF_SOFTRAS_CC_GEOMETRY_INTERPOLATION_H_

#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"

namespace tf_softras {

// The depths of a face's corners, and how they are interpolated. Numbers
// instead of a flag, so that both ways are the same code: a branch would keep
// loops over pixels from becoming vector code.
template <typename C>
struct FaceDepths {
  C nearest;
  C ratio[3];     // nearest / z_k, in (0, 1]; 1 if linear
  C inverse[3];   // 1 / z_k, kept finite; 0 if linear
  C beyond[3];    // 0; z_k - nearest if linear
  C perspective;  // 1; 0 if linear
};

template <typename C>
TF_SOFTRAS_INLINE FaceDepths<C> MakeFaceDepths(C z0, C z1, C z2,
                                               bool is_linear = false) {
  const C z[3] = {z0, z1, z2};
  FaceDepths<C> depths;
  depths.nearest = Min(Min(z0, z1), z2);
  depths.perspective = is_linear ? C(0) : C(1);
  for (int k = 0; k < 3; ++k) {
    const C ratio =
        Max(depths.nearest / z[k], static_cast<C>(Far<C>::kShortestEdge));
    const C inverse = Min(C(1) / z[k], static_cast<C>(Far<C>::kDistance));
    depths.ratio[k] = is_linear ? C(1) : ratio;
    depths.inverse[k] = is_linear ? C(0) : inverse;
    depths.beyond[k] = is_linear ? z[k] - depths.nearest : C(0);
  }
  return depths;
}

// Barycentric coordinates up to a common factor: coordinates[k] / sum.
template <typename C>
struct FacePoint {
  C coordinates[3];
  C sum;        // positive
  bool inside;  // the pixel's own coordinates; else those of the closest point
};

// The ratio of each edge's length to the longest. Times edge k's signed
// distance c, it is the barycentric coordinate of the corner opposite to the
// edge, up to a common factor.
template <typename C>
struct EdgeShares {
  C share[3];
};

template <typename C>
TF_SOFTRAS_INLINE EdgeShares<C> MakeEdgeShares(
    const LocalTriangle<C>& triangle) {
  const C smallest = Min(
      Min(triangle.edges[0].inverse_length, triangle.edges[1].inverse_length),
      triangle.edges[2].inverse_length);
  EdgeShares<C> shares;
  for (int k = 0; k < 3; ++k) {
    const C inverse = triangle.edges[k].inverse_length;
    shares.share[k] = inverse > C(0) ? smallest / inverse : C(0);
  }
  return shares;
}

// Writes the point of the face that the pixel of this sample sees. `closest` is
// the boundary's point. (It is not returned, because copying a struct with a
// bool keeps loops over pixels from becoming vector code.)
template <typename C>
TF_SOFTRAS_INLINE void PointOnFace(const EdgeShares<C>& shares,
                                   const TriangleSample<C>& sample,
                                   const Closest<C>& closest,
                                   FacePoint<C>* point) {
  // Corner k lies opposite edge k + 1.
  const C own[3] = {sample.edges[1].c * shares.share[1],
                    sample.edges[2].c * shares.share[2],
                    sample.edges[0].c * shares.share[0]};
  const C sum = own[0] + own[1] + own[2];
  // The sum is the face's height over its longest edge. If it vanishes in C, it
  // cannot be divided by.
  point->inside = sample.inside & (sum > static_cast<C>(Far<C>::kShortestEdge));
  for (int k = 0; k < 3; ++k) {
    point->coordinates[k] = point->inside ? own[k] : closest.corners[k];
  }
  point->sum = point->inside ? sum : C(1);
}

template <typename C>
struct Interpolation {
  C weights[3];      // w_k
  C depth;           // z
  C relative_depth;  // z / nearest; about 1 if linear
};

// `coordinates` are barycentric but for the factor `sum`.
template <typename C>
TF_SOFTRAS_INLINE Interpolation<C> Interpolate(const FaceDepths<C>& depths,
                                               const C (&coordinates)[3],
                                               C sum) {
  C scaled[3];
  for (int k = 0; k < 3; ++k) scaled[k] = coordinates[k] * depths.ratio[k];
  const C inverse = C(1) / (scaled[0] + scaled[1] + scaled[2]);
  Interpolation<C> at;
  for (int k = 0; k < 3; ++k) at.weights[k] = scaled[k] * inverse;
  at.relative_depth = sum * inverse;
  // Linear: the first term is `nearest`. With perspective the others are 0.
  at.depth =
      depths.nearest * at.relative_depth +
      (at.weights[0] * depths.beyond[0] + at.weights[1] * depths.beyond[1] +
       at.weights[2] * depths.beyond[2]);
  return at;
}

// The gradient of a loss with respect to the point and the corners' depths,
// given the gradient with respect to the interpolated values.
template <typename C>
struct InterpolationGradient {
  C coordinates[3];  // d loss / d b_k, each b_k free
  C depths[3];       // d loss / d z_k
};

// deviation[k] = d loss / d w_k less its mean over the corners, weighted by w;
// depth_gradient = d loss / d z. From the formulas above,
//   d loss / d b_k = (z / z_k) (deviation[k] - z depth_gradient),
//   d loss / d z_k = -(b_k / z_k) d loss / d b_k;
// linear, but for a part that all b_k share, whose sum does not change:
//   d loss / d b_k = deviation[k] + z_k depth_gradient,
//   d loss / d z_k = b_k depth_gradient.
template <typename C>
TF_SOFTRAS_INLINE InterpolationGradient<C> GradientOfInterpolation(
    const FaceDepths<C>& depths, const C (&coordinates)[3], C sum,
    const Interpolation<C>& at, const C (&deviation)[3], C depth_gradient) {
  const C inverse_sum = C(1) / sum;
  const bool is_linear = depths.perspective == C(0);
  const C shift = depths.perspective * at.depth * depth_gradient;
  const C relative_depth = is_linear ? C(1) : at.relative_depth;
  const C linear_gradient = is_linear ? depth_gradient : C(0);
  InterpolationGradient<C> gradient;
  for (int k = 0; k < 3; ++k) {
    gradient.coordinates[k] =
        relative_depth * depths.ratio[k] * (deviation[k] - shift) +
        linear_gradient * depths.beyond[k];
    const C coordinate = coordinates[k] * inverse_sum;
    gradient.depths[k] =
        linear_gradient * coordinate -
        coordinate * depths.inverse[k] * gradient.coordinates[k];
  }
  return gradient;
}

// d loss / d (x, y) of the corners, by way of the point: corners[k] = (x, y).
template <typename C>
struct CornerGradient {
  C x[3], y[3];
};

// Inside: moving corner k by v moves the point over the face as moving the
// pixel by -b_k v does. (slope_x[k], slope_y[k]) / sum is the gradient of b_k.
template <typename C>
TF_SOFTRAS_INLINE CornerGradient<C> GradientInside(const C (&slope_x)[3],
                                                   const C (&slope_y)[3],
                                                   const C (&coordinates)[3],
                                                   C sum,
                                                   const C (&gradient)[3]) {
  const C inverse_sum = C(1) / sum;
  const C qx = (gradient[0] * slope_x[0] + gradient[1] * slope_x[1] +
                gradient[2] * slope_x[2]) *
               inverse_sum;
  const C qy = (gradient[0] * slope_y[0] + gradient[1] * slope_y[1] +
                gradient[2] * slope_y[2]) *
               inverse_sum;
  CornerGradient<C> corners;
  for (int k = 0; k < 3; ++k) {
    const C b = coordinates[k] * inverse_sum;
    corners.x[k] = -b * qx;
    corners.y[k] = -b * qy;
  }
  return corners;
}

// The same for the point that PointOnFace gave. Outside, on an edge e from a to
// b, the point is a + f e with f = e.(p - a) / e^2; with r = p - point,
//   d f / d a = -((1 - f) e + r) / e^2,  d f / d b = (r - f e) / e^2.
// An end of the edge does not slide.
template <typename C>
TF_SOFTRAS_INLINE CornerGradient<C> GradientOfPoint(
    const LocalTriangle<C>& triangle, const EdgeShares<C>& shares,
    const FacePoint<C>& point, const Closest<C>& closest,
    const C (&gradient)[3]) {
  C slope_x[3], slope_y[3];
  for (int k = 0; k < 3; ++k) {
    const int edge = (k + 1) % 3;
    slope_x[k] = triangle.edges[edge].nx * shares.share[edge];
    slope_y[k] = triangle.edges[edge].ny * shares.share[edge];
  }
  const CornerGradient<C> inside =
      GradientInside(slope_x, slope_y, point.coordinates, point.sum, gradient);

  const bool first = closest.first, second = closest.second;
  const C* b = closest.corners;
  const C start = Choose(first, second, b[0], b[1], b[2]);
  const C end = Choose(first, second, b[1], b[2], b[0]);
  const C along =
      (Choose(first, second, gradient[1], gradient[2], gradient[0]) -
       Choose(first, second, gradient[0], gradient[1], gradient[2])) *
      closest.inverse_length;
  const C rx = closest.rx * closest.inverse_length;
  const C ry = closest.ry * closest.inverse_length;
  const C ax = -along * (start * closest.ux + rx);
  const C ay = -along * (start * closest.uy + ry);
  const C bx = along * (rx - end * closest.ux);
  const C by = along * (ry - end * closest.uy);
  const CornerGradient<C> outside = {
      {Choose(first, second, ax, C(0), bx), Choose(first, second, bx, ax, C(0)),
       Choose(first, second, C(0), bx, ax)},
      {Choose(first, second, ay, C(0), by), Choose(first, second, by, ay, C(0)),
       Choose(first, second, C(0), by, ay)}};

  CornerGradient<C> corners;
  for (int k = 0; k < 3; ++k) {
    corners.x[k] = point.inside ? inside.x[k] : outside.x[k];
    corners.y[k] = point.inside ? inside.y[k] : outside.y[k];
  }
  return corners;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_GEOMETRY_INTERPOLATION_H_
