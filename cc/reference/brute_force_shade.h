// The shader's definition (docs/architecture.md) and its gradient by brute
// force: every pixel against every face, in long double. The shader's passes
// are tested against it. The gradient comes from dual numbers, which carry
// their derivatives, so it shares no formula with cc/geometry.
#ifndef TF_SOFTRAS_CC_REFERENCE_BRUTE_FORCE_SHADE_H_
#define TF_SOFTRAS_CC_REFERENCE_BRUTE_FORCE_SHADE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cc/raster/inputs.h"
#include "cc/reference/brute_force.h"

namespace tf_softras {

struct BruteForceShade {
  std::vector<double> image;  // [batch, height, width, channels]
  // The gradients of the sum of the image weighted by `upstream`.
  std::vector<double> vertices, attributes, background;
  // Whether a pair is within rounding of min_coverage, or two faces are equally
  // near with hard aggregation.
  bool is_uncertain = false;
};

namespace brute_force {

// A number and its derivatives with respect to a face's coordinates: x, y, z
// of corner k are 3 k .. 3 k + 2.
struct Dual {
  Real value;
  Real slopes[9] = {};

  Dual(Real value = 0) : value(value) {}
  static Dual Coordinate(Real value, int which) {
    Dual dual(value);
    dual.slopes[which] = 1;
    return dual;
  }

  // f(value) with the derivative `slope` there.
  Dual Of(Real f, Real slope) const {
    Dual dual(f);
    for (int i = 0; i < 9; ++i) dual.slopes[i] = slope * slopes[i];
    return dual;
  }
};
inline Dual operator+(const Dual& a, const Dual& b) {
  Dual sum(a.value + b.value);
  for (int i = 0; i < 9; ++i) sum.slopes[i] = a.slopes[i] + b.slopes[i];
  return sum;
}
inline Dual operator*(const Dual& a, const Dual& b) {
  Dual product(a.value * b.value);
  for (int i = 0; i < 9; ++i) {
    product.slopes[i] = a.value * b.slopes[i] + b.value * a.slopes[i];
  }
  return product;
}
inline Dual operator-(const Dual& a, const Dual& b) { return a + Dual(-1) * b; }
inline Dual operator/(const Dual& a, const Dual& b) {
  return a * b.Of(1 / b.value, -1 / (b.value * b.value));
}

struct DualVector {
  Dual x, y;
};
inline DualVector operator-(const DualVector& a, const DualVector& b) {
  return {a.x - b.x, a.y - b.y};
}
inline Dual Dot(const DualVector& a, const DualVector& b) {
  return a.x * b.x + a.y * b.y;
}
inline Dual Cross(const DualVector& a, const DualVector& b) {
  return a.x * b.y - a.y * b.x;
}

// A face with its depths.
template <typename T>
struct DeepFace {
  Face plane;
  DualVector corners[3];
  Dual depths[3];
  bool is_linear;  // z, not 1/z, on the image plane

  DeepFace(const SoftRasterizeInputs<T>& inputs, int64_t item, int64_t face)
      : plane(inputs, item, face), is_linear(inputs.is_linear) {
    for (int k = 0; k < 3; ++k) {
      const T* v =
          inputs.vertices + 3 * (item * inputs.num_vertices +
                                 static_cast<int64_t>(plane.vertices[k]));
      corners[k] = {Dual::Coordinate(v[0], 3 * k),
                    Dual::Coordinate(v[1], 3 * k + 1)};
      depths[k] = Dual::Coordinate(v[2], 3 * k + 2);
    }
  }

  // Barycentric coordinates of a pixel.
  void OwnCoordinates(Vector p, Dual (&b)[3]) const {
    const DualVector pixel = {Dual(p.x), Dual(p.y)};
    const Dual area = Cross(corners[1] - corners[0], corners[2] - corners[0]);
    for (int k = 0; k < 3; ++k) {
      b[k] = Cross(corners[(k + 1) % 3] - pixel, corners[(k + 2) % 3] - pixel) /
             area;
    }
  }

  // Barycentric coordinates of the boundary's closest point. Returns the
  // squared distance to it.
  Dual ClosestCoordinates(Vector p, Dual (&b)[3]) const {
    int edge = 0;
    Real least = HUGE_VALL;
    for (int k = 0; k < 3; ++k) {
      const Real squared = plane.is_edge[k]
                               ? plane.ClosestOnEdge(k, p).squared_distance
                               : HUGE_VALL;
      if (squared < least) least = squared, edge = k;
    }
    const DualVector pixel = {Dual(p.x), Dual(p.y)};
    const DualVector a = corners[edge],
                     along = corners[(edge + 1) % 3] - corners[edge];
    const Real fraction = plane.ClosestOnEdge(edge, p).corners[(edge + 1) % 3];
    const Dual t = fraction > 0 && fraction < 1
                       ? Dot(pixel - a, along) / Dot(along, along)
                       : Dual(fraction);
    b[0] = b[1] = b[2] = Dual(0);
    b[edge] = Dual(1) - t;
    b[(edge + 1) % 3] = t;
    const DualVector offset = {pixel.x - a.x - t * along.x,
                               pixel.y - a.y - t * along.y};
    return Dot(offset, offset);
  }

  // Depth and the weights of the corners.
  Dual Interpolate(const Dual (&b)[3], Dual (&weights)[3]) const {
    if (is_linear) {
      for (int k = 0; k < 3; ++k) weights[k] = b[k];
      return b[0] * depths[0] + b[1] * depths[1] + b[2] * depths[2];
    }
    const Dual inverse = b[0] / depths[0] + b[1] / depths[1] + b[2] / depths[2];
    const Dual depth = Dual(1) / inverse;
    for (int k = 0; k < 3; ++k) weights[k] = b[k] * depth / depths[k];
    return depth;
  }
};

// A face's part in a pixel: the logarithm of its weight, up to a constant, and
// the weights of its corners.
struct Part {
  size_t face;
  Dual logit;
  Dual log_coverage;
  Dual weights[3];
};

// The parts of the faces that count with soft aggregation.
template <typename T>
std::vector<Part> SoftParts(const SoftShadeInputs<T>& inputs,
                            const std::vector<DeepFace<T>>& faces, Vector p,
                            bool* is_uncertain) {
  const Real sigma = inputs.mesh.sigma, gamma = inputs.gamma;
  const Real least = -std::log(1 / static_cast<Real>(inputs.min_coverage) - 1);
  const Real range = inputs.far - static_cast<Real>(inputs.mesh.near);
  std::vector<Part> parts;
  for (size_t f = 0; f < faces.size(); ++f) {
    const DeepFace<T>& face = faces[f];
    if (!face.plane.in_front) continue;
    const bool inside = face.plane.Contains(p);
    const Real quick =
        (inside ? 1 : -1) * face.plane.Closest(p).squared_distance / sigma;
    *is_uncertain |= std::fabs(quick - least) <= 1e-12L * std::fabs(least);
    if (quick < least) continue;
    Dual b[3];
    const Dual squared = face.ClosestCoordinates(p, b);
    if (inside) face.OwnCoordinates(p, b);
    const Dual x = Dual((inside ? 1 : -1) / sigma) * squared;
    // log D = -log(1 + e^-x), and its derivative is 1 - D.
    const Dual log_coverage =
        x.Of(x.value > 0 ? -std::log1p(std::exp(-x.value))
                         : x.value - std::log1p(std::exp(x.value)),
             1 / (1 + std::exp(x.value)));
    Part part = {f, {}, log_coverage, {}};
    const Dual depth = face.Interpolate(b, part.weights);
    part.logit =
        log_coverage + (Dual(inputs.far) - depth) * Dual(1 / (range * gamma));
    parts.push_back(part);
  }
  return parts;
}

// The part of the nearest face.
template <typename T>
std::vector<Part> HardParts(const std::vector<DeepFace<T>>& faces, Vector p,
                            bool* is_uncertain) {
  std::vector<Part> parts;
  Real nearest = HUGE_VALL;
  for (size_t f = 0; f < faces.size(); ++f) {
    const DeepFace<T>& face = faces[f];
    if (!face.plane.in_front || !face.plane.has_area) continue;
    Dual b[3];
    face.OwnCoordinates(p, b);
    if (!(b[0].value >= 0 && b[1].value >= 0 && b[2].value >= 0)) continue;
    Part part = {f, Dual(0), Dual(0), {}};
    const Real depth = face.Interpolate(b, part.weights).value;
    *is_uncertain |= std::fabs(depth - nearest) < 1e-6L * depth;
    if (!(depth < nearest)) continue;
    nearest = depth;
    parts.assign(1, part);
  }
  return parts;
}

// Draws one pixel and adds its part to the gradients. Pointers are to the
// arrays of the item; those of the background are to the pixel's channels.
template <typename T>
void AddShadedPixel(const SoftShadeInputs<T>& inputs,
                    const std::vector<DeepFace<T>>& faces,
                    const std::vector<Part>& parts, Real background_logit,
                    const T* attributes, const T* background, const T* upstream,
                    double* vertices_gradient, double* attributes_gradient,
                    double* background_gradient, std::vector<double>* image) {
  const int64_t channels = inputs.channels;
  Real most = background_logit;
  for (const Part& part : parts) most = std::max(most, part.logit.value);
  Real background_weight = std::exp(background_logit - most);
  Real total = background_weight;
  for (const Part& part : parts) total += std::exp(part.logit.value - most);
  background_weight /= total;
  const auto attribute = [&](const Part& part, int k) {
    return attributes + faces[part.face].plane.vertices[k] * channels;
  };
  Real mean = 0;
  const int64_t blended = channels - inputs.summed_channels;
  for (int64_t c = 0; c < blended; ++c) {
    Real sum = background_weight * background[c];
    for (const Part& part : parts) {
      const Real weight = std::exp(part.logit.value - most) / total;
      for (int k = 0; k < 3; ++k) {
        sum += weight * part.weights[k].value * attribute(part, k)[c];
      }
    }
    image->push_back(static_cast<double>(sum));
    mean += sum * upstream[c];
    background_gradient[c] +=
        static_cast<double>(background_weight * upstream[c]);
  }
  for (int64_t c = blended; c < channels; ++c) {
    Real sum = 0;
    for (const Part& part : parts) {
      for (int k = 0; k < 3; ++k) {
        sum += std::exp(part.log_coverage.value) * part.weights[k].value *
               attribute(part, k)[c];
      }
    }
    image->push_back(static_cast<double>(sum));
  }
  for (const Part& part : parts) {
    const Real weight = std::exp(part.logit.value - most) / total;
    const Real coverage = std::exp(part.log_coverage.value);
    Dual value, summed;
    for (int k = 0; k < 3; ++k) {
      Real corner = 0, corner_sum = 0;
      const int64_t first = faces[part.face].plane.vertices[k] * channels;
      for (int64_t c = 0; c < channels; ++c) {
        (c < blended ? corner : corner_sum) +=
            static_cast<Real>(upstream[c]) * attribute(part, k)[c];
        attributes_gradient[first + c] +=
            static_cast<double>((c < blended ? weight : coverage) *
                                part.weights[k].value * upstream[c]);
      }
      value = value + Dual(corner) * part.weights[k];
      summed = summed + Dual(corner_sum) * part.weights[k];
    }
    for (int i = 0; i < 9; ++i) {
      const int64_t vertex = faces[part.face].plane.vertices[i / 3];
      vertices_gradient[3 * vertex + i % 3] += static_cast<double>(
          weight *
              (value.slopes[i] + (value.value - mean) * part.logit.slopes[i]) +
          coverage *
              (summed.slopes[i] + summed.value * part.log_coverage.slopes[i]));
    }
  }
}

template <typename T>
void AddShadedItem(const SoftShadeInputs<T>& inputs, bool is_hard, int64_t item,
                   const T* upstream, BruteForceShade* result) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const int64_t channels = inputs.channels;
  std::vector<DeepFace<T>> faces;
  for (int64_t face = 0; face < mesh.num_faces; ++face) {
    faces.emplace_back(mesh, item, face);
  }
  const int64_t pixels = mesh.height * mesh.width;
  const Real shorter = static_cast<Real>(std::min(mesh.height, mesh.width));
  for (int64_t i = 0; i < pixels; ++i) {
    const int64_t row = i / mesh.width, column = i % mesh.width;
    const Vector p = {static_cast<Real>(2 * column + 1 - mesh.width) / shorter,
                      static_cast<Real>(mesh.height - 1 - 2 * row) / shorter};
    const std::vector<Part> parts =
        is_hard ? HardParts(faces, p, &result->is_uncertain)
                : SoftParts(inputs, faces, p, &result->is_uncertain);
    // With hard aggregation a face hides the background.
    const Real background_logit =
        is_hard ? (parts.empty() ? 0 : -HUGE_VALL)
                : inputs.epsilon / static_cast<Real>(inputs.gamma);
    const int64_t pixel = item * pixels + i;
    const int64_t background =
        inputs.background_is_image ? pixel * channels : 0;
    AddShadedPixel(
        inputs, faces, parts, background_logit,
        inputs.attributes + item * mesh.num_vertices * channels,
        inputs.background + background, upstream + pixel * channels,
        result->vertices.data() + item * mesh.num_vertices * 3,
        result->attributes.data() + item * mesh.num_vertices * channels,
        result->background.data() + background, &result->image);
  }
}

}  // namespace brute_force

template <typename T>
BruteForceShade ShadeByBruteForce(const SoftShadeInputs<T>& inputs,
                                  bool is_hard, const T* upstream) {
  BruteForceShade result;
  result.vertices.resize(inputs.mesh.batch * inputs.mesh.num_vertices * 3);
  result.attributes.resize(inputs.num_attributes());
  result.background.resize(inputs.num_background());
  for (int64_t item = 0; item < inputs.mesh.batch; ++item) {
    brute_force::AddShadedItem(inputs, is_hard, item, upstream, &result);
  }
  return result;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_REFERENCE_BRUTE_FORCE_SHADE_H_
