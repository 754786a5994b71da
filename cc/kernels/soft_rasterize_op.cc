// Softras>SoftRasterize and Softras>SoftRasterizeGrad on the CPU.
#define EIGEN_USE_THREADS

#include "cc/kernels/op_soft_rasterize.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/register_types.h"

namespace tf_softras {

using CPUDevice = Eigen::ThreadPoolDevice;

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterize")       \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftRasterizeOp<CPUDevice, T>);     \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterizeGrad")   \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftRasterizeGradOp<CPUDevice, T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
