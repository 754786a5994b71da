// Memory of the device, checks and the main loop for the tests of CUDA kernels.
//
// The tests are plain programs in two builds: with nvcc for a GPU (make
// cuda-test), and with Bazel over cc/cuda/emulation, where the same kernels run
// on the CPU. Exit status 1: a promise was broken. Exit status 77: there is no
// GPU.
#ifndef TF_SOFTRAS_CC_CUDA_TEST_DEVICE_H_
#define TF_SOFTRAS_CC_CUDA_TEST_DEVICE_H_

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <vector>

#include "cc/cuda/context.h"
#include "cc/reference/schedules.h"

namespace tf_softras {

#if defined(CUDA_EMULATION)
using cuda_emulation::SetThreadOrder;
using cuda_emulation::ThreadOrder;
#else
// A GPU chooses the order of its threads.
enum class ThreadOrder { kAscending, kDescending, kAhead };
inline void SetThreadOrder(ThreadOrder) {}
#endif

inline int num_checks = 0;
inline int num_failures = 0;

inline void Check(bool holds, const char* format, ...) {
  ++num_checks;
  if (holds) return;
  ++num_failures;
  va_list arguments;
  va_start(arguments, format);
  std::fputs("FAILED: ", stdout);
  std::vprintf(format, arguments);
  std::fputs("\n", stdout);
  va_end(arguments);
}

inline void CheckCuda(cudaError_t status) {
  Check(status == cudaSuccess, "CUDA: %s", cudaGetErrorString(status));
}

// Memory of the device, full of NaN until it is written.
class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes) {
    CheckCuda(cudaMalloc(&memory_, std::max<size_t>(bytes, 1)));
    CheckCuda(cudaMemsetAsync(memory_, 0xff, bytes, nullptr));
  }
  ~DeviceMemory() { CheckCuda(cudaFree(memory_)); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  void* get() const { return memory_; }

 private:
  void* memory_ = nullptr;
};

template <typename V>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count)
      : count_(count), memory_(count * sizeof(V)) {}
  explicit DeviceArray(const std::vector<V>& values)
      : DeviceArray(values.size()) {
    CheckCuda(cudaMemcpyAsync(get(), values.data(), count_ * sizeof(V),
                              cudaMemcpyHostToDevice, nullptr));
  }

  V* get() const { return static_cast<V*>(memory_.get()); }

  std::vector<V> ToHost() const {
    std::vector<V> values(count_);
    CheckCuda(cudaMemcpyAsync(values.data(), get(), count_ * sizeof(V),
                              cudaMemcpyDeviceToHost, nullptr));
    CheckCuda(cudaDeviceSynchronize());
    return values;
  }

 private:
  size_t count_;
  DeviceMemory memory_;
};

// The default stream, and scratch that lasts as long as this.
struct TestScratch {
  std::vector<std::unique_ptr<DeviceMemory>> blocks;
  size_t bytes = 0;

  GpuContext context() {
    return {nullptr, [this](size_t size) {
              blocks.push_back(std::make_unique<DeviceMemory>(size));
              bytes += size;
              return blocks.back()->get();
            }};
  }
};

// An upstream gradient that varies and has both signs.
template <typename T>
std::vector<T> Upstream(int64_t count) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(normal(random));
  return values;
}

template <typename A, typename B>
double LargestDifference(const std::vector<A>& a, const std::vector<B>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference =
        std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (std::isnan(difference)) return HUGE_VAL;
    largest = std::max(largest, difference);
  }
  return largest;
}

template <typename A>
double Norm(const std::vector<A>& values) {
  double sum = 0;
  for (const A value : values) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(sum);
}

template <typename A, typename B>
double NormOfDifference(const std::vector<A>& a, const std::vector<B>& b) {
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    difference[i] = static_cast<double>(a[i]) - static_cast<double>(b[i]);
  }
  return Norm(difference);
}

// Runs one test and prints whether it passed.
inline void RunTest(const char* type, const char* name, void (*test)()) {
  const int before = num_failures;
  test();
  CheckCuda(cudaDeviceSynchronize());
  std::printf("%s %s %s\n", num_failures == before ? "ok    " : "BROKEN", type,
              name);
  std::fflush(stdout);
}

// Runs `tests` and returns the program's exit status.
inline int RunAllTests(void (*tests)()) {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status != cudaSuccess || devices == 0) {
    std::printf("SKIPPED: no CUDA device (%s)\n", cudaGetErrorString(status));
    return 77;
  }
  tests();
  std::printf("%d checks, %d failed\n", num_checks, num_failures);
  return num_failures == 0 ? 0 : 1;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_TEST_DEVICE_H_
