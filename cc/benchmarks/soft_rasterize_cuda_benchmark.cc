// Times the CUDA functors, scene by scene: verifies the image against brute
// force in double, the gradient against the CPU functor and both against a
// second run first, then prints the median of repeats with their spread. A
// plain program (make cuda-bench); exit status 77 and a line that says so where
// there is no GPU.
//
//   soft_rasterize_cuda_benchmark [--repeats=N] [--rows=abcde]
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cc/benchmarks/scenes.h"
#include "cc/geometry/coverage.h"
#include "cc/kernels/soft_rasterize_cpu.h"
#include "cc/kernels/soft_rasterize_gpu.h"

namespace tf_softras {
namespace {

void CheckCuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);
}

void CheckError(const std::string& error) {
  if (error.empty()) return;
  std::fprintf(stderr, "%s\n", error.c_str());
  std::exit(1);
}

template <typename V>
struct DeviceArray {
  V* values = nullptr;
  size_t count;

  explicit DeviceArray(size_t count) : count(count) {
    CheckCuda(cudaMalloc(&values, std::max<size_t>(count, 1) * sizeof(V)),
              "cudaMalloc");
    CheckCuda(cudaMemset(values, 0xff, count * sizeof(V)), "cudaMemset");
  }
  explicit DeviceArray(const std::vector<V>& from) : DeviceArray(from.size()) {
    CheckCuda(cudaMemcpy(values, from.data(), count * sizeof(V),
                         cudaMemcpyHostToDevice),
              "copy to the device");
  }
  ~DeviceArray() { cudaFree(values); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  std::vector<V> ToHost() const {
    std::vector<V> to(count);
    CheckCuda(cudaMemcpy(to.data(), values, count * sizeof(V),
                         cudaMemcpyDeviceToHost),
              "copy from the device");
    return to;
  }
};

// Scratch that the next call gets again, as from TensorFlow's allocator.
class Scratch {
 public:
  ~Scratch() {
    for (const auto& block : blocks_) cudaFree(block.first);
  }

  GpuContext context(cudaStream_t stream) {
    used_ = 0;
    return {stream, [this](size_t bytes) { return Allocate(bytes); }};
  }

  double megabytes() const {
    size_t bytes = 0;
    for (const auto& block : blocks_) bytes += block.second;
    return static_cast<double>(bytes) / 1e6;
  }

 private:
  void* Allocate(size_t bytes) {
    if (used_ == blocks_.size()) blocks_.push_back({nullptr, 0});
    auto& block = blocks_[used_++];
    if (block.second < bytes) {
      cudaFree(block.first);
      block = {nullptr, bytes};
      if (cudaMalloc(&block.first, bytes) != cudaSuccess) return nullptr;
    }
    return block.first;
  }

  std::vector<std::pair<void*, size_t>> blocks_;
  size_t used_ = 0;
};

// A scene on the device, and the three things that an op does there.
struct Run {
  const Scene& scene;
  cudaStream_t stream;
  DeviceArray<float> vertices, upstream, silhouette, transparency, gradient;
  DeviceArray<int32_t> faces;
  SoftRasterizeInputs<float> inputs;
  Scratch check_scratch, forward_scratch, backward_scratch;

  Run(const Scene& scene, cudaStream_t stream)
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

// Relative, in the Frobenius norm.
double Difference(const std::vector<float>& a, const std::vector<float>& b) {
  double square = 0, difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    square += std::pow(static_cast<double>(b[i]), 2);
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
  }
  return square > 0 ? std::sqrt(difference / square) : std::sqrt(difference);
}

std::vector<float> GradientOnCpu(const Scene& scene) {
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

template <typename V>
bool SameBits(const std::vector<V>& a, const std::vector<V>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(V)) == 0;
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

// By events on the stream: the device's time from the first kernel to the last,
// launch gaps included.
Times MeasureOnDevice(int repeats, cudaStream_t stream,
                      const std::function<void()>& work) {
  cudaEvent_t start, end;
  CheckCuda(cudaEventCreate(&start), "cudaEventCreate");
  CheckCuda(cudaEventCreate(&end), "cudaEventCreate");
  std::vector<double> times;
  for (int i = -3; i < repeats; ++i) {
    CheckCuda(cudaEventRecord(start, stream), "cudaEventRecord");
    work();
    CheckCuda(cudaEventRecord(end, stream), "cudaEventRecord");
    CheckCuda(cudaEventSynchronize(end), "the timed work");
    float milliseconds = 0;
    CheckCuda(cudaEventElapsedTime(&milliseconds, start, end), "timing");
    // The first ones warm up.
    if (i >= 0) times.push_back(milliseconds);
  }
  cudaEventDestroy(start);
  cudaEventDestroy(end);
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times.front(), times.back()};
}

bool PrintRow(const Scene& scene, int repeats, cudaStream_t stream) {
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

int Main(int argc, char** argv) {
  int repeats = 51;
  std::string rows = "abcde";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--repeats=", 0) == 0) {
      repeats = std::max(1, std::atoi(argument.c_str() + 10));
    } else if (argument.rfind("--rows=", 0) == 0) {
      rows = argument.substr(7);
    } else {
      std::fprintf(stderr,
                   "expected --repeats=N or --rows=abcde; received %s\n",
                   argv[i]);
      return 2;
    }
  }
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status != cudaSuccess || devices == 0) {
    std::printf("SKIPPED: no CUDA device (%s)\n", cudaGetErrorString(status));
    return 77;
  }
  cudaDeviceProp device;
  CheckCuda(cudaGetDeviceProperties(&device, 0), "cudaGetDeviceProperties");
  cudaStream_t stream;
  CheckCuda(cudaStreamCreate(&stream), "cudaStreamCreate");
  std::printf(
      "%s, compute capability %d.%d, %d multiprocessors; median of %d "
      "(fastest-slowest).\n\n",
      device.name, device.major, device.minor, device.multiProcessorCount,
      repeats);
  std::printf(
      "| row | scene | sigma | check ms (range) | forward ms (range) | "
      "backward ms (range) | pairs 1e6 | ns a pair | scratch MB |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  bool right = true;
  for (const Row& row : Rows()) {
    if (rows.find(row.name) == std::string::npos) continue;
    right = PrintRow(row.make(), repeats, stream) && right;
  }
  CheckCuda(cudaStreamDestroy(stream), "cudaStreamDestroy");
  return right ? 0 : 1;
}

}  // namespace
}  // namespace tf_softras

int main(int argc, char** argv) { return tf_softras::Main(argc, argv); }
