// The CUDA functors behind Softras>SoftRasterize and Softras>SoftRasterizeGrad.
// No TensorFlow and no CUDA headers: the caller brings the stream, memory of
// its device, and scratch. docs/cuda.md tells how the kernels work.
//
// All work is put on the stream. The functions return an error's description,
// empty where all went well, and keep the promises of docs/architecture.md:
// there are no float atomics, so the bits are the same on every run.
#ifndef TF_SOFTRAS_CC_CUDA_RASTERIZE_SOFT_RASTERIZE_H_
#define TF_SOFTRAS_CC_CUDA_RASTERIZE_SOFT_RASTERIZE_H_

#include <string>

#include "cc/cuda/context.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

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

#endif  // TF_SOFTRAS_CC_CUDA_RASTERIZE_SOFT_RASTERIZE_H_
