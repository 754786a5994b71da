// Kernels of Softras>SoftShade and Softras>SoftShadeGrad: validate, allocate,
// return if empty, one functor call for the image and one for alpha.
#define EIGEN_USE_THREADS

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "cc/kernels/op_validation.h"
#include "cc/kernels/soft_rasterize_functor.h"
#include "cc/kernels/soft_shade_functor.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/types.h"

namespace tf_softras {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using CPUDevice = Eigen::ThreadPoolDevice;

namespace {

template <typename T>
absl::Status ReadPositive(const char* name, const Tensor& tensor, T* value) {
  if (tensor.dims() != 0) {
    return InvalidArgument(name, ": expected a scalar; received shape ",
                           tensor.shape().DebugString());
  }
  *value = tensor.scalar<T>()();
  if (*value > T(0) && std::isfinite(*value)) return absl::OkStatus();
  return InvalidArgument(name, ": expected a positive finite number; received ",
                         *value);
}

template <typename T>
absl::Status ValidateFinite(const char* name, const Tensor& tensor) {
  const auto values = tensor.flat<T>();
  for (int64_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values(i))) {
      return InvalidArgument(name, ": expected finite numbers; received ",
                             values(i), " at position ", i, " of shape ",
                             tensor.shape().DebugString());
    }
  }
  return absl::OkStatus();
}

// [batch, num_vertices, channels] beside vertices [batch, num_vertices, 3].
absl::Status ValidateAttributesShape(const Tensor& attributes,
                                     const Tensor& vertices) {
  if (attributes.dims() == 3 &&
      attributes.dim_size(0) == vertices.dim_size(0) &&
      attributes.dim_size(1) == vertices.dim_size(1)) {
    return absl::OkStatus();
  }
  return InvalidArgument("attributes: expected shape [", vertices.dim_size(0),
                         ", ", vertices.dim_size(1), ", channels]; received ",
                         attributes.shape().DebugString());
}

// The image [batch, height, width, channels], if its size can be counted.
absl::Status AddChannels(const TensorShape& plane, int64_t channels,
                         TensorShape* image) {
  *image = plane;
  if (image->AddDimWithStatus(channels).ok()) return absl::OkStatus();
  return InvalidArgument(
      "attributes: expected channels that give an image whose size fits in 63 "
      "bits; received ",
      channels, " for images ", plane.DebugString());
}

template <typename T>
bool AnyNonZero(const Tensor& tensor) {
  const auto values = tensor.flat<T>();
  return std::any_of(values.data(), values.data() + values.size(),
                     [](T value) { return value != T(0); });
}

}  // namespace

// What both ops read: attributes at construction, inputs 0 to 5.
template <typename T>
class SoftShadeOpBase : public OpKernel {
 public:
  explicit SoftShadeOpBase(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("height", &height_));
    OP_REQUIRES_OK(context, context->GetAttr("width", &width_));
    OP_REQUIRES_OK(context, context->GetAttr("near", &near_));
    OP_REQUIRES_OK(context, context->GetAttr("far", &far_));
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
    OP_REQUIRES_OK(context, context->GetAttr("min_coverage", &min_coverage_));
    std::string aggregation;
    OP_REQUIRES_OK(context, context->GetAttr("aggregation", &aggregation));
    is_hard_ = aggregation == "hard";
    OP_REQUIRES_OK(context, ValidateAttributes(height_, width_, near_));
    OP_REQUIRES(
        context, near_ >= 0.0f,
        InvalidArgument("near: expected a finite depth that is not negative; "
                        "received ",
                        near_));
    OP_REQUIRES(context, std::isfinite(far_) && far_ > near_,
                InvalidArgument("far: expected a finite depth above near = ",
                                near_, "; received ", far_));
    OP_REQUIRES(context, std::isfinite(epsilon_),
                InvalidArgument("epsilon: expected a finite number; received ",
                                epsilon_));
    OP_REQUIRES(context, min_coverage_ > 0.0f && min_coverage_ <= 0.5f,
                InvalidArgument(
                    "min_coverage: expected a number in (0, 0.5]; received ",
                    min_coverage_));
  }

 protected:
  // `plane` is [batch, height, width], `image` has the channels too.
  absl::Status Read(OpKernelContext* context, SoftShadeInputs<T>* inputs,
                    TensorShape* plane, TensorShape* image) const {
    const Tensor& vertices = context->input(0);
    const Tensor& faces = context->input(1);
    const Tensor& attributes = context->input(4);
    const Tensor& background = context->input(5);
    T sigma, gamma;
    TF_RETURN_IF_ERROR(ValidateMesh<T>(vertices, faces));
    TF_RETURN_IF_ERROR(ReadPositive("sigma", context->input(2), &sigma));
    TF_RETURN_IF_ERROR(ReadPositive("gamma", context->input(3), &gamma));
    TF_RETURN_IF_ERROR(ValidateAttributesShape(attributes, vertices));
    TF_RETURN_IF_ERROR(ValidateFinite<T>("attributes", attributes));
    const int64_t channels = attributes.dim_size(2);
    TF_RETURN_IF_ERROR(
        MakeImageShape(vertices.dim_size(0), height_, width_, plane));
    TF_RETURN_IF_ERROR(AddChannels(*plane, channels, image));
    if (background.shape() != *image &&
        background.shape() != TensorShape({channels})) {
      return InvalidArgument("background: expected shape [", channels, "] or ",
                             image->DebugString(), "; received ",
                             background.shape().DebugString());
    }
    TF_RETURN_IF_ERROR(ValidateFinite<T>("background", background));
    *inputs = {{vertices.flat<T>().data(), faces.flat<int32_t>().data(),
                vertices.dim_size(0), vertices.dim_size(1), faces.dim_size(0),
                height_, width_, sigma, static_cast<T>(near_)},
               attributes.flat<T>().data(),
               background.flat<T>().data(),
               background.dims() == 4,
               channels,
               gamma,
               static_cast<double>(far_),
               static_cast<double>(epsilon_),
               static_cast<double>(min_coverage_)};
    return absl::OkStatus();
  }

  bool is_hard() const { return is_hard_; }

 private:
  int64_t height_;
  int64_t width_;
  float near_;
  float far_;
  float epsilon_;
  float min_coverage_;
  bool is_hard_;
};

template <typename Device, typename T>
class SoftShadeOp : public SoftShadeOpBase<T> {
 public:
  using SoftShadeOpBase<T>::SoftShadeOpBase;

  void Compute(OpKernelContext* context) override {
    SoftShadeInputs<T> inputs;
    TensorShape plane, shape;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &plane, &shape));
    OP_REQUIRES_OK(context, ValidateMemory(plane, (2 + inputs.channels) *
                                                      int64_t{sizeof(T)}));
    Tensor* image = nullptr;
    Tensor* alpha = nullptr;
    Tensor* transparency = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &image));
    OP_REQUIRES_OK(context, context->allocate_output(1, plane, &alpha));
    OP_REQUIRES_OK(context, context->allocate_output(2, plane, &transparency));
    if (alpha->NumElements() == 0) return;
    OP_REQUIRES_OK(context, (functor::SoftRasterize<Device, T>()(
                                context, inputs.mesh, alpha->flat<T>().data(),
                                transparency->flat<T>().data())));
    if (image->NumElements() == 0) return;
    OP_REQUIRES_OK(context, (functor::SoftShade<Device, T>()(
                                context, this->is_hard(), inputs,
                                image->flat<T>().data())));
  }
};

template <typename Device, typename T>
class SoftShadeGradOp : public SoftShadeOpBase<T> {
 public:
  using SoftShadeOpBase<T>::SoftShadeOpBase;

  void Compute(OpKernelContext* context) override {
    SoftShadeInputs<T> inputs;
    TensorShape plane, image;
    OP_REQUIRES_OK(context, this->Read(context, &inputs, &plane, &image));
    const Tensor& transparency = context->input(6);
    const Tensor& upstream = context->input(7);
    const Tensor& alpha_upstream = context->input(8);
    OP_REQUIRES_OK(context,
                   ValidateShape("transparency", transparency.shape(), plane));
    OP_REQUIRES_OK(context,
                   ValidateShape("image_gradient", upstream.shape(), image));
    OP_REQUIRES_OK(context, ValidateShape("alpha_gradient",
                                          alpha_upstream.shape(), plane));
    Tensor* gradients[3] = {nullptr, nullptr, nullptr};
    for (int i = 0; i < 3; ++i) {
      constexpr int kInputs[3] = {0, 4, 5};
      OP_REQUIRES_OK(context,
                     context->allocate_output(
                         i, context->input(kInputs[i]).shape(), &gradients[i]));
      auto values = gradients[i]->template flat<T>();
      std::fill(values.data(), values.data() + values.size(), T(0));
    }
    if (image.num_elements() > 0) {
      OP_REQUIRES_OK(
          context,
          (functor::SoftShadeGrad<Device, T>()(
              context, this->is_hard(), inputs, upstream.flat<T>().data(),
              {gradients[0]->flat<T>().data(), gradients[1]->flat<T>().data(),
               gradients[2]->flat<T>().data()})));
    }
    if (gradients[0]->NumElements() > 0 && AnyNonZero<T>(alpha_upstream)) {
      OP_REQUIRES_OK(context, AddAlpha(context, inputs, transparency,
                                       alpha_upstream, gradients[0]));
    }
  }

 private:
  static absl::Status AddAlpha(OpKernelContext* context,
                               const SoftShadeInputs<T>& inputs,
                               const Tensor& transparency,
                               const Tensor& upstream,
                               Tensor* vertices_gradient) {
    Tensor through_alpha;
    TF_RETURN_IF_ERROR(
        context->allocate_temp(tensorflow::DataTypeToEnum<T>::value,
                               vertices_gradient->shape(), &through_alpha));
    auto part = through_alpha.flat<T>();
    TF_RETURN_IF_ERROR((functor::SoftRasterizeGrad<Device, T>()(
        context, inputs.mesh, transparency.flat<T>().data(),
        upstream.flat<T>().data(), part.data())));
    auto sum = vertices_gradient->flat<T>();
    for (int64_t i = 0; i < sum.size(); ++i) sum(i) += part(i);
    return absl::OkStatus();
  }
};

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShade")           \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeOp<CPUDevice, T>);         \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShadeGrad")       \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeGradOp<CPUDevice, T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
