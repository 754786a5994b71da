// Softras>SoftRasterize and Softras>SoftRasterizeGrad on GPUs: TensorFlow's
// stream and memory for the launchers of soft_rasterize_gpu.h. Compiled where
// the build has a CUDA toolkit; includes none of its headers.
#define EIGEN_USE_THREADS

#include <cstdint>
#include <string>
#include <vector>

#include "cc/kernels/op_gpu.h"
#include "cc/kernels/op_soft_rasterize.h"
#include "cc/kernels/soft_rasterize_gpu.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/register_types.h"

namespace tf_softras {

namespace functor {

// The device answers yes or no. What is wrong, the host finds out by itself, in
// the words of the CPU's kernel.
template <typename T>
struct ValidateMeshValues<GpuDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftRasterizeInputs<T>& inputs) const {
    TF_RETURN_IF_ERROR(ValidateNumGpuFaces(inputs.num_faces));
    OpScratch scratch(context);
    const GpuContext gpu = scratch.gpu_context();
    bool is_valid = false;
    absl::Status status = scratch.Status(CheckMeshGpu(inputs, gpu, &is_valid));
    if (!status.ok() || is_valid) return status;
    std::vector<T> vertices;
    std::vector<int32_t> faces;
    status = scratch.Status(CopyMeshFromGpu(inputs, gpu, &vertices, &faces));
    if (!status.ok()) return status;
    return tf_softras::ValidateMeshValues(vertices.data(), inputs.batch,
                                          inputs.num_vertices, faces.data(),
                                          inputs.num_faces);
  }
};

template <typename T>
struct SoftRasterize<GpuDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftRasterizeInputs<T>& inputs, T* silhouette,
                          T* transparency) const {
    OpScratch scratch(context);
    return scratch.Status(SoftRasterizeForwardGpu(
        inputs, silhouette, transparency, scratch.gpu_context()));
  }
};

template <typename T>
struct SoftRasterizeGrad<GpuDevice, T> {
  absl::Status operator()(tensorflow::OpKernelContext* context,
                          const SoftRasterizeInputs<T>& inputs,
                          const T* transparency, const T* upstream,
                          T* vertices_gradient) const {
    OpScratch scratch(context);
    return scratch.Status(SoftRasterizeBackwardGpu(inputs, transparency,
                                                   upstream, vertices_gradient,
                                                   scratch.gpu_context()));
  }
};

}  // namespace functor

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterize")       \
                              .Device(tensorflow::DEVICE_GPU) \
                              .HostMemory("sigma")            \
                              .TypeConstraint<T>("T"),        \
                          SoftRasterizeOp<GpuDevice, T>);     \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterizeGrad")   \
                              .Device(tensorflow::DEVICE_GPU) \
                              .HostMemory("sigma")            \
                              .TypeConstraint<T>("T"),        \
                          SoftRasterizeGradOp<GpuDevice, T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
