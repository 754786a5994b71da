// Calls CUDA for the launchers: checks every status, makes the stream's device
// the current one, allocates scratch, and launches kernels with nvcc or over
// the emulation.
#ifndef TF_SOFTRAS_CC_CUDA_LAUNCH_H_
#define TF_SOFTRAS_CC_CUDA_LAUNCH_H_

#include <cuda_runtime.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cc/cuda/context.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {

constexpr int kThreadsPerWarp = 32;
constexpr unsigned kWholeWarp = 0xffffffffu;
// Enough that every multiprocessor of any device has several. If there are more
// units of work, a block takes several (grid-stride loops).
constexpr int64_t kMostBlocks = int64_t{1} << 20;

// A sequence of CUDA calls on one stream. After the first error the rest do
// nothing.
class GpuCall {
 public:
  explicit GpuCall(const GpuContext& context)
      : context_(context), stream_(static_cast<cudaStream_t>(context.stream)) {
    int device = 0;
    Check(cudaGetDevice(&previous_device_), "the current device");
    // The default stream is that of the current device.
    device = previous_device_;
    if (stream_ != nullptr) {
      Check(cudaStreamGetDevice(stream_, &device), "the stream's device");
    }
    if (ok() && device != previous_device_) {
      Check(cudaSetDevice(device), "the choice of the stream's device");
      switched_ = true;
    }
  }
  ~GpuCall() {
    if (switched_) cudaSetDevice(previous_device_);
  }
  GpuCall(const GpuCall&) = delete;
  GpuCall& operator=(const GpuCall&) = delete;

  bool ok() const { return error_.empty(); }
  const std::string& error() const { return error_; }

  void Check(cudaError_t status, const char* what) {
    if (status == cudaSuccess || !ok()) return;
    error_ =
        std::string("CUDA: ") + what + " failed: " + cudaGetErrorString(status);
  }

  // Room for `count` values; nullptr after an error.
  template <typename V>
  V* Allocate(int64_t count) {
    if (!ok()) return nullptr;
    const size_t bytes = static_cast<size_t>(MaxInt(count, 1)) * sizeof(V);
    if (used_ == scratch_.size()) scratch_.push_back({nullptr, 0});
    Scratch& scratch = scratch_[used_++];
    if (scratch.bytes < bytes) {
      scratch = {context_.allocate(bytes), bytes};
      if (scratch.memory == nullptr) {
        error_ = "CUDA: scratch of " + std::to_string(bytes) +
                 " bytes could not be allocated";
      }
    }
    return static_cast<V*>(scratch.memory);
  }

  // Later work may reuse all scratch except what was allocated before
  // KeepScratch.
  void KeepScratch() { kept_ = used_; }
  void ReuseScratch() { used_ = kept_; }

  template <typename V>
  void Clear(V* values, int64_t count) {
    if (!ok()) return;
    Check(cudaMemsetAsync(values, 0, static_cast<size_t>(count) * sizeof(V),
                          stream_),
          "clearing scratch");
  }

  template <typename V>
  void CopyToHost(V* to, const V* from, int64_t count) {
    if (!ok()) return;
    Check(cudaMemcpyAsync(to, from, static_cast<size_t>(count) * sizeof(V),
                          cudaMemcpyDeviceToHost, stream_),
          "a copy to the host");
  }

  void Wait() {
    if (ok()) Check(cudaStreamSynchronize(stream_), "work on the stream");
  }

  // Launches `kernel` for `units` units of work, at best a block for each.
  // `threads` is the bound that the kernel declares.
  template <typename... Parameters, typename... Arguments>
  void Launch(const char* name, void (*kernel)(Parameters...), int64_t units,
              int threads, const Arguments&... arguments) {
    if (!ok() || units <= 0) return;
    const unsigned blocks = static_cast<unsigned>(MinInt(units, kMostBlocks));
#if defined(CUDA_EMULATION)
    cuda_emulation::Run(blocks, static_cast<unsigned>(threads),
                        [&] { kernel(arguments...); });
#else
    // clang-format would take the brackets apart.
    // clang-format off
    kernel<<<blocks, static_cast<unsigned>(threads), 0, stream_>>>(
        arguments...);
    // clang-format on
#endif
    Check(cudaGetLastError(), name);
  }

  // Launches a thread for each index in [0, count).
  template <typename... Parameters, typename... Arguments>
  void LaunchPerIndex(const char* name, void (*kernel)(Parameters...),
                      int64_t count, int threads,
                      const Arguments&... arguments) {
    Launch(name, kernel, (count + threads - 1) / threads, threads,
           arguments...);
  }

 private:
  struct Scratch {
    void* memory;
    size_t bytes;
  };

  const GpuContext& context_;
  cudaStream_t stream_;
  int previous_device_ = 0;
  bool switched_ = false;
  std::vector<Scratch> scratch_;
  size_t used_ = 0;
  size_t kept_ = 0;
  std::string error_;
};

// A grid-stride loop over indices, one a thread.
__device__ inline int64_t FirstIndex() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline int64_t IndexStride() {
  return static_cast<int64_t>(gridDim.x) * blockDim.x;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_LAUNCH_H_
