// Times the CUDA passes of the shader, scene by scene. It verifies the image
// against brute force in double, the gradients of attributes and background by
// the image, which is linear in them, and all against a second run, then prints
// the median of repeats with their spread. Each time includes the silhouette,
// as in the op. The scenes are those of shading.h.
//
//   soft_shade_cuda_benchmark [--repeats=N] [--rows=abcde]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include "cc/benchmarks/cuda_timing.h"
#include "cc/benchmarks/scenes.h"
#include "cc/benchmarks/shading.h"
#include "cc/cuda/shade/soft_shade.h"

namespace tf_softras {
namespace {

// A scene on the device, and the two steps of an op there.
struct Run {
  const TimedScene& scene;
  cudaStream_t stream;
  Shading shading;
  DeviceArray<float> vertices, attributes, background, upstream, alpha_upstream;
  DeviceArray<int32_t> faces;
  DeviceArray<float> image, alpha, transparency;
  DeviceArray<float> vertices_gradient, attributes_gradient,
      background_gradient;
  SoftShadeInputs<float> inputs;
  ReusedScratch forward_scratch, backward_scratch;

  Run(const TimedScene& scene, cudaStream_t stream)
      : scene(scene),
        stream(stream),
        shading(scene),
        vertices(scene.vertices),
        attributes(shading.attributes),
        background(std::vector<float>(kBackground, kBackground + kChannels)),
        upstream(shading.upstream),
        alpha_upstream(std::vector<float>(scene.pixels(), 1.0f)),
        faces(scene.faces),
        image(shading.image.size()),
        alpha(scene.pixels()),
        transparency(scene.pixels()),
        vertices_gradient(scene.vertices.size()),
        attributes_gradient(attributes.count),
        background_gradient(kChannels),
        inputs(shading.inputs) {
    inputs.mesh.vertices = vertices.values;
    inputs.mesh.faces = faces.values;
    inputs.attributes = attributes.values;
    inputs.background = background.values;
  }

  void Forward(bool is_hard) {
    CheckError(ShadeForwardGpu(inputs, is_hard, image.values, alpha.values,
                               transparency.values,
                               forward_scratch.context(stream)));
  }
  void Backward(bool is_hard) {
    CheckError(ShadeBackwardGpu<float>(
        inputs, is_hard, transparency.values, upstream.values,
        alpha_upstream.values,
        {vertices_gradient.values, attributes_gradient.values,
         background_gradient.values},
        backward_scratch.context(stream)));
  }
};

double Dot(const std::vector<float>& a, const std::vector<float>& b,
           double* absolute) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double term = double{a[i]} * double{b[i]};
    sum += term;
    *absolute += std::fabs(term);
  }
  return sum;
}

// The image is linear in attributes and background, so their gradients give the
// loss back. Returns the difference, relative to the sum of the loss's absolute
// terms.
double LinearError(const Run& run) {
  double size = 0, ignored = 0;
  const double loss = Dot(run.image.ToHost(), run.shading.upstream, &size);
  const double again =
      Dot(run.attributes_gradient.ToHost(), run.shading.attributes, &ignored) +
      Dot(run.background_gradient.ToHost(), run.background.ToHost(), &ignored);
  return std::fabs(loss - again) / size;
}

bool Verify(Run& run, bool is_hard) {
  run.Forward(is_hard);
  run.Backward(is_hard);
  run.shading.image = run.image.ToHost();
  const auto gradient = run.vertices_gradient.ToHost();
  // There is no brute force for hard aggregation here (make cuda-test has it).
  const double error = is_hard ? 0.0 : WorstError(run.scene, run.shading);
  const double linear = LinearError(run);
  run.Forward(is_hard);
  run.Backward(is_hard);
  const bool same = SameBits(run.shading.image, run.image.ToHost()) &&
                    SameBits(gradient, run.vertices_gradient.ToHost());
  if (error <= 1e-7 && linear <= 1e-6 && same) return true;
  std::printf(
      "| %s | WRONG: image off by %.2g, promised 1e-7; gradients miss the loss "
      "by %.2g, at most 1e-6; second run %s |\n",
      run.scene.row, error, linear, same ? "the same" : "DIFFERENT");
  return false;
}

bool PrintRow(const TimedScene& scene, int repeats, cudaStream_t stream) {
  Run run(scene, stream);
  bool right = true;
  for (const bool is_hard : {false, true}) {
    if (!Verify(run, is_hard)) {
      right = false;
      continue;
    }
    const Times forward =
        MeasureOnDevice(repeats, stream, [&] { run.Forward(is_hard); });
    const Times backward =
        MeasureOnDevice(repeats, stream, [&] { run.Backward(is_hard); });
    std::printf(
        "| %s | %s | %.0e | %s | %.3f (%.3f-%.3f) | %.3f (%.3f-%.3f) | %.2f "
        "|\n",
        scene.row, scene.what, static_cast<double>(scene.sigma),
        is_hard ? "hard" : "soft", forward.median, forward.fastest,
        forward.slowest, backward.median, backward.fastest, backward.slowest,
        std::max(run.forward_scratch.megabytes(),
                 run.backward_scratch.megabytes()));
    std::fflush(stdout);
  }
  return right;
}

}  // namespace
}  // namespace tf_softras

int main(int argc, char** argv) {
  return tf_softras::RunRows(
      argc, argv,
      "| row | scene | sigma | aggregation | forward ms (range) | backward ms "
      "(range) | scratch MB |\n|---|---|---|---|---|---|---|\n",
      tf_softras::PrintRow);
}
