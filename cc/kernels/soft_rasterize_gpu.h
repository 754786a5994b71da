// The CUDA functors behind Softras>SoftRasterize and Softras>SoftRasterizeGrad.
// No TensorFlow and no CUDA headers: the caller brings the stream, memory of
// its device, and scratch. docs/cuda.md tells how the kernels work.
//
// All work is put on the stream. The functions return an error's description,
// empty where all went well, and keep the promises of docs/architecture.md:
// there are no float atomics, so the bits are the same on every run.
#ifndef TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_GPU_H_
#define TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_GPU_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cc/kernels/soft_rasterize_cpu.h"

namespace tf_softras {

// Scratch is for as many faces, items counted apart: 16 bytes a face forward,
// 48 backward, beside what a single item needs.
constexpr int64_t kMostFacesAtOnce = int64_t{1} << 20;

struct GpuContext {
  // A cudaStream_t; its device is made the current one during a call.
  void* stream;
  // Scratch on that device, aligned to 256 bytes, that stays until the work on
  // the stream is done; nullptr where there is none.
  std::function<void*(size_t bytes)> allocate;
  // A larger batch goes through in slices.
  int64_t most_faces_at_once = kMostFacesAtOnce;
};

// Entries of the device's lists are numbered in 32 bits.
constexpr int64_t kMostGpuFaces = int64_t{1} << 30;

// Whether every index of faces is in [0, num_vertices) and every coordinate
// finite. Waits for the stream: the answer is needed before anything is read by
// those indices. Of `inputs`, the meshes alone are used.
template <typename T>
std::string CheckMeshGpu(const SoftRasterizeInputs<T>& inputs,
                         const GpuContext& context, bool* is_valid);

// The meshes as the host can read them: to tell what is wrong with them.
template <typename T>
std::string CopyMeshFromGpu(const SoftRasterizeInputs<T>& inputs,
                            const GpuContext& context, std::vector<T>* vertices,
                            std::vector<int32_t>* faces);

// As SoftRasterizeForward and SoftRasterizeBackward of soft_rasterize_cpu.h,
// with all pointers to the device's memory and the meshes checked.
template <typename T>
std::string SoftRasterizeForwardGpu(const SoftRasterizeInputs<T>& inputs,
                                    T* silhouette, T* transparency,
                                    const GpuContext& context);
template <typename T>
std::string SoftRasterizeBackwardGpu(const SoftRasterizeInputs<T>& inputs,
                                     const T* transparency, const T* upstream,
                                     T* vertices_gradient,
                                     const GpuContext& context);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_GPU_H_
