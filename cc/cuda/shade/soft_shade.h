// The CUDA passes of Softras>SoftShade and its gradient. They behave as those
// of cc/cuda/rasterize/soft_rasterize.h do: all work is on the stream, the
// description of an error is returned, the bits are the same on every run.
#ifndef TF_SOFTRAS_CC_CUDA_SHADE_SOFT_SHADE_H_
#define TF_SOFTRAS_CC_CUDA_SHADE_SOFT_SHADE_H_

#include <string>

#include "cc/cuda/context.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// The same as ShadeForward and ShadeBackward on the CPU (shade_passes.h). All
// pointers are to the device's memory, and the inputs are checked. Channels may
// be 0.
template <typename T>
std::string ShadeForwardGpu(const SoftShadeInputs<T>& inputs, bool is_hard,
                            T* image, T* alpha, T* transparency,
                            const GpuContext& context);
template <typename T>
std::string ShadeBackwardGpu(const SoftShadeInputs<T>& inputs, bool is_hard,
                             const T* transparency, const T* upstream,
                             const T* alpha_upstream,
                             const SoftShadeGradients<T>& gradients,
                             const GpuContext& context);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_SHADE_SOFT_SHADE_H_
