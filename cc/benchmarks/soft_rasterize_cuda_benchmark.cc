// Times the CUDA passes, scene by scene. It verifies the image against brute
// force in double, the gradient against the CPU's pass, and both against a
// second run, then prints the median of repeats with their spread. A plain
// program (make cuda-bench). Exit status 77: there is no GPU.
//
//   soft_rasterize_cuda_benchmark [--repeats=N] [--rows=abcde]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include "cc/benchmarks/cuda_timing.h"
#include "cc/benchmarks/scenes.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/cuda/rasterize/soft_rasterize.h"
#include "cc/geometry/coverage.h"

namespace tf_softras {
namespace {

// A scene on the device, and the three steps of an op there.
struct Run {
  const TimedScene& scene;
  cudaStream_t stream;
  DeviceArray<float> vertices, upstream, silhouette, transparency, gradient;
  DeviceArray<int32_t> faces;
  SoftRasterizeInputs<float> inputs;
  ReusedScratch check_scratch, forward_scratch, backward_scratch;

  Run(const TimedScene& scene, cudaStream_t stream)
      : scene(scene),
        stream(stream),
        vertices(scene.vertices),
        upstream(std::vector<float>(scene.pixels(), 1.0f)),
        silhouette(scene.pixels()),
        transparency(scene.pixels()),
        gradient(scene.vertices.size()),
        faces(scene.faces),
        inputs(scene.inputs()) {
    inputs.vertices = vertices.values;
    inputs.faces = faces.values;
  }

  void CheckMesh() {
    bool is_valid = false;
    CheckError(CheckMeshGpu(inputs, check_scratch.context(stream), &is_valid));
    if (!is_valid) CheckError("the scene's mesh is not valid");
  }
  void Forward() {
    CheckError(SoftRasterizeForwardGpu(inputs, silhouette.values,
                                       transparency.values,
                                       forward_scratch.context(stream)));
  }
  void Backward() {
    CheckError(SoftRasterizeBackwardGpu(inputs, transparency.values,
                                        upstream.values, gradient.values,
                                        backward_scratch.context(stream)));
  }
};

// The relative difference in the Frobenius norm.
double Difference(const std::vector<float>& a, const std::vector<float>& b) {
  double square = 0, difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    square += std::pow(static_cast<double>(b[i]), 2);
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
  }
  return square > 0 ? std::sqrt(difference / square) : std::sqrt(difference);
}

std::vector<float> GradientOnCpu(const TimedScene& scene) {
  const ParallelFor serial =
      [](int64_t total, int64_t,
         const std::function<void(int64_t, int64_t)>& work) {
        if (total > 0) work(0, total);
      };
  std::vector<float> silhouette(scene.pixels()), transparency(scene.pixels());
  std::vector<float> gradient(scene.vertices.size());
  SoftRasterizeForward(scene.inputs(), silhouette.data(), transparency.data(),
                       serial);
  SoftRasterizeBackward(scene.inputs(), transparency.data(),
                        std::vector<float>(scene.pixels(), 1.0f).data(),
                        gradient.data(), serial);
  return gradient;
}

bool Verify(Run& run) {
  run.CheckMesh();
  run.Forward();
  run.Backward();
  const std::vector<float> image = run.silhouette.ToHost();
  const std::vector<float> gradient = run.gradient.ToHost();
  const double error = WorstError(run.scene, image);
  const double bound = PromisedError(run.scene);
  const double difference = Difference(gradient, GradientOnCpu(run.scene));
  // Each may be off by the promised relative error.
  const double gradient_bound =
      2 * (1e-5 + 2e-7 / std::sqrt(static_cast<double>(run.scene.sigma)));
  run.Forward();
  run.Backward();
  const bool same = SameBits(image, run.silhouette.ToHost()) &&
                    SameBits(gradient, run.gradient.ToHost());
  if (error <= bound && difference <= gradient_bound && same) return true;
  std::printf(
      "| %s | WRONG: image off by %.2g, promised %.2g; gradient and CPU's "
      "differ by %.2g, at most %.2g; second run %s |\n",
      run.scene.row, error, bound, difference, gradient_bound,
      same ? "the same" : "DIFFERENT");
  return false;
}

bool PrintRow(const TimedScene& scene, int repeats, cudaStream_t stream) {
  Run run(scene, stream);
  if (!Verify(run)) return false;
  const Times check =
      MeasureOnDevice(repeats, stream, [&] { run.CheckMesh(); });
  const Times forward =
      MeasureOnDevice(repeats, stream, [&] { run.Forward(); });
  const Times backward =
      MeasureOnDevice(repeats, stream, [&] { run.Backward(); });
  const int64_t pairs =
      CountPairs(scene, ForwardCutoff<float>(run.inputs.num_faces)) +
      CountPairs(scene, BackwardCutoff<float>(run.inputs.num_faces,
                                              scene.side * scene.side));
  std::printf(
      "| %s | %s | %.0e | %.3f (%.3f-%.3f) | %.3f (%.3f-%.3f) | %.3f "
      "(%.3f-%.3f) | %.2f | %.3f | %.2f |\n",
      scene.row, scene.what, static_cast<double>(scene.sigma), check.median,
      check.fastest, check.slowest, forward.median, forward.fastest,
      forward.slowest, backward.median, backward.fastest, backward.slowest,
      static_cast<double>(pairs) * 1e-6,
      (forward.median + backward.median) * 1e6 / static_cast<double>(pairs),
      std::max(run.forward_scratch.megabytes(),
               run.backward_scratch.megabytes()));
  std::fflush(stdout);
  return true;
}

}  // namespace
}  // namespace tf_softras

int main(int argc, char** argv) {
  return tf_softras::RunRows(
      argc, argv,
      "| row | scene | sigma | check ms (range) | forward ms (range) | "
      "backward ms (range) | pairs 1e6 | ns a pair | scratch MB |\n"
      "|---|---|---|---|---|---|---|---|---|\n",
      tf_softras::PrintRow);
}
