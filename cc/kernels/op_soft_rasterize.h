// The kernels of Softras>SoftRasterize and Softras>SoftRasterizeGrad on any
// device: validate, allocate, return if empty, one functor call.
#ifndef TF_SOFTRAS_CC_KERNELS_OP_SOFT_RASTERIZE_H_
#define TF_SOFTRAS_CC_KERNELS_OP_SOFT_RASTERIZE_H_

#include <cstdint>
#include <type_traits>

#include "cc/kernels/op_validation.h"
#include "cc/kernels/soft_rasterize_functor.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"

namespace tf_softras {

// What both ops read: attributes at construction; vertices, faces and sigma (in
// host memory) at inputs 0 to 2.
template <typename Device, typename T>
class SoftRasterizeOpBase : public tensorflow::OpKernel {
 public:
  explicit SoftRasterizeOpBase(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("height", &height_));
    OP_REQUIRES_OK(context, context->GetAttr("width", &width_));
    OP_REQUIRES_OK(context, context->GetAttr("near", &near_));
    OP_REQUIRES_OK(context, ValidateAttributes(height_, width_, near_));
  }

 protected:
  absl::Status Read(tensorflow::OpKernelContext* context,
                    SoftRasterizeInputs<T>* inputs,
                    tensorflow::TensorShape* image_shape) const {
    const tensorflow::Tensor& vertices = context->input(0);
    const tensorflow::Tensor& faces = context->input(1);
    const tensorflow::Tensor& sigma = context->input(2);
    absl::Status status = ValidateMeshShapes(vertices.shape(), faces.shape());
    if (!status.ok()) return status;
    status = ValidateScalarShape("sigma", sigma.shape());
    if (!status.ok()) return status;
    const T value = sigma.scalar<T>()();
    status = ValidatePositive("sigma", value);
    if (!status.ok()) return status;
    status = MakeImageShape(vertices.dim_size(0), height_, width_, image_shape);
    if (!status.ok()) return status;
    *inputs = {vertices.flat<T>().data(),
               faces.flat<int32_t>().data(),
               vertices.dim_size(0),
               vertices.dim_size(1),
               faces.dim_size(0),
               height_,
               width_,
               value,
               static_cast<T>(near_)};
    return functor::ValidateMeshValues<Device, T>()(context, *inputs);
  }

 private:
  int64_t height_;
  int64_t width_;
  float near_;
};

template <typename Device, typename T>
class SoftRasterizeOp : public SoftRasterizeOpBase<Device, T> {
 public:
  using SoftRasterizeOpBase<Device, T>::SoftRasterizeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    SoftRasterizeInputs<T> inputs;
    tensorflow::TensorShape image_shape;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &image_shape));
    if constexpr (std::is_same_v<Device, Eigen::ThreadPoolDevice>) {
      OP_REQUIRES_OK(context, ValidateMemory(image_shape, 2 * sizeof(T)));
    }
    tensorflow::Tensor* silhouette = nullptr;
    tensorflow::Tensor* transparency = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, image_shape, &silhouette));
    OP_REQUIRES_OK(context,
                   context->allocate_output(1, image_shape, &transparency));
    if (silhouette->NumElements() == 0) return;
    OP_REQUIRES_OK(context, (functor::SoftRasterize<Device, T>()(
                                context, inputs, silhouette->flat<T>().data(),
                                transparency->flat<T>().data())));
  }
};

template <typename Device, typename T>
class SoftRasterizeGradOp : public SoftRasterizeOpBase<Device, T> {
 public:
  using SoftRasterizeOpBase<Device, T>::SoftRasterizeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    SoftRasterizeInputs<T> inputs;
    tensorflow::TensorShape image_shape;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &image_shape));
    const tensorflow::Tensor& transparency = context->input(3);
    const tensorflow::Tensor& upstream = context->input(4);
    OP_REQUIRES_OK(context, ValidateShape("transparency", transparency.shape(),
                                          image_shape));
    OP_REQUIRES_OK(context, ValidateShape("silhouette_gradient",
                                          upstream.shape(), image_shape));
    tensorflow::Tensor* gradient = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(
                                0, context->input(0).shape(), &gradient));
    if (gradient->NumElements() == 0) return;
    OP_REQUIRES_OK(context,
                   (functor::SoftRasterizeGrad<Device, T>()(
                       context, inputs, transparency.flat<T>().data(),
                       upstream.flat<T>().data(), gradient->flat<T>().data())));
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_OP_SOFT_RASTERIZE_H_
