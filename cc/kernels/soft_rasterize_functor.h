// The soft rasteriser per device.
#ifndef TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_FUNCTOR_H_
#define TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_FUNCTOR_H_

#include "cc/kernels/op_parallel.h"
#include "cc/kernels/soft_rasterize_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace tf_softras {
namespace functor {

template <typename Device, typename T>
struct SoftRasterize;
template <typename Device, typename T>
struct SoftRasterizeGrad;

template <typename T>
struct SoftRasterize<Eigen::ThreadPoolDevice, T> {
  void operator()(tensorflow::OpKernelContext* context,
                  const SoftRasterizeInputs<T>& inputs, T* silhouette,
                  T* transparency) const {
    SoftRasterizeForward(inputs, silhouette, transparency,
                         IntraOpParallelFor(context));
  }
};

template <typename T>
struct SoftRasterizeGrad<Eigen::ThreadPoolDevice, T> {
  void operator()(tensorflow::OpKernelContext* context,
                  const SoftRasterizeInputs<T>& inputs, const T* transparency,
                  const T* upstream, T* vertices_gradient) const {
    SoftRasterizeBackward(inputs, transparency, upstream, vertices_gradient,
                          IntraOpParallelFor(context));
  }
};

}  // namespace functor
}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_FUNCTOR_H_
