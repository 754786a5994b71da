// Kernel of Softras>HardSilhouetteGrad: validate, allocate, return if empty,
// one functor call.
#define EIGEN_USE_THREADS

#include <cstdint>

#include "cc/kernels/hard_silhouette_backward_cpu.h"
#include "cc/kernels/op_parallel.h"
#include "cc/kernels/op_validation.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_shape.h"

namespace tf_softras {
namespace {

// The images' shape is that of face_index, one image a batch item; its values
// name faces or are -1.
absl::Status ValidateFaceIndex(const tensorflow::Tensor& face_index,
                               int64_t batch, int64_t num_faces) {
  if (face_index.dims() != 3 || face_index.dim_size(0) != batch) {
    return InvalidArgument("face_index: expected shape [", batch,
                           ", height, width]; received ",
                           face_index.shape().DebugString());
  }
  const auto values = face_index.flat<int32_t>();
  for (int64_t i = 0; i < values.size(); ++i) {
    if (values(i) < -1 || values(i) >= num_faces) {
      return InvalidArgument("face_index: expected faces in [-1, ", num_faces,
                             "); received ", values(i));
    }
  }
  return absl::OkStatus();
}

}  // namespace

template <typename T>
class HardSilhouetteGradOp : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(tensorflow::OpKernelContext* context) override {
    const tensorflow::Tensor& vertices = context->input(0);
    const tensorflow::Tensor& faces = context->input(1);
    const tensorflow::Tensor& face_index = context->input(2);
    const tensorflow::Tensor& upstream = context->input(3);
    OP_REQUIRES_OK(context, ValidateMesh<T>(vertices, faces));
    OP_REQUIRES_OK(context, ValidateFaceIndex(face_index, vertices.dim_size(0),
                                              faces.dim_size(0)));
    OP_REQUIRES_OK(context,
                   ValidateShape("silhouette_gradient", upstream.shape(),
                                 face_index.shape()));
    tensorflow::Tensor* gradient = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, vertices.shape(), &gradient));
    if (gradient->NumElements() == 0) return;
    const HardRasterizeInputs<T> inputs = {
        vertices.flat<T>().data(), faces.flat<int32_t>().data(),
        vertices.dim_size(0),      vertices.dim_size(1),
        faces.dim_size(0),         face_index.dim_size(1),
        face_index.dim_size(2),    0.0};
    OP_REQUIRES_OK(
        context, RunOnCpu(context, [&](const ParallelFor& parallel_for) {
          HardSilhouetteBackward(inputs, face_index.flat<int32_t>().data(),
                                 upstream.flat<T>().data(),
                                 gradient->flat<T>().data(), parallel_for);
        }));
  }
};

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>HardSilhouetteGrad")  \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          HardSilhouetteGradOp<T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
