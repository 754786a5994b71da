// The shader per device.
#ifndef TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_FUNCTOR_H_
#define TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_FUNCTOR_H_

#include "cc/kernels/op_parallel.h"
#include "cc/kernels/op_soft_shade.h"
#include "cc/kernels/shade_passes.h"
#include "cc/kernels/soft_shade_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace tf_softras {
namespace functor {

// Of meshes, attributes and background; sigma and gamma are the host's.
template <typename Device, typename T>
struct ValidateShadeArrays;
template <typename Device, typename T>
struct SoftShade;
template <typename Device, typename T>
struct SoftShadeGrad;

template <typename T>
struct ValidateShadeArrays<Eigen::ThreadPoolDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext*,
                          const SoftShadeInputs<T>& inputs) const {
    return tf_softras::ValidateShadeArrays(inputs);
  }
};

template <typename T>
struct SoftShade<Eigen::ThreadPoolDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftShadeInputs<T>& inputs, bool is_hard,
                          T* image, T* alpha, T* transparency) const {
    return RunOnCpu(context, [&](const ParallelFor& parallel_for) {
      ShadeForward(inputs, is_hard, image, alpha, transparency, parallel_for);
    });
  }
};

template <typename T>
struct SoftShadeGrad<Eigen::ThreadPoolDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftShadeInputs<T>& inputs, bool is_hard,
                          const T* transparency, const T* upstream,
                          const T* alpha_upstream,
                          const SoftShadeGradients<T>& gradients) const {
    return RunOnCpu(context, [&](const ParallelFor& parallel_for) {
      ShadeBackward(inputs, is_hard, transparency, upstream, alpha_upstream,
                    gradients, parallel_for);
    });
  }
};

}  // namespace functor
}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_FUNCTOR_H_
