// The scenes of the benchmarks of all devices, row by row, and how they are
// verified and timed.
#ifndef TF_SOFTRAS_CC_BENCHMARKS_SCENES_H_
#define TF_SOFTRAS_CC_BENCHMARKS_SCENES_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"

namespace tf_softras {

using Vector3 = std::array<double, 3>;

struct TimedScene {
  const char* row;
  const char* what;
  int64_t batch, side;
  float sigma;
  std::vector<float> vertices;
  std::vector<int32_t> faces;

  SoftRasterizeInputs<float> inputs() const {
    SoftRasterizeInputs<float> inputs;
    inputs.vertices = vertices.data();
    inputs.faces = faces.data();
    inputs.batch = batch;
    inputs.num_vertices = static_cast<int64_t>(vertices.size()) / 3 / batch;
    inputs.num_faces = static_cast<int64_t>(faces.size()) / 3;
    inputs.height = side;
    inputs.width = side;
    inputs.sigma = sigma;
    return inputs;
  }
  int64_t pixels() const { return batch * side * side; }
};

// A slightly crumpled sphere of radius 0.5 with 20 * 4^level faces. An N3MR
// camera sees each item from a different azimuth.
inline TimedScene Sphere(const char* row, const char* what, int level,
                         int64_t batch, int64_t side, float sigma) {
  const double g = (1 + std::sqrt(5.0)) / 2;
  std::vector<Vector3> points = {{-1, g, 0},  {1, g, 0},   {-1, -g, 0},
                                 {1, -g, 0},  {0, -1, g},  {0, 1, g},
                                 {0, -1, -g}, {0, 1, -g},  {g, 0, -1},
                                 {g, 0, 1},   {-g, 0, -1}, {-g, 0, 1}};
  TimedScene scene = {row, what, batch, side, sigma, {}, {}};
  scene.faces = {0, 11, 5, 0, 5,  1,  0,  1,  7,  0,  7, 10, 0, 10, 11,
                 1, 5,  9, 5, 11, 4,  11, 10, 2,  10, 7, 6,  7, 1,  8,
                 3, 9,  4, 3, 4,  2,  3,  2,  6,  3,  6, 8,  3, 8,  9,
                 4, 9,  5, 2, 4,  11, 6,  2,  10, 8,  6, 7,  9, 8,  1};
  for (; level > 0; --level) {
    std::map<std::pair<int32_t, int32_t>, int32_t> middles;
    std::vector<int32_t> finer;
    for (size_t f = 0; f < scene.faces.size(); f += 3) {
      int32_t v[3], m[3];
      for (int k = 0; k < 3; ++k) v[k] = scene.faces[f + k];
      for (int k = 0; k < 3; ++k) {
        const int32_t a = v[k], b = v[(k + 1) % 3];
        const auto found = middles.try_emplace(
            std::minmax(a, b), static_cast<int32_t>(points.size()));
        if (found.second) {
          points.push_back({points[a][0] + points[b][0],
                            points[a][1] + points[b][1],
                            points[a][2] + points[b][2]});
        }
        m[k] = found.first->second;
      }
      finer.insert(finer.end(), {v[0], m[0], m[2], v[1], m[1], m[0], v[2], m[2],
                                 m[1], m[0], m[1], m[2]});
    }
    scene.faces = std::move(finer);
    for (Vector3& p : points) {
      const double length = std::hypot(p[0], p[1], p[2]);
      for (double& x : p) x *= 1 / length;
    }
  }
  std::mt19937 random(0);
  std::normal_distribution<double> noise(0, 0.02);
  for (int64_t item = 0; item < batch; ++item) {
    const double t = 0.1 + 0.7 * static_cast<double>(item), e = M_PI / 6;
    const Vector3 eye = {std::cos(e) * std::cos(t), std::sin(e),
                         std::cos(e) * std::sin(t)};
    const Vector3 right = {std::sin(t), 0, -std::cos(t)};
    const Vector3 up = {-std::sin(e) * std::cos(t), std::cos(e),
                        -std::sin(e) * std::sin(t)};
    const auto dot = [](const Vector3& a, const Vector3& b) {
      return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    };
    for (const Vector3& point : points) {
      const double length = std::hypot(point[0], point[1], point[2]);
      const double radius = 0.5 * (1 + noise(random)) / length;
      const Vector3 p = {point[0] * radius, point[1] * radius,
                         point[2] * radius};
      const double depth = 2.732 - dot(p, eye);
      const double scale = 1 / (depth * std::tan(M_PI / 12));
      scene.vertices.push_back(static_cast<float>(dot(p, right) * scale));
      scene.vertices.push_back(static_cast<float>(dot(p, up) * scale));
      scene.vertices.push_back(static_cast<float>(depth));
    }
  }
  return scene;
}

// A scene shrunk by `scale` and moved to `center` on both axes.
inline TimedScene Moved(TimedScene scene, float scale, float center) {
  for (size_t i = 0; i < scene.vertices.size(); ++i) {
    if (i % 3 < 2) scene.vertices[i] = center + scale * scene.vertices[i];
  }
  return scene;
}

// One face that covers the whole image.
inline TimedScene HugeFace(const char* row, const char* what, int64_t side,
                           float sigma) {
  return {row,      what,
          1,        side,
          sigma,    {-1.9f, -1.2f, 1.0f, 1.9f, -1.1f, 1.0f, 0.1f, 1.9f, 1.0f},
          {0, 1, 2}};
}

inline Triangle FaceOf(const TimedScene& scene, int64_t item, int64_t face) {
  const SoftRasterizeInputs<float> inputs = scene.inputs();
  Point2 corners[3];
  for (int k = 0; k < 3; ++k) {
    const float* v = inputs.vertices + 3 * (item * inputs.num_vertices +
                                            inputs.faces[3 * face + k]);
    corners[k] = {v[0], v[1]};
  }
  return MakeTriangle<double>(corners[0], corners[1], corners[2]);
}

// Compares with eqs. 1 and 2 over all faces, in double, at pixels spread over
// the first item. Returns the largest error.
inline double WorstError(const TimedScene& scene,
                         const std::vector<float>& silhouette) {
  const SoftRasterizeInputs<float> inputs = scene.inputs();
  const ImagePlane plane = {scene.side, scene.side};
  std::mt19937 random(1);
  double worst = 0;
  for (int sample = 0; sample < 48; ++sample) {
    const int64_t pixel = static_cast<int64_t>(
        random() % static_cast<uint32_t>(scene.side * scene.side));
    const Point2 p = {plane.x(static_cast<double>(pixel % scene.side)),
                      plane.y(static_cast<double>(pixel / scene.side))};
    double log_transparency = 0;
    for (int64_t face = 0; face < inputs.num_faces; ++face) {
      const double x =
          SignedSquaredDistance(
              Sample(Localize<double>(FaceOf(scene, 0, face), p), 0.0, 0.0)) /
          scene.sigma;
      log_transparency -=
          std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
    }
    worst = std::max(
        worst, std::fabs(-std::expm1(log_transparency) - silhouette[pixel]));
  }
  return worst;
}

// Counts the pairs that must be evaluated: pixels inside a face or within the
// cut-off of its boundary.
inline int64_t CountPairs(const TimedScene& scene, double cutoff) {
  const SoftRasterizeInputs<float> inputs = scene.inputs();
  const ImagePlane plane = {scene.side, scene.side};
  const double limit = cutoff * static_cast<double>(scene.sigma);
  const double radius = std::sqrt(limit);
  int64_t pairs = 0;
  for (int64_t face = 0; face < inputs.num_faces; ++face) {
    const Triangle triangle = FaceOf(scene, 0, face);
    double low_x = 1e9, high_x = -1e9, low_y = 1e9, high_y = -1e9;
    for (const Edge& edge : triangle.edges) {
      low_x = std::min(low_x, edge.a.x), high_x = std::max(high_x, edge.a.x);
      low_y = std::min(low_y, edge.a.y), high_y = std::max(high_y, edge.a.y);
    }
    const PixelRect rect =
        PixelsInside(plane, plane.bounds(), low_x - radius, high_x + radius,
                     low_y - radius, high_y + radius)
            .ToPixels();
    for (int64_t row = rect.row_begin; row < rect.row_end; ++row) {
      for (int64_t column = rect.column_begin; column < rect.column_end;
           ++column) {
        const Point2 p = {plane.x(static_cast<double>(column)),
                          plane.y(static_cast<double>(row))};
        const auto sample = Sample(Localize<double>(triangle, p), 0.0, 0.0);
        pairs += sample.inside || sample.squared_distance <= limit;
      }
    }
  }
  // The items differ only by the azimuth.
  return pairs * scene.batch;
}

// The bound of docs/architecture.md on what WorstError may return.
inline double PromisedError(const TimedScene& scene) {
  return 5e-6 + 4e-8 / std::sqrt(static_cast<double>(scene.sigma));
}

struct Times {
  double median, fastest, slowest;  // milliseconds
};

inline double WallMilliseconds() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The processor time of all threads of this process. Other processes hardly
// change it.
inline double CpuMilliseconds() {
  return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

inline Times Measure(int repeats, const std::function<void()>& run,
                     double (*now)() = WallMilliseconds) {
  run();
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const double start = now();
    run();
    times.push_back(now() - start);
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times.front(), times.back()};
}

struct Row {
  char name;
  std::function<TimedScene()> make;
};

inline std::vector<Row> Rows() {
  const char* paper = "1,280 faces, 64 x 64, batch 64";
  const auto row = [](const char* name, const char* what, int level,
                      int64_t batch, int64_t side, float sigma) {
    return Row{name[0],
               [=] { return Sphere(name, what, level, batch, side, sigma); }};
  };
  return {
      row("a", paper, 3, 64, 64, 3e-5f),
      row("b", paper, 3, 64, 64, 1e-4f),
      row("b", paper, 3, 64, 64, 1e-2f),
      row("c", "5,120 faces, 256 x 256, batch 4", 4, 4, 256, 3e-5f),
      row("d", "81,920 faces, 512 x 512, batch 1", 6, 1, 512, 3e-5f),
      row("e", "1,310,720 faces, 1024 x 1024, batch 1", 8, 1, 1024, 3e-5f),
      {'t',
       [] {
         return Moved(Sphere("t", "81,920 faces in one tile, 512 x 512", 6, 1,
                             512, 1e-6f),
                      0.02f, 0.53f);
       }},
      {'h', [] { return HugeFace("h", "one face, 1024 x 1024", 1024, 1e-2f); }},
  };
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_BENCHMARKS_SCENES_H_
