// The CUDA functors behind Softras>SoftShade and Softras>SoftShadeGrad. As
// soft_rasterize_gpu.h has it: no TensorFlow and no CUDA headers, all work on
// the stream, an error's description returned, the same bits on every run.
#ifndef TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_GPU_H_
#define TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_GPU_H_

#include <string>
#include <vector>

#include "cc/kernels/soft_rasterize_gpu.h"
#include "cc/kernels/soft_shade_cpu.h"

namespace tf_softras {

// Whether the mesh is valid as CheckMeshGpu has it, and every attribute and
// number of the background finite. Waits for the stream.
template <typename T>
std::string CheckShadeInputsGpu(const SoftShadeInputs<T>& inputs,
                                const GpuContext& context, bool* is_valid);

// Attributes and background as the host can read them: to tell what is wrong
// with them.
template <typename T>
std::string CopyColorsFromGpu(const SoftShadeInputs<T>& inputs,
                              const GpuContext& context,
                              std::vector<T>* attributes,
                              std::vector<T>* background);

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

#endif  // TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_GPU_H_
