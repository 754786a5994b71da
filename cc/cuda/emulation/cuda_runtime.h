// A cuda_runtime.h for host compilers. It runs kernels on the CPU, thread by
// thread, so that GPU code is tested on machines without a GPU.
//
// Each thread of a block is a fiber. It runs until it waits for its block
// (__syncthreads) or its warp (__syncwarp, votes, shuffles), then the next one
// runs. This finds barriers that not all threads reach (the run ends with a
// message), and shared memory that is read before the barrier that should come
// first: SetThreadOrder changes the order of threads, and the results must
// stay. It sees no race between two blocks, and says nothing about speed. Only
// what this project's kernels use is here.
#ifndef TF_SOFTRAS_CC_CUDA_EMULATION_CUDA_RUNTIME_H_
#define TF_SOFTRAS_CC_CUDA_EMULATION_CUDA_RUNTIME_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>

#define CUDA_EMULATION

#define __global__
#define __host__
#define __device__
#define __launch_bounds__(threads)
// Blocks run one after another, so one copy serves them all.
#define __shared__ static

struct dim3 {
  unsigned x, y, z;
};

namespace cuda_emulation {

constexpr int kWarpSize = 32;

// The thread that runs now.
extern dim3 thread_index, block_index, block_size, grid_size;

// kAhead: each warp runs as far as it can before the next one starts.
enum class ThreadOrder { kAscending, kDescending, kAhead };
void SetThreadOrder(ThreadOrder order);

// Runs kernel() for every thread of every block.
void Run(unsigned blocks, unsigned threads,
         const std::function<void()>& kernel);

// Counts the kernels that have run.
int64_t NumLaunches();

void WaitForBlock();
// Hands `value` to the threads of the warp, and returns the values of all 32.
const uint64_t* ExchangeInWarp(uint64_t value);

template <typename T>
T FromLane(T value, int lane) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "one slot a lane");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  std::memcpy(&value, ExchangeInWarp(bits) + lane, sizeof value);
  return value;
}

inline int Lane() { return static_cast<int>(thread_index.x) % kWarpSize; }

}  // namespace cuda_emulation

#define threadIdx cuda_emulation::thread_index
#define blockIdx cuda_emulation::block_index
#define blockDim cuda_emulation::block_size
#define gridDim cuda_emulation::grid_size

// All masks are those of whole warps.
inline void __syncthreads() { cuda_emulation::WaitForBlock(); }
inline void __syncwarp() { cuda_emulation::ExchangeInWarp(0); }
inline unsigned __ballot_sync(unsigned, bool vote) {
  const uint64_t* votes = cuda_emulation::ExchangeInWarp(vote);
  unsigned bits = 0;
  for (int lane = 0; lane < cuda_emulation::kWarpSize; ++lane) {
    bits |= static_cast<unsigned>(votes[lane]) << lane;
  }
  return bits;
}
inline bool __any_sync(unsigned mask, bool vote) {
  return __ballot_sync(mask, vote) != 0;
}
template <typename T>
T __shfl_xor_sync(unsigned, T value, int lane_mask) {
  return cuda_emulation::FromLane(value, cuda_emulation::Lane() ^ lane_mask);
}
template <typename T>
T __shfl_up_sync(unsigned, T value, int delta) {
  const int lane = cuda_emulation::Lane();
  return cuda_emulation::FromLane(value, lane < delta ? lane : lane - delta);
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
template <typename T>
T atomicAdd(T* address, T value) {
  const T before = *address;
  *address += value;
  return before;
}

using cudaStream_t = struct CUstream_st*;
enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };

inline const char* cudaGetErrorString(cudaError_t) { return "emulated"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaStreamGetDevice(cudaStream_t, int* device) {
  return cudaGetDevice(device);
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = std::malloc(bytes);
  return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes,
                                   cudaMemcpyKind, cudaStream_t) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes,
                                   cudaStream_t) {
  if (bytes > 0) std::memset(memory, value, bytes);
  return cudaSuccess;
}

#endif  // TF_SOFTRAS_CC_CUDA_EMULATION_CUDA_RUNTIME_H_
