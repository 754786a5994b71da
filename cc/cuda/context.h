// A launcher's caller gives it a stream, and scratch on its device.
// Includes none of CUDA's headers.
#ifndef TF_SOFTRAS_CC_CUDA_CONTEXT_H_
#define TF_SOFTRAS_CC_CUDA_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <functional>

namespace tf_softras {

// The most faces whose scratch is on the device at once, counted in every item:
// 16 bytes a face forward, 48 backward, beside what a single item needs.
constexpr int64_t kMostFacesAtOnce = int64_t{1} << 20;

struct GpuContext {
  // A cudaStream_t; its device is made the current one during a call.
  void* stream;
  // Allocates scratch on that device, aligned to 256 bytes, which lives until
  // the work on the stream is done. Returns nullptr if there is no memory.
  std::function<void*(size_t bytes)> allocate;
  // Larger batches go through in slices.
  int64_t most_faces_at_once = kMostFacesAtOnce;
};

// Entries of the device's lists are numbered in 32 bits.
constexpr int64_t kMostGpuFaces = int64_t{1} << 30;

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_CONTEXT_H_
