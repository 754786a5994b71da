// Kernels of Softras>SoftRasterize and Softras>SoftRasterizeGrad: validate,
// allocate, return if empty, one functor call.
#define EIGEN_USE_THREADS

#include <cmath>
#include <cstdint>

#include "cc/kernels/op_validation.h"
#include "cc/kernels/soft_rasterize_functor.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/register_types.h"
#include "tensorflow/core/framework/tensor.h"

namespace tf_softras {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using CPUDevice = Eigen::ThreadPoolDevice;

// What both ops read: attributes at construction; vertices, faces and sigma at
// inputs 0 to 2.
template <typename T>
class SoftRasterizeOpBase : public OpKernel {
 public:
  explicit SoftRasterizeOpBase(OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("height", &height_));
    OP_REQUIRES_OK(context, context->GetAttr("width", &width_));
    OP_REQUIRES_OK(context, context->GetAttr("near", &near_));
    OP_REQUIRES(context, height_ <= kLongestSide && width_ <= kLongestSide,
                InvalidArgument("height, width: expected sides of at most ",
                                kLongestSide, " pixels; received ", height_,
                                " x ", width_));
    OP_REQUIRES(
        context, std::isfinite(near_),
        InvalidArgument("near: expected a finite depth; received ", near_));
  }

 protected:
  // Pixel offsets are exact in 32 bits.
  static constexpr int64_t kLongestSide = int64_t{1} << 30;

  absl::Status Read(OpKernelContext* context, SoftRasterizeInputs<T>* inputs,
                    TensorShape* image_shape) const {
    const Tensor& vertices = context->input(0);
    const Tensor& faces = context->input(1);
    const Tensor& sigma = context->input(2);
    absl::Status status = ValidateMesh<T>(vertices, faces);
    if (!status.ok()) return status;
    if (sigma.dims() != 0) {
      return InvalidArgument("sigma: expected a scalar; received shape ",
                             sigma.shape().DebugString());
    }
    const T value = sigma.scalar<T>()();
    if (!(value > T(0)) || !std::isfinite(value)) {
      return InvalidArgument(
          "sigma: expected a positive finite number; received ", value);
    }
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
    return absl::OkStatus();
  }

 private:
  int64_t height_;
  int64_t width_;
  float near_;
};

template <typename Device, typename T>
class SoftRasterizeOp : public SoftRasterizeOpBase<T> {
 public:
  using SoftRasterizeOpBase<T>::SoftRasterizeOpBase;

  void Compute(OpKernelContext* context) override {
    SoftRasterizeInputs<T> inputs;
    TensorShape image_shape;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &image_shape));
    Tensor* silhouette = nullptr;
    Tensor* transparency = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, image_shape, &silhouette));
    OP_REQUIRES_OK(context,
                   context->allocate_output(1, image_shape, &transparency));
    if (silhouette->NumElements() == 0) return;
    functor::SoftRasterize<Device, T>()(context, inputs,
                                        silhouette->flat<T>().data(),
                                        transparency->flat<T>().data());
  }
};

template <typename Device, typename T>
class SoftRasterizeGradOp : public SoftRasterizeOpBase<T> {
 public:
  using SoftRasterizeOpBase<T>::SoftRasterizeOpBase;

  void Compute(OpKernelContext* context) override {
    SoftRasterizeInputs<T> inputs;
    TensorShape image_shape;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &image_shape));
    const Tensor& transparency = context->input(3);
    const Tensor& upstream = context->input(4);
    OP_REQUIRES_OK(context,
                   ValidateShape("transparency", transparency, image_shape));
    OP_REQUIRES_OK(context,
                   ValidateShape("silhouette_gradient", upstream, image_shape));
    Tensor* gradient = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(
                                0, context->input(0).shape(), &gradient));
    if (gradient->NumElements() == 0) return;
    functor::SoftRasterizeGrad<Device, T>()(
        context, inputs, transparency.flat<T>().data(),
        upstream.flat<T>().data(), gradient->flat<T>().data());
  }
};

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
