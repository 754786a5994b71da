// The kernels of Softras>SoftShade and Softras>SoftShadeGrad on any device:
// validate, allocate, one functor call.
#ifndef TF_SOFTRAS_CC_KERNELS_OP_SOFT_SHADE_KERNELS_H_
#define TF_SOFTRAS_CC_KERNELS_OP_SOFT_SHADE_KERNELS_H_

#include <cstdint>
#include <type_traits>

#include "cc/kernels/op_soft_shade.h"
#include "cc/kernels/op_validation.h"
#include "cc/kernels/soft_shade_functor.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"

namespace tf_softras {

// What both ops read: attributes at construction, inputs 0 to 5; of those,
// sigma and gamma are in host memory.
template <typename Device, typename T>
class SoftShadeOpBase : public tensorflow::OpKernel {
 public:
  explicit SoftShadeOpBase(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 protected:
  absl::Status Read(tensorflow::OpKernelContext* context,
                    SoftShadeInputs<T>* inputs, SoftShadeShapes* shapes) const {
    const tensorflow::Tensor& vertices = context->input(0);
    const tensorflow::Tensor& faces = context->input(1);
    const tensorflow::Tensor& attributes = context->input(4);
    const tensorflow::Tensor& background = context->input(5);
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
    TF_RETURN_IF_ERROR(ValidateShadeScalars(*inputs));
    return functor::ValidateShadeArrays<Device, T>()(context, *inputs);
  }

  bool is_hard() const { return attributes_.is_hard; }

 private:
  SoftShadeAttributes attributes_;
};

template <typename Device, typename T>
class SoftShadeOp : public SoftShadeOpBase<Device, T> {
 public:
  using SoftShadeOpBase<Device, T>::SoftShadeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    SoftShadeInputs<T> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &shapes));
    if constexpr (std::is_same_v<Device, Eigen::ThreadPoolDevice>) {
      OP_REQUIRES_OK(
          context, ValidateMemory(shapes.plane,
                                  (2 + inputs.channels) * int64_t{sizeof(T)}));
    }
    tensorflow::Tensor* image = nullptr;
    tensorflow::Tensor* alpha = nullptr;
    tensorflow::Tensor* transparency = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shapes.image, &image));
    OP_REQUIRES_OK(context, context->allocate_output(1, shapes.plane, &alpha));
    OP_REQUIRES_OK(context,
                   context->allocate_output(2, shapes.plane, &transparency));
    OP_REQUIRES_OK(
        context, (functor::SoftShade<Device, T>()(
                     context, inputs, this->is_hard(), image->flat<T>().data(),
                     alpha->flat<T>().data(), transparency->flat<T>().data())));
  }
};

template <typename Device, typename T>
class SoftShadeGradOp : public SoftShadeOpBase<Device, T> {
 public:
  using SoftShadeOpBase<Device, T>::SoftShadeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    SoftShadeInputs<T> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &shapes));
    const tensorflow::Tensor& transparency = context->input(6);
    const tensorflow::Tensor& upstream = context->input(7);
    const tensorflow::Tensor& alpha_upstream = context->input(8);
    OP_REQUIRES_OK(context, ValidateShape("transparency", transparency.shape(),
                                          shapes.plane));
    OP_REQUIRES_OK(context, ValidateShape("image_gradient", upstream.shape(),
                                          shapes.image));
    OP_REQUIRES_OK(
        context,
        ValidateShape("alpha_gradient", alpha_upstream.shape(), shapes.plane));
    tensorflow::Tensor* gradients[3] = {nullptr, nullptr, nullptr};
    for (int i = 0; i < 3; ++i) {
      constexpr int kInputs[3] = {0, 4, 5};
      OP_REQUIRES_OK(context,
                     context->allocate_output(
                         i, context->input(kInputs[i]).shape(), &gradients[i]));
    }
    OP_REQUIRES_OK(
        context,
        (functor::SoftShadeGrad<Device, T>()(
            context, inputs, this->is_hard(), transparency.flat<T>().data(),
            upstream.flat<T>().data(), alpha_upstream.flat<T>().data(),
            {gradients[0]->flat<T>().data(), gradients[1]->flat<T>().data(),
             gradients[2]->flat<T>().data()})));
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_OP_SOFT_SHADE_KERNELS_H_
