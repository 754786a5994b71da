// Eqs. 1-2 and their gradient by brute force: every pixel against every face,
// in long double. Rasterisers are tested against it. It shares nothing with
// cc/geometry, and only the struct of inputs with the passes.
#ifndef TF_SOFTRAS_CC_REFERENCE_BRUTE_FORCE_H_
#define TF_SOFTRAS_CC_REFERENCE_BRUTE_FORCE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "cc/raster/inputs.h"

namespace tf_softras {

struct BruteForce {
  std::vector<double> silhouette;  // [batch, height, width]
  // The gradient of the sum of the image weighted by `upstream`, [batch,
  // num_vertices, 3], and the sum of its terms' absolute values.
  std::vector<double> gradient;
  std::vector<double> absolute;
  // The gradient jumps where two points of a boundary are equally near. This is
  // the norm of the difference between the sides, summed.
  double ties = 0;
  // The most that the gradient changes, at first order, when all distances
  // change by 1: the factor of their rounding errors.
  double slope = 0;
  // Double may decide otherwise whether a face has an area, or which of its
  // edges is the longest.
  bool is_uncertain = false;
};

namespace brute_force {

using Real = long double;

struct Vector {
  Real x, y;
};
inline Vector operator-(Vector a, Vector b) { return {a.x - b.x, a.y - b.y}; }
inline Real Dot(Vector a, Vector b) { return a.x * b.x + a.y * b.y; }
inline Real Cross(Vector a, Vector b) { return a.x * b.y - a.y * b.x; }

// A point of a face's boundary that may be the closest one to a pixel.
struct BoundaryPoint {
  Real squared_distance;
  Vector offset;    // pixel - point
  Real corners[3];  // barycentric coordinates

  Vector Term(int corner) const {
    return {corners[corner] * offset.x, corners[corner] * offset.y};
  }
};

struct Face {
  const int32_t* vertices;  // of its corners
  Vector corners[3];
  bool in_front;
  bool has_area;
  bool is_edge[3];  // of the boundary; edge k runs from corner k to k + 1
  bool is_uncertain;

  template <typename T>
  Face(const SoftRasterizeInputs<T>& inputs, int64_t item, int64_t face)
      : vertices(inputs.faces + 3 * face), in_front(true) {
    for (int k = 0; k < 3; ++k) {
      const T* v =
          inputs.vertices + 3 * (item * inputs.num_vertices + vertices[k]);
      corners[k] = {v[0], v[1]};
      in_front &= v[2] > inputs.near;
    }
    const Real area = Cross(corners[1] - corners[0], corners[2] - corners[0]);
    Real lengths[3];
    for (int k = 0; k < 3; ++k) {
      const Vector along = corners[(k + 1) % 3] - corners[k];
      lengths[k] = std::sqrt(Dot(along, along));
    }
    // A face without area is its longest edge, the first of equally long ones.
    const int longest =
        static_cast<int>(std::max_element(lengths, lengths + 3) - lengths);
    const Real most = lengths[longest];
    has_area = area != 0;
    is_uncertain = has_area && std::fabs(area) < 1e-13L * most * most;
    for (int k = 0; k < 3; ++k) {
      is_edge[k] = has_area || k == longest;
      is_uncertain |=
          !has_area && lengths[k] != most && lengths[k] > most * (1 - 1e-13L);
      // The shortest edges count as points.
      is_uncertain |= lengths[k] != 0 && lengths[k] < 1e-17L;
    }
  }

  bool Contains(Vector p) const {
    bool left = has_area, right = has_area;
    for (int k = 0; k < 3; ++k) {
      const Real side =
          Cross(corners[(k + 1) % 3] - corners[k], p - corners[k]);
      left &= side > 0;
      right &= side < 0;
    }
    return left || right;
  }

  BoundaryPoint ClosestOnEdge(int k, Vector p) const {
    const Vector a = corners[k], along = corners[(k + 1) % 3] - a;
    const Real square = Dot(along, along);
    const Real t =
        square > 0 ? std::clamp<Real>(Dot(p - a, along) / square, 0, 1) : 0;
    BoundaryPoint point = {};
    point.offset = {p.x - (a.x + t * along.x), p.y - (a.y + t * along.y)};
    point.squared_distance = Dot(point.offset, point.offset);
    point.corners[k] = 1 - t;
    point.corners[(k + 1) % 3] = t;
    return point;
  }

  BoundaryPoint Closest(Vector p) const {
    BoundaryPoint closest;
    closest.squared_distance = std::numeric_limits<Real>::infinity();
    for (int k = 0; k < 3; ++k) {
      if (!is_edge[k]) continue;
      const BoundaryPoint point = ClosestOnEdge(k, p);
      if (point.squared_distance < closest.squared_distance) closest = point;
    }
    return closest;
  }

  // Returns how much the terms at p would differ if another equally near point
  // were the closest one.
  Real Tie(const BoundaryPoint& closest, Vector p) const {
    Real most = 0;
    for (int k = 0; k < 3; ++k) {
      if (!is_edge[k]) continue;
      const BoundaryPoint point = ClosestOnEdge(k, p);
      if (std::sqrt(point.squared_distance) -
              std::sqrt(closest.squared_distance) >
          1e-13L) {
        continue;
      }
      Real square = 0;
      for (int j = 0; j < 3; ++j) {
        const Vector difference = point.Term(j) - closest.Term(j);
        square += Dot(difference, difference);
      }
      most = std::max(most, std::sqrt(square));
    }
    return most;
  }
};

// One face and one pixel.
struct Pair {
  BoundaryPoint closest;
  Real sign, coverage;
};

// Adds a pixel's part of the gradient, from its pairs with all faces.
template <typename T>
void AddGradient(const SoftRasterizeInputs<T>& inputs, int64_t item, Vector p,
                 const std::vector<Face>& faces, const std::vector<Pair>& pairs,
                 Real weight, BruteForce* result) {
  // d(log transparency) / d(distances).
  Real slope = 0;
  for (size_t f = 0; f < faces.size(); ++f) {
    if (!faces[f].in_front) continue;
    slope += pairs[f].coverage * 2 *
             std::sqrt(pairs[f].closest.squared_distance) / inputs.sigma;
  }
  for (size_t f = 0; f < faces.size(); ++f) {
    const Face& face = faces[f];
    if (!face.in_front) continue;
    const BoundaryPoint& closest = pairs[f].closest;
    // d(s d^2) / d(corner k) = -2 s corners[k] offset.
    const Real factor =
        -2 * pairs[f].sign * weight * pairs[f].coverage / inputs.sigma;
    for (int k = 0; k < 3; ++k) {
      const int64_t target =
          3 * (item * inputs.num_vertices + face.vertices[k]);
      const Vector term = closest.Term(k);
      result->gradient[target] += static_cast<double>(factor * term.x);
      result->gradient[target + 1] += static_cast<double>(factor * term.y);
      result->absolute[target] +=
          static_cast<double>(std::fabs(factor * term.x));
      result->absolute[target + 1] +=
          static_cast<double>(std::fabs(factor * term.y));
    }
    result->ties +=
        static_cast<double>(std::fabs(factor) * face.Tie(closest, p));
    result->slope += static_cast<double>(
        std::fabs(factor) * (1 + std::sqrt(closest.squared_distance) * slope));
  }
}

template <typename T>
void AddItem(const SoftRasterizeInputs<T>& inputs, int64_t item,
             const T* upstream, BruteForce* result) {
  std::vector<Face> faces;
  for (int64_t face = 0; face < inputs.num_faces; ++face) {
    faces.emplace_back(inputs, item, face);
    result->is_uncertain |= faces.back().in_front && faces.back().is_uncertain;
  }
  std::vector<Pair> pairs(faces.size());
  const Real shorter = static_cast<Real>(std::min(inputs.height, inputs.width));
  for (int64_t i = 0; i < inputs.height * inputs.width; ++i) {
    const int64_t row = i / inputs.width, column = i % inputs.width;
    const Vector p = {
        static_cast<Real>(2 * column + 1 - inputs.width) / shorter,
        static_cast<Real>(inputs.height - 1 - 2 * row) / shorter};
    Real log_transparency = 0;
    for (size_t f = 0; f < faces.size(); ++f) {
      if (!faces[f].in_front) continue;
      const BoundaryPoint closest = faces[f].Closest(p);
      const Real sign = faces[f].Contains(p) ? 1 : -1;
      const Real x = sign * closest.squared_distance / inputs.sigma;
      log_transparency -=
          std::max<Real>(x, 0) + std::log1p(std::exp(-std::fabs(x)));
      pairs[f] = {closest, sign, 1 / (1 + std::exp(-x))};
    }
    result->silhouette.push_back(
        static_cast<double>(-std::expm1(log_transparency)));
    const Real weight = upstream[item * inputs.height * inputs.width + i] *
                        std::exp(log_transparency);
    if (weight != 0) {
      AddGradient(inputs, item, p, faces, pairs, weight, result);
    }
  }
}

}  // namespace brute_force

template <typename T>
BruteForce RasterizeByBruteForce(const SoftRasterizeInputs<T>& inputs,
                                 const T* upstream) {
  BruteForce result;
  result.gradient.resize(inputs.batch * inputs.num_vertices * 3);
  result.absolute.resize(result.gradient.size());
  for (int64_t item = 0; item < inputs.batch; ++item) {
    brute_force::AddItem(inputs, item, upstream, &result);
  }
  return result;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_REFERENCE_BRUTE_FORCE_H_
