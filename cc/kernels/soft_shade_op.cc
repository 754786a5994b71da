// Kernels of Softras>SoftShade and Softras>SoftShadeGrad: validate, allocate,
// one pass.
#define EIGEN_USE_THREADS

#include <cstdint>

#include "cc/kernels/op_parallel.h"
#include "cc/kernels/op_soft_shade.h"
#include "cc/kernels/op_validation.h"
#include "cc/kernels/shade_passes.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/types.h"

namespace tf_softras {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

// What both ops read: attributes at construction, inputs 0 to 5.
template <typename T>
class SoftShadeOpBase : public OpKernel {
 public:
  explicit SoftShadeOpBase(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 protected:
  absl::Status Read(OpKernelContext* context, SoftShadeInputs<T>* inputs,
                    SoftShadeShapes* shapes) const {
    const Tensor& vertices = context->input(0);
    const Tensor& faces = context->input(1);
    const Tensor& attributes = context->input(4);
    const Tensor& background = context->input(5);
    shapes->vertices = vertices.shape();
    shapes->faces = faces.shape();
    shapes->sigma = context->input(2).shape();
    shapes->gamma = context->input(3).shape();
    shapes->attributes = attributes.shape();
    shapes->background = background.shape();
    TF_RETURN_IF_ERROR(shapes->Validate(attributes_.height, attributes_.width));
    *inputs = {
        {vertices.flat<T>().data(), faces.flat<int32_t>().data(),
         vertices.dim_size(0), vertices.dim_size(1), faces.dim_size(0),
         attributes_.height, attributes_.width, context->input(2).scalar<T>()(),
         static_cast<T>(attributes_.near)},
        attributes.flat<T>().data(),
        background.flat<T>().data(),
        background.dims() == 4,
        shapes->channels(),
        context->input(3).scalar<T>()(),
        static_cast<double>(attributes_.far),
        static_cast<double>(attributes_.epsilon),
        static_cast<double>(attributes_.min_coverage)};
    return ValidateSoftShadeValues(*inputs);
  }

  bool is_hard() const { return attributes_.is_hard; }

 private:
  SoftShadeAttributes attributes_;
};

template <typename T>
class SoftShadeOp : public SoftShadeOpBase<T> {
 public:
  using SoftShadeOpBase<T>::SoftShadeOpBase;

  void Compute(OpKernelContext* context) override {
    SoftShadeInputs<T> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &shapes));
    OP_REQUIRES_OK(context,
                   ValidateMemory(shapes.plane,
                                  (2 + inputs.channels) * int64_t{sizeof(T)}));
    Tensor* image = nullptr;
    Tensor* alpha = nullptr;
    Tensor* transparency = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shapes.image, &image));
    OP_REQUIRES_OK(context, context->allocate_output(1, shapes.plane, &alpha));
    OP_REQUIRES_OK(context,
                   context->allocate_output(2, shapes.plane, &transparency));
    OP_REQUIRES_OK(
        context, RunOnCpu(context, [&](const ParallelFor& parallel_for) {
          ShadeForward(inputs, this->is_hard(), image->flat<T>().data(),
                       alpha->flat<T>().data(), transparency->flat<T>().data(),
                       parallel_for);
        }));
  }
};

template <typename T>
class SoftShadeGradOp : public SoftShadeOpBase<T> {
 public:
  using SoftShadeOpBase<T>::SoftShadeOpBase;

  void Compute(OpKernelContext* context) override {
    SoftShadeInputs<T> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &shapes));
    const Tensor& transparency = context->input(6);
    const Tensor& upstream = context->input(7);
    const Tensor& alpha_upstream = context->input(8);
    OP_REQUIRES_OK(context, ValidateShape("transparency", transparency.shape(),
                                          shapes.plane));
    OP_REQUIRES_OK(context, ValidateShape("image_gradient", upstream.shape(),
                                          shapes.image));
    OP_REQUIRES_OK(
        context,
        ValidateShape("alpha_gradient", alpha_upstream.shape(), shapes.plane));
    Tensor* gradients[3] = {nullptr, nullptr, nullptr};
    for (int i = 0; i < 3; ++i) {
      constexpr int kInputs[3] = {0, 4, 5};
      OP_REQUIRES_OK(context,
                     context->allocate_output(
                         i, context->input(kInputs[i]).shape(), &gradients[i]));
    }
    OP_REQUIRES_OK(
        context, RunOnCpu(context, [&](const ParallelFor& parallel_for) {
          ShadeBackward(
              inputs, this->is_hard(), transparency.flat<T>().data(),
              upstream.flat<T>().data(), alpha_upstream.flat<T>().data(),
              {gradients[0]->flat<T>().data(), gradients[1]->flat<T>().data(),
               gradients[2]->flat<T>().data()},
              parallel_for);
        }));
  }
};

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShade")           \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeOp<T>);                    \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShadeGrad")       \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeGradOp<T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
