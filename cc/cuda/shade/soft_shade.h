// The CUDA functors behind Softras>SoftShade and Softras>SoftShadeGrad. As
// soft_rasterize_gpu.h has it: no TensorFlow and no CUDA headers, all work on
// the stream, an error's description returned, the same bits on every run.
#ifndef TF_SOFTRAS_CC_CUDA_SHADE_SOFT_SHADE_H_
#define TF_SOFTRAS_CC_CUDA_SHADE_SOFT_SHADE_H_

#include <string>

#include "cc/cuda/context.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// As ShadeForward and ShadeBackward of shade_passes.h, with all pointers to the
// device's memory and the inputs checked. Here channels may be 0.
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
