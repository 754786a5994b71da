// The CUDA passes of Softras>SoftRasterize and its gradient (docs/cuda.md). The
// caller brings the stream, memory of its device, and scratch. Includes none of
// CUDA's headers.
//
// All work is put on the stream. The functions return the description of an
// error, empty if there was none. They keep the promises of
// docs/architecture.md: there are no float atomics, so the bits are the same on
// every run.
#ifndef TF_SOFTRAS_CC_CUDA_RASTERIZE_SOFT_RASTERIZE_H_
#define TF_SOFTRAS_CC_CUDA_RASTERIZE_SOFT_RASTERIZE_H_

#include <string>

#include "cc/cuda/context.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// The same as SoftRasterizeForward and SoftRasterizeBackward on the CPU. All
// pointers are to the device's memory, and the meshes are checked.
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
