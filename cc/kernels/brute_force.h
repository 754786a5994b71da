// Eqs. 1 and 2 and their gradient, every pixel against every face, in double:
// what rasterisers are tested against. It shares nothing with cc/geometry but
// the inputs' struct.
#ifndef TF_SOFTRAS_CC_KERNELS_BRUTE_FORCE_H_
#define TF_SOFTRAS_CC_KERNELS_BRUTE_FORCE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "cc/kernels/soft_rasterize_cpu.h"

namespace tf_softras {

// The point of a triangle's boundary that is nearest to a pixel.
struct NearestPoint {
  double squared_distance = std::numeric_limits<double>::infinity();
  double rx = 0, ry = 0;          // from there to the pixel
  double corners[3] = {0, 0, 0};  // its barycentric coordinates
  bool inside = false;            // the pixel, in the triangle
};

inline NearestPoint FindNearestPoint(const double (&x)[3], const double (&y)[3],
                                     double px, double py) {
  double square[3];
  for (int k = 0; k < 3; ++k) {
    square[k] =
        std::pow(x[(k + 1) % 3] - x[k], 2) + std::pow(y[(k + 1) % 3] - y[k], 2);
  }
  const double area =
      (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0]);
  // Without area it is its longest edge, the first of equals.
  const int longest =
      static_cast<int>(std::max_element(square, square + 3) - square);
  NearestPoint nearest;
  bool left_of_all = area != 0, right_of_all = area != 0;
  for (int k = 0; k < 3; ++k) {
    if (area == 0 && k != longest) continue;
    const int next = (k + 1) % 3;
    const double ex = x[next] - x[k], ey = y[next] - y[k];
    const double t =
        square[k] > 0
            ? std::clamp(((px - x[k]) * ex + (py - y[k]) * ey) / square[k], 0.0,
                         1.0)
            : 0.0;
    const double rx = px - (x[k] + t * ex), ry = py - (y[k] + t * ey);
    const double side = ex * (py - y[k]) - ey * (px - x[k]);
    left_of_all = left_of_all && side > 0;
    right_of_all = right_of_all && side < 0;
    if (rx * rx + ry * ry >= nearest.squared_distance) continue;
    nearest = {rx * rx + ry * ry, rx, ry, {0, 0, 0}, false};
    nearest.corners[k] = 1 - t;
    nearest.corners[next] = t;
  }
  nearest.inside = left_of_all || right_of_all;
  return nearest;
}

struct BruteForce {
  std::vector<double> silhouette;  // [batch, height, width]
  std::vector<double> gradient;    // [batch, num_vertices, 3]
};

// The image, and the gradient of its sum weighted by `upstream`.
template <typename T>
BruteForce RasterizeByBruteForce(const SoftRasterizeInputs<T>& inputs,
                                 const T* upstream) {
  const double shorter =
      static_cast<double>(std::min(inputs.height, inputs.width));
  const double sigma = static_cast<double>(inputs.sigma);
  BruteForce result;
  result.silhouette.resize(inputs.batch * inputs.height * inputs.width);
  result.gradient.assign(inputs.batch * inputs.num_vertices * 3, 0.0);
  std::vector<NearestPoint> nearest(inputs.num_faces);
  for (int64_t i = 0; i < static_cast<int64_t>(result.silhouette.size()); ++i) {
    const int64_t item = i / (inputs.height * inputs.width);
    const int64_t row = i / inputs.width % inputs.height;
    const int64_t column = i % inputs.width;
    const double px =
        static_cast<double>(2 * column + 1 - inputs.width) / shorter;
    const double py =
        static_cast<double>(inputs.height - 1 - 2 * row) / shorter;
    const T* vertices = inputs.vertices + item * inputs.num_vertices * 3;
    double log_transparency = 0;
    for (int64_t face = 0; face < inputs.num_faces; ++face) {
      double x[3], y[3];
      bool in_front = true;
      for (int k = 0; k < 3; ++k) {
        const T* vertex = vertices + 3 * inputs.faces[3 * face + k];
        x[k] = static_cast<double>(vertex[0]);
        y[k] = static_cast<double>(vertex[1]);
        in_front = in_front && vertex[2] > inputs.near;
      }
      nearest[face] =
          in_front ? FindNearestPoint(x, y, px, py) : NearestPoint();
      if (!in_front) continue;
      const double d2 = nearest[face].squared_distance;
      const double exponent = (nearest[face].inside ? d2 : -d2) / sigma;
      log_transparency -=
          std::max(exponent, 0.0) + std::log1p(std::exp(-std::fabs(exponent)));
    }
    result.silhouette[i] = -std::expm1(log_transparency);
    const double weight =
        std::exp(log_transparency) * static_cast<double>(upstream[i]) / sigma;
    for (int64_t face = 0; face < inputs.num_faces; ++face) {
      const NearestPoint& point = nearest[face];
      if (!std::isfinite(point.squared_distance)) continue;
      const double sign = point.inside ? 1 : -1;
      const double coverage =
          1 / (1 + std::exp(-sign * point.squared_distance / sigma));
      for (int k = 0; k < 3; ++k) {
        double* gradient =
            result.gradient.data() +
            3 * (item * inputs.num_vertices + inputs.faces[3 * face + k]);
        const double scale = -2 * sign * weight * coverage * point.corners[k];
        gradient[0] += scale * point.rx;
        gradient[1] += scale * point.ry;
      }
    }
  }
  return result;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_BRUTE_FORCE_H_
