// Kernel of Softras>RasterizeFaces: validate, allocate, return if empty, one
// functor call.
#define EIGEN_USE_THREADS

#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cc/kernels/hard_rasterize_cpu.h"
#include "cc/kernels/op_parallel.h"
#include "cc/kernels/op_validation.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_shape.h"

namespace tf_softras {

template <typename T>
class RasterizeFacesOp : public tensorflow::OpKernel {
 public:
  explicit RasterizeFacesOp(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("height", &height_));
    OP_REQUIRES_OK(context, context->GetAttr("width", &width_));
    OP_REQUIRES_OK(context, context->GetAttr("near", &near_));
    OP_REQUIRES(
        context, std::isfinite(near_) && near_ >= 0.0f,
        absl::InvalidArgumentError(absl::StrCat(
            "near: expected a finite depth that is not negative; received ",
            near_)));
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    const tensorflow::Tensor& vertices = context->input(0);
    const tensorflow::Tensor& faces = context->input(1);
    OP_REQUIRES_OK(context, ValidateMesh<T>(vertices, faces));
    constexpr int64_t kMostFaces = std::numeric_limits<int32_t>::max();
    OP_REQUIRES(context, faces.dim_size(0) <= kMostFaces,
                absl::InvalidArgumentError(
                    absl::StrCat("faces: expected at most ", kMostFaces,
                                 " faces; received ", faces.dim_size(0))));
    tensorflow::TensorShape shape;
    OP_REQUIRES_OK(
        context, MakeImageShape(vertices.dim_size(0), height_, width_, &shape));
    OP_REQUIRES_OK(context, ValidateMemory(shape, sizeof(int32_t) + sizeof(T)));
    tensorflow::Tensor* face_index = nullptr;
    tensorflow::Tensor* depth = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &face_index));
    OP_REQUIRES_OK(context, context->allocate_output(1, shape, &depth));
    if (depth->NumElements() == 0) return;
    const HardRasterizeInputs<T> inputs = {vertices.flat<T>().data(),
                                           faces.flat<int32_t>().data(),
                                           vertices.dim_size(0),
                                           vertices.dim_size(1),
                                           faces.dim_size(0),
                                           height_,
                                           width_,
                                           static_cast<double>(near_)};
    OP_REQUIRES_OK(context,
                   RunOnCpu(context, [&](const ParallelFor& parallel_for) {
                     HardRasterize(inputs, face_index->flat<int32_t>().data(),
                                   depth->flat<T>().data(), parallel_for);
                   }));
  }

 private:
  int64_t height_;
  int64_t width_;
  float near_;
};

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>RasterizeFaces")      \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          RasterizeFacesOp<T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
