// Times the CPU's shader beside the silhouettes of the same scenes, on one
// thread. It verifies against brute force in double, then prints the median of
// repeats with their spread, and the ratio to the silhouette's time. Times are
// processor times. Three channels, gamma 1e-4 (shading.h). Rows a and c are
// also drawn hard, and with the nine channels of a mip-mapped texture: u, v, z
// and the six slopes that say how large a pixel is in the texture.
//
//   soft_shade_benchmark [--repeats=N] [--rows=abcd] [--once=ROW]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "cc/benchmarks/benchmark_options.h"
#include "cc/benchmarks/scenes.h"
#include "cc/benchmarks/shading.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/cpu/shade/soft_shade.h"

namespace tf_softras {
namespace {

void Serial(int64_t total, int64_t,
            const std::function<void(int64_t, int64_t)>& work) {
  if (total > 0) work(0, total);
}

// One way to draw a scene.
struct Look {
  const char* name;
  int64_t channels;
  bool is_hard;
};
constexpr Look kColors = {"", kChannels, false};
constexpr Look kOtherLooks[] = {{", textured", 9, false},
                                {", hard", kChannels, true}};

void Forward(const Look& look, Shading& shading) {
  if (look.is_hard) {
    HardShadeForward(shading.inputs, shading.image.data(), Serial);
  } else {
    SoftShadeForward(shading.inputs, shading.image.data(), shading.state.data(),
                     Serial);
  }
}
void Backward(const Look& look, Shading& shading) {
  const SoftShadeGradients<float> gradients = {
      shading.vertices_gradient.data(), shading.attributes_gradient.data(),
      shading.background_gradient.data()};
  if (look.is_hard) {
    HardShadeBackward(shading.inputs, shading.upstream.data(), gradients,
                      Serial);
  } else {
    SoftShadeBackward(shading.inputs,
                      {shading.image.data(), shading.state.data()},
                      shading.upstream.data(), gradients, Serial);
  }
}

bool PrintRow(const TimedScene& scene, const Look& look, int repeats) {
  Shading shading(scene, look.channels);
  Forward(look, shading);
  const double error = WorstError(scene, shading, look.is_hard);
  if (!(error <= 1e-7)) {
    std::printf("| %s%s | WRONG: image off by %.2g, promised 1e-7 |\n",
                scene.row, look.name, error);
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
                            measure([&] { Forward(look, shading); })};
  const Times backward[2] = {measure([&] {
                               SoftRasterizeBackward(
                                   inputs, transparency.data(), upstream.data(),
                                   gradient.data(), Serial);
                             }),
                             measure([&] { Backward(look, shading); })};
  std::printf(
      "| %s%s | %s | %.0e | %.2f | %.2f (%.2f-%.2f) | %.1f | %.2f | %.2f "
      "(%.2f-%.2f) | %.1f |\n",
      scene.row, look.name, scene.what, scene.sigma, forward[0].median,
      forward[1].median, forward[1].fastest, forward[1].slowest,
      forward[1].median / forward[0].median, backward[0].median,
      backward[1].median, backward[1].fastest, backward[1].slowest,
      backward[1].median / backward[0].median);
  std::fflush(stdout);
  return true;
}

// Runs each pass once, for programs that count instructions.
int RunOnce(char name) {
  for (const Row& row : Rows()) {
    if (row.name != name) continue;
    const TimedScene scene = row.make();
    Shading shading(scene);
    Forward(kColors, shading);
    Backward(kColors, shading);
    std::printf("shaded %s, sigma %.0e\n", scene.what, scene.sigma);
    return 0;
  }
  std::fprintf(stderr, "no row %c\n", name);
  return 2;
}

int Main(int argc, char** argv) {
  BenchmarkOptions options(15, "abcd");
  if (!options.Read(argc, argv, /*takes_once=*/true)) return 2;
  FlushDenormals();
  if (options.once != 0) return RunOnce(options.once);
  std::printf(
      "| row | scene | sigma | silhouette forward ms | image forward ms "
      "(range) | times | silhouette backward ms | image backward ms (range) | "
      "times |\n|---|---|---|---|---|---|---|---|---|\n");
  bool right = true;
  for (const Row& row : Rows()) {
    if (!options.has(row.name)) continue;
    const int fewer =
        row.name >= 'd' ? std::max(3, options.repeats / 5) : options.repeats;
    const TimedScene scene = row.make();
    right = PrintRow(scene, kColors, fewer) && right;
    if (row.name != 'a' && row.name != 'c') continue;
    for (const Look& look : kOtherLooks) {
      right = PrintRow(scene, look, fewer) && right;
    }
  }
  return right ? 0 : 1;
}

}  // namespace
}  // namespace tf_softras

int main(int argc, char** argv) { return tf_softras::Main(argc, argv); }
