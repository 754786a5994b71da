// Eqs. 1 and 2 and their gradient by brute force: every face at every pixel, in
// long double, with nothing of cc/geometry's triangle in it.
#ifndef TF_SOFTRAS_CC_FUZZING_SOFT_TRUTH_H_
#define TF_SOFTRAS_CC_FUZZING_SOFT_TRUTH_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cc/fuzzing/scene.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {

using Real = long double;

struct Vector2 {
  Real x, y;
};
inline Vector2 operator-(Vector2 a, Vector2 b) {
  return {a.x - b.x, a.y - b.y};
}
inline Real Dot(Vector2 a, Vector2 b) { return a.x * b.x + a.y * b.y; }
inline Real Cross(Vector2 a, Vector2 b) { return a.x * b.y - a.y * b.x; }

// A point of a face's boundary that may be the closest one to a pixel.
struct BoundaryPoint {
  Real squared_distance;
  Vector2 offset;   // pixel - point
  Real corners[3];  // barycentric coordinates
};

struct FaceTruth {
  Vector2 corners[3];
  bool in_front;
  bool has_area;
  bool is_edge[3];    // of the boundary; edge k runs from corner k to k + 1
  bool is_uncertain;  // area, or the longest edge, is lost in rounding

  bool Contains(Vector2 p) const {
    if (!has_area) return false;
    Real signs[3];
    for (int k = 0; k < 3; ++k) {
      const Vector2 a = corners[k], b = corners[(k + 1) % 3];
      signs[k] = Cross(b - a, p - a);
    }
    return (signs[0] > 0 && signs[1] > 0 && signs[2] > 0) ||
           (signs[0] < 0 && signs[1] < 0 && signs[2] < 0);
  }

  BoundaryPoint ClosestOnEdge(int k, Vector2 p) const {
    const Vector2 a = corners[k], along = corners[(k + 1) % 3] - a;
    const Real square = Dot(along, along);
    const Real t =
        square > 0
            ? std::min<Real>(1, std::max<Real>(0, Dot(p - a, along) / square))
            : 0;
    BoundaryPoint point = {};
    point.offset = {p.x - (a.x + t * along.x), p.y - (a.y + t * along.y)};
    point.squared_distance = Dot(point.offset, point.offset);
    point.corners[k] = 1 - t;
    point.corners[(k + 1) % 3] = t;
    return point;
  }
};

template <typename T>
FaceTruth MakeFaceTruth(const FuzzScene<T>& scene, int64_t item, int64_t face) {
  FaceTruth truth = {};
  truth.in_front = true;
  for (int k = 0; k < 3; ++k) {
    const T* v = scene.vertices.data() +
                 3 * (item * scene.num_vertices + scene.faces[3 * face + k]);
    truth.corners[k] = {v[0], v[1]};
    truth.in_front &= v[2] > static_cast<T>(scene.near);
  }
  const Vector2* c = truth.corners;
  const Real area = Cross(c[1] - c[0], c[2] - c[0]);
  Real lengths[3];
  int longest = 0;
  for (int k = 0; k < 3; ++k) {
    const Vector2 along = c[(k + 1) % 3] - c[k];
    lengths[k] = std::sqrt(Dot(along, along));
    if (lengths[k] > lengths[longest]) longest = k;
  }
  truth.has_area = area != 0;
  // Where double may decide otherwise.
  const Real span = lengths[longest] * lengths[longest];
  truth.is_uncertain = truth.has_area && std::fabs(area) < 1e-13L * span;
  for (int k = 0; k < 3; ++k) {
    truth.is_edge[k] = truth.has_area || k == longest;
    truth.is_uncertain |= !truth.has_area && k != longest &&
                          lengths[k] != lengths[longest] &&
                          lengths[k] > lengths[longest] * (1 - 1e-13L);
    // Edges shorter than Far<T>::kShortestEdge count as points.
    truth.is_uncertain |= lengths[k] != 0 && lengths[k] < 1e-17L;
  }
  return truth;
}

struct SoftTruth {
  std::vector<double> silhouette;
  std::vector<Real> gradient;  // [batch, num_vertices, 2]
  std::vector<Real> absolute;  // its terms' absolute values, summed
  // The norm of what differs between the sides of each tie of closest points:
  // there the gradient jumps.
  Real ties = 0;
  // The gradient's change when all distances change by 1, at first order and at
  // most: what their rounding is multiplied by.
  Real slope = 0;
  bool is_uncertain = false;
};

// One item of the batch.
template <typename T>
class SoftTruthOfItem {
 public:
  SoftTruthOfItem(const FuzzScene<T>& scene, int64_t item, SoftTruth* truth)
      : scene_(scene), item_(item), truth_(truth) {
    for (int64_t face = 0; face < scene.num_faces; ++face) {
      faces_.push_back(MakeFaceTruth(scene, item, face));
      truth->is_uncertain |=
          faces_.back().in_front && faces_.back().is_uncertain;
    }
  }

  void AddPixel(int64_t row, int64_t column) {
    const Real side = static_cast<Real>(std::min(scene_.height, scene_.width));
    const Vector2 p = {static_cast<Real>(2 * column + 1 - scene_.width) / side,
                       static_cast<Real>(scene_.height - 1 - 2 * row) / side};
    Real log_transparency = 0;
    std::vector<Real> coverage(faces_.size());
    // d(log transparency) / d(distances).
    Real slope = 0;
    for (size_t f = 0; f < faces_.size(); ++f) {
      if (!faces_[f].in_front) continue;
      const Real square = SignedSquare(faces_[f], p);
      const Real x = square / scene_.sigma;
      log_transparency -=
          std::max<Real>(x, 0) + std::log1p(std::exp(-std::fabs(x)));
      coverage[f] = 1 / (1 + std::exp(-x));
      slope += coverage[f] * 2 * std::sqrt(std::fabs(square)) / scene_.sigma;
    }
    truth_->silhouette.push_back(
        static_cast<double>(-std::expm1(log_transparency)));
    const Real upstream =
        scene_.upstream[(item_ * scene_.height + row) * scene_.width + column];
    if (upstream == 0) return;
    for (size_t f = 0; f < faces_.size(); ++f) {
      if (!faces_[f].in_front) continue;
      AddGradient(
          faces_[f], static_cast<int64_t>(f), p, slope,
          upstream * std::exp(log_transparency) * coverage[f] / scene_.sigma);
    }
  }

 private:
  static Real SignedSquare(const FaceTruth& face, Vector2 p) {
    Real nearest = INFINITY;
    for (int k = 0; k < 3; ++k) {
      if (!face.is_edge[k]) continue;
      nearest = std::min(nearest, face.ClosestOnEdge(k, p).squared_distance);
    }
    return face.Contains(p) ? nearest : -nearest;
  }

  // d(s d^2) / d(corner k) = -2 s corners[k] offset.
  void AddGradient(const FaceTruth& face, int64_t index, Vector2 p, Real slope,
                   Real weight) {
    BoundaryPoint points[3];
    int best = -1;
    for (int k = 0; k < 3; ++k) {
      if (!face.is_edge[k]) continue;
      points[k] = face.ClosestOnEdge(k, p);
      if (best < 0 ||
          points[k].squared_distance < points[best].squared_distance) {
        best = k;
      }
    }
    const Real factor = -2 * weight * (face.Contains(p) ? 1 : -1);
    const BoundaryPoint& nearest = points[best];
    for (int k = 0; k < 3; ++k) {
      const int64_t vertex = scene_.faces[3 * index + k];
      const int64_t target = 2 * (item_ * scene_.num_vertices + vertex);
      const Real terms[2] = {factor * nearest.corners[k] * nearest.offset.x,
                             factor * nearest.corners[k] * nearest.offset.y};
      for (int axis = 0; axis < 2; ++axis) {
        truth_->gradient[target + axis] += terms[axis];
        truth_->absolute[target + axis] += std::fabs(terms[axis]);
      }
    }
    const Real distance = std::sqrt(nearest.squared_distance);
    truth_->slope += std::fabs(factor) * (1 + distance * slope);
    for (int k = 0; k < 3; ++k) {
      if (!face.is_edge[k] || k == best) continue;
      if (std::sqrt(points[k].squared_distance) - distance > 1e-13L) continue;
      Real square = 0;
      for (int j = 0; j < 3; ++j) {
        const Vector2 difference = {points[k].corners[j] * points[k].offset.x -
                                        nearest.corners[j] * nearest.offset.x,
                                    points[k].corners[j] * points[k].offset.y -
                                        nearest.corners[j] * nearest.offset.y};
        square += Dot(difference, difference);
      }
      truth_->ties += std::fabs(factor) * std::sqrt(square);
    }
  }

  const FuzzScene<T>& scene_;
  int64_t item_;
  SoftTruth* truth_;
  std::vector<FaceTruth> faces_;
};

template <typename T>
SoftTruth BruteForce(const FuzzScene<T>& scene) {
  SoftTruth truth;
  truth.gradient.resize(2 * scene.batch * scene.num_vertices);
  truth.absolute.resize(truth.gradient.size());
  for (int64_t item = 0; item < scene.batch; ++item) {
    SoftTruthOfItem<T> of_item(scene, item, &truth);
    for (int64_t row = 0; row < scene.height; ++row) {
      for (int64_t column = 0; column < scene.width; ++column) {
        of_item.AddPixel(row, column);
      }
    }
  }
  return truth;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_FUZZING_SOFT_TRUTH_H_
