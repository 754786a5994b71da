// Memory of the device, the device's times, and the rows of the command line,
// for the benchmarks of CUDA passes. They are plain programs (make cuda-bench).
// Exit status 77: there is no GPU.
#ifndef TF_SOFTRAS_CC_BENCHMARKS_CUDA_TIMING_H_
#define TF_SOFTRAS_CC_BENCHMARKS_CUDA_TIMING_H_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cc/benchmarks/benchmark_options.h"
#include "cc/benchmarks/scenes.h"
#include "cc/cuda/rasterize/soft_rasterize.h"

namespace tf_softras {

inline void CheckCuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);
}

inline void CheckError(const std::string& error) {
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

// Scratch that the next call gets again, as TensorFlow's allocator does.
class ReusedScratch {
 public:
  ~ReusedScratch() {
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

template <typename V>
bool SameBits(const std::vector<V>& a, const std::vector<V>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(V)) == 0;
}

// Times by events on the stream: from the first kernel to the last, with the
// gaps between launches.
inline Times MeasureOnDevice(int repeats, cudaStream_t stream,
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

// Prints `heading` and the rows that the command line names. print_row returns
// false if its row was wrong.
inline int RunRows(int argc, char** argv, const char* heading,
                   bool (*print_row)(const TimedScene& scene, int repeats,
                                     cudaStream_t stream)) {
  BenchmarkOptions options(51, "abcde");
  if (!options.Read(argc, argv)) return 2;
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
      "(fastest-slowest).\n\n%s",
      device.name, device.major, device.minor, device.multiProcessorCount,
      options.repeats, heading);
  bool right = true;
  for (const Row& row : Rows()) {
    if (!options.has(row.name)) continue;
    right = print_row(row.make(), options.repeats, stream) && right;
  }
  CheckCuda(cudaStreamDestroy(stream), "cudaStreamDestroy");
  return right ? 0 : 1;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_BENCHMARKS_CUDA_TIMING_H_
