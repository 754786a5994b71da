// The soft rasteriser per device.
#ifndef TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_FUNCTOR_H_
#define TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_FUNCTOR_H_

#include "cc/kernels/op_parallel.h"
#include "cc/kernels/op_validation.h"
#include "cc/kernels/soft_rasterize_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace tf_softras {
namespace functor {

template <typename Device, typename T>
struct ValidateMeshValues;
template <typename Device, typename T>
struct SoftRasterize;
template <typename Device, typename T>
struct SoftRasterizeGrad;

template <typename T>
struct ValidateMeshValues<Eigen::ThreadPoolDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext*,
                          const SoftRasterizeInputs<T>& inputs) const {
    return tf_softras::ValidateMeshValues(inputs.vertices, inputs.batch,
                                          inputs.num_vertices, inputs.faces,
                                          inputs.num_faces);
  }
};

template <typename T>
struct SoftRasterize<Eigen::ThreadPoolDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftRasterizeInputs<T>& inputs, T* silhouette,
                          T* transparency) const {
    return RunOnCpu(context, [&](const ParallelFor& parallel_for) {
      SoftRasterizeForward(inputs, silhouette, transparency, parallel_for);
    });
  }
};

template <typename T>
struct SoftRasterizeGrad<Eigen::ThreadPoolDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftRasterizeInputs<T>& inputs,
                          const T* transparency, const T* upstream,
                          T* vertices_gradient) const {
    return RunOnCpu(context, [&](const ParallelFor& parallel_for) {
      SoftRasterizeBackward(inputs, transparency, upstream, vertices_gradient,
                            parallel_for);
    });
  }
};

}  // namespace functor
}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_FUNCTOR_H_
