// The shader per device.
#ifndef TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_FUNCTOR_H_
#define TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_FUNCTOR_H_

#include "cc/kernels/op_parallel.h"
#include "cc/kernels/soft_shade_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace tf_softras {
namespace functor {

template <typename Device, typename T>
struct SoftShade;
template <typename Device, typename T>
struct SoftShadeGrad;

// `is_hard`: the nearest face alone.
template <typename T>
struct SoftShade<Eigen::ThreadPoolDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context, bool is_hard,
                          const SoftShadeInputs<T>& inputs, T* image) const {
    return RunOnCpu(context, [&](const ParallelFor& parallel_for) {
      if (is_hard) {
        HardShadeForward(inputs, image, parallel_for);
      } else {
        SoftShadeForward(inputs, image, parallel_for);
      }
    });
  }
};

template <typename T>
struct SoftShadeGrad<Eigen::ThreadPoolDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context, bool is_hard,
                          const SoftShadeInputs<T>& inputs, const T* upstream,
                          const SoftShadeGradients<T>& gradients) const {
    return RunOnCpu(context, [&](const ParallelFor& parallel_for) {
      if (is_hard) {
        HardShadeBackward(inputs, upstream, gradients, parallel_for);
      } else {
        SoftShadeBackward(inputs, upstream, gradients, parallel_for);
      }
    });
  }
};

}  // namespace functor
}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_FUNCTOR_H_
