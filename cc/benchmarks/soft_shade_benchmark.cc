// Times the CPU shader beside the silhouettes of the same scenes, on one
// thread: verifies against brute force in double first, then prints the median
// of repeats with their spread, and how many times the silhouette's each is.
// Times are of the processor, not of the clock on the wall. Three channels,
// gamma 1e-4.
//
//   soft_shade_benchmark [--repeats=N] [--rows=abcd]
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "cc/benchmarks/scenes.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"
#include "cc/kernels/soft_rasterize_cpu.h"
#include "cc/kernels/soft_shade_cpu.h"

namespace tf_softras {
namespace {

constexpr int64_t kChannels = 3;
constexpr float kBackground[kChannels] = {0.25f, 0.5f, 1.0f};

void Serial(int64_t total, int64_t,
            const std::function<void(int64_t, int64_t)>& work) {
  if (total > 0) work(0, total);
}

struct Shading {
  SoftShadeInputs<float> inputs;
  std::vector<float> attributes, image, upstream, vertices_gradient,
      attributes_gradient, background_gradient;

  explicit Shading(const Scene& scene)
      : attributes(scene.vertices.size()),
        image(scene.pixels() * kChannels),
        upstream(image.size()),
        vertices_gradient(scene.vertices.size()),
        attributes_gradient(attributes.size()),
        background_gradient(kChannels) {
    for (size_t i = 0; i < attributes.size(); ++i) {
      attributes[i] = std::sin(static_cast<float>(i));
    }
    for (size_t i = 0; i < upstream.size(); ++i) {
      upstream[i] = std::cos(static_cast<float>(i));
    }
    inputs = {scene.inputs(),
              attributes.data(),
              kBackground,
              false,
              kChannels,
              1e-4f,
              100.0,
              1e-3,
              1e-4};
  }

  void Forward() { SoftShadeForward(inputs, image.data(), Serial); }
  void Backward() {
    SoftShadeBackward<float>(
        inputs, upstream.data(),
        {vertices_gradient.data(), attributes_gradient.data(),
         background_gradient.data()},
        Serial);
  }
};

// One pixel of the first item over all faces, by logarithms.
double TrueValue(const Scene& scene, const Shading& shading, const Point2& p) {
  const auto& mesh = shading.inputs.mesh;
  const DepthBlend<double> blend = {1.0 / static_cast<double>(mesh.sigma),
                                    CoverageCutoff(1e-4),
                                    100.0,
                                    1.0 / 100.0,
                                    1.0 / static_cast<double>(1e-4f),
                                    1e-3};
  std::vector<double> logs = {blend.background_level * blend.inverse_gamma};
  std::vector<double> values = {kBackground[0]};
  for (int64_t face = 0; face < mesh.num_faces; ++face) {
    const auto triangle = Localize<double>(FaceOf(scene, 0, face), p);
    const int32_t* v = mesh.faces + 3 * face;
    const auto pair = Shade(blend, triangle, MakeEdgeShares(triangle),
                            MakeFaceDepths<double>(mesh.vertices[3 * v[0] + 2],
                                                   mesh.vertices[3 * v[1] + 2],
                                                   mesh.vertices[3 * v[2] + 2]),
                            0.0, 0.0);
    if (!pair.counts) continue;
    logs.push_back(std::log(pair.coverage) + pair.level * blend.inverse_gamma);
    double value = 0;
    for (int k = 0; k < 3; ++k) {
      value += pair.at.weights[k] * shading.attributes[kChannels * v[k]];
    }
    values.push_back(value);
  }
  const double most = *std::max_element(logs.begin(), logs.end());
  double sum = 0, total = 0;
  for (size_t i = 0; i < logs.size(); ++i) {
    sum += std::exp(logs[i] - most) * values[i];
    total += std::exp(logs[i] - most);
  }
  return sum / total;
}

double WorstError(const Scene& scene, const Shading& shading) {
  const ImagePlane plane = {scene.side, scene.side};
  std::mt19937 random(1);
  double worst = 0;
  for (int sample = 0; sample < 48; ++sample) {
    const int64_t pixel = static_cast<int64_t>(
        random() % static_cast<uint32_t>(scene.side * scene.side));
    const Point2 p = {plane.x(static_cast<double>(pixel % scene.side)),
                      plane.y(static_cast<double>(pixel / scene.side))};
    worst =
        std::max(worst, std::fabs(TrueValue(scene, shading, p) -
                                  double{shading.image[pixel * kChannels]}));
  }
  return worst;
}

bool PrintRow(const Scene& scene, int repeats) {
  Shading shading(scene);
  shading.Forward();
  const double error = WorstError(scene, shading);
  if (!(error <= 1e-7)) {
    std::printf("| %s | WRONG: image off by %.2g, promised 1e-7 |\n", scene.row,
                error);
    return false;
  }
  std::vector<float> silhouette(scene.pixels()), transparency(scene.pixels()),
      upstream(scene.pixels(), 1.0f), gradient(scene.vertices.size());
  const auto inputs = scene.inputs();
  const auto measure = [repeats](const std::function<void()>& run) {
    return Measure(repeats, run, CpuMilliseconds);
  };
  const Times forward[2] = {measure([&] {
                              SoftRasterizeForward(inputs, silhouette.data(),
                                                   transparency.data(), Serial);
                            }),
                            measure([&] { shading.Forward(); })};
  const Times backward[2] = {measure([&] {
                               SoftRasterizeBackward(
                                   inputs, transparency.data(), upstream.data(),
                                   gradient.data(), Serial);
                             }),
                             measure([&] { shading.Backward(); })};
  std::printf(
      "| %s | %s | %.0e | %.2f | %.2f (%.2f-%.2f) | %.1f | %.2f | %.2f "
      "(%.2f-%.2f) | %.1f |\n",
      scene.row, scene.what, scene.sigma, forward[0].median, forward[1].median,
      forward[1].fastest, forward[1].slowest,
      forward[1].median / forward[0].median, backward[0].median,
      backward[1].median, backward[1].fastest, backward[1].slowest,
      backward[1].median / backward[0].median);
  std::fflush(stdout);
  return true;
}

int Main(int argc, char** argv) {
  int repeats = 15;
  std::string rows = "abcd";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--repeats=", 0) == 0) {
      repeats = std::max(1, std::atoi(argument.c_str() + 10));
    } else if (argument.rfind("--rows=", 0) == 0) {
      rows = argument.substr(7);
    } else {
      std::fprintf(stderr, "expected --repeats=N or --rows=abcd; received %s\n",
                   argv[i]);
      return 2;
    }
  }
  std::printf(
      "| row | scene | sigma | silhouette forward ms | image forward ms "
      "(range) | times | silhouette backward ms | image backward ms (range) | "
      "times |\n|---|---|---|---|---|---|---|---|---|\n");
  bool right = true;
  for (const Row& row : Rows()) {
    if (rows.find(row.name) == std::string::npos) continue;
    const int fewer = row.name >= 'd' ? std::max(3, repeats / 5) : repeats;
    right = PrintRow(row.make(), fewer) && right;
  }
  return right ? 0 : 1;
}

}  // namespace
}  // namespace tf_softras

int main(int argc, char** argv) { return tf_softras::Main(argc, argv); }
