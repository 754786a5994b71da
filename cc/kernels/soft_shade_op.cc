// Registration of the CPU's kernels of Softras>SoftShade and
// Softras>SoftShadeGrad.
#define EIGEN_USE_THREADS

#include "cc/kernels/op_soft_shade_kernels.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/types.h"

namespace tf_softras {

#define TF_SOFTRAS_REGISTER(T)                                      \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShade")                 \
                              .Device(tensorflow::DEVICE_CPU)       \
                              .TypeConstraint<T>("T"),              \
                          SoftShadeOp<Eigen::ThreadPoolDevice, T>); \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShadeGrad")             \
                              .Device(tensorflow::DEVICE_CPU)       \
                              .TypeConstraint<T>("T"),              \
                          SoftShadeGradOp<Eigen::ThreadPoolDevice, T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
