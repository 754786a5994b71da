// Softras>SoftShade and Softras>SoftShadeGrad on GPUs: TensorFlow's stream and
// memory for the launchers of soft_shade_gpu.h. Compiled where the build has a
// CUDA toolkit; includes none of its headers.
#define EIGEN_USE_THREADS

#include <cstdint>
#include <vector>

#include "cc/kernels/op_gpu.h"
#include "cc/kernels/op_soft_shade_kernels.h"
#include "cc/kernels/soft_shade_gpu.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/types.h"

namespace tf_softras {
namespace functor {

// As for the silhouette, the host finds out what is wrong, where something is.
template <typename T>
struct ValidateShadeArrays<GpuDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftShadeInputs<T>& inputs) const {
    TF_RETURN_IF_ERROR(ValidateNumGpuFaces(inputs.mesh.num_faces));
    OpScratch scratch(context);
    const GpuContext gpu = scratch.gpu_context();
    bool is_valid = false;
    absl::Status status =
        scratch.Status(CheckShadeInputsGpu(inputs, gpu, &is_valid));
    if (!status.ok() || is_valid) return status;
    std::vector<T> vertices, attributes, background;
    std::vector<int32_t> faces;
    TF_RETURN_IF_ERROR(
        scratch.Status(CopyMeshFromGpu(inputs.mesh, gpu, &vertices, &faces)));
    TF_RETURN_IF_ERROR(scratch.Status(
        CopyColorsFromGpu(inputs, gpu, &attributes, &background)));
    SoftShadeInputs<T> on_host = inputs;
    on_host.mesh.vertices = vertices.data();
    on_host.mesh.faces = faces.data();
    on_host.attributes = attributes.data();
    on_host.background = background.data();
    return tf_softras::ValidateShadeArrays(on_host);
  }
};

template <typename T>
struct SoftShade<GpuDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftShadeInputs<T>& inputs, bool is_hard,
                          T* image, T* alpha, T* transparency) const {
    OpScratch scratch(context);
    return scratch.Status(ShadeForwardGpu(inputs, is_hard, image, alpha,
                                          transparency, scratch.gpu_context()));
  }
};

template <typename T>
struct SoftShadeGrad<GpuDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftShadeInputs<T>& inputs, bool is_hard,
                          const T* transparency, const T* upstream,
                          const T* alpha_upstream,
                          const SoftShadeGradients<T>& gradients) const {
    OpScratch scratch(context);
    return scratch.Status(ShadeBackwardGpu(inputs, is_hard, transparency,
                                           upstream, alpha_upstream, gradients,
                                           scratch.gpu_context()));
  }
};

}  // namespace functor

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShade")           \
                              .Device(tensorflow::DEVICE_GPU) \
                              .HostMemory("sigma")            \
                              .HostMemory("gamma")            \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeOp<GpuDevice, T>);         \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShadeGrad")       \
                              .Device(tensorflow::DEVICE_GPU) \
                              .HostMemory("sigma")            \
                              .HostMemory("gamma")            \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeGradOp<GpuDevice, T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
