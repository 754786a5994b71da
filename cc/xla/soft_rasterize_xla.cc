// Softras>SoftRasterize and Softras>SoftRasterizeGrad under XLA on CPUs: each
// compiles to a custom call, whose handler runs the functor of the op's kernel.
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "cc/kernels/op_validation.h"
#include "cc/kernels/soft_rasterize_cpu.h"
#include "cc/xla/custom_call.h"
#include "cc/xla/handler.h"
#include "tensorflow/compiler/tf2xla/xla_op_kernel.h"
#include "tensorflow/compiler/tf2xla/xla_op_registry.h"
#include "xla/ffi/api/ffi.h"
#include "xla/shape_util.h"

namespace tf_softras {
namespace {

namespace ffi = xla::ffi;

constexpr char kForward[] = "softras_soft_rasterize";
constexpr char kBackward[] = "softras_soft_rasterize_grad";

// ---------------------------------------------------------------- Handlers

// Shapes are what Compile below made of them; values are known only here.
template <ffi::DataType type, typename T = ffi::NativeType<type>>
absl::Status ReadInputs(ffi::Buffer<type> vertices,
                        ffi::Buffer<ffi::DataType::S32> faces,
                        ffi::Buffer<type> sigma, ffi::Span<const int64_t> image,
                        float near, SoftRasterizeInputs<T>* inputs) {
  *inputs = {vertices.typed_data(),
             faces.typed_data(),
             vertices.dimensions()[0],
             vertices.dimensions()[1],
             faces.dimensions()[0],
             image[1],
             image[2],
             *sigma.typed_data(),
             static_cast<T>(near)};
  const absl::Status status =
      ValidateMeshValues(inputs->vertices, inputs->batch, inputs->num_vertices,
                         inputs->faces, inputs->num_faces);
  if (!status.ok()) return status;
  return ValidatePositive("sigma", inputs->sigma);
}

template <ffi::DataType type>
ffi::Error Forward(ffi::ThreadPool pool, ffi::Buffer<type> vertices,
                   ffi::Buffer<ffi::DataType::S32> faces,
                   ffi::Buffer<type> sigma,
                   ffi::Result<ffi::Buffer<type>> silhouette,
                   ffi::Result<ffi::Buffer<type>> transparency, float near) {
  SoftRasterizeInputs<ffi::NativeType<type>> inputs;
  const absl::Status status = ReadInputs<type>(
      vertices, faces, sigma, silhouette->dimensions(), near, &inputs);
  if (!status.ok()) return ToFfi(status);
  if (silhouette->element_count() > 0) {
    return RunOnFfi(pool, [&](const ParallelFor& parallel_for) {
      SoftRasterizeForward(inputs, silhouette->typed_data(),
                           transparency->typed_data(), parallel_for);
    });
  }
  return ffi::Error::Success();
}

template <ffi::DataType type>
ffi::Error Backward(ffi::ThreadPool pool, ffi::Buffer<type> vertices,
                    ffi::Buffer<ffi::DataType::S32> faces,
                    ffi::Buffer<type> sigma, ffi::Buffer<type> transparency,
                    ffi::Buffer<type> upstream,
                    ffi::Result<ffi::Buffer<type>> gradient, float near) {
  SoftRasterizeInputs<ffi::NativeType<type>> inputs;
  const absl::Status status = ReadInputs<type>(
      vertices, faces, sigma, upstream.dimensions(), near, &inputs);
  if (!status.ok()) return ToFfi(status);
  if (gradient->element_count() > 0) {
    return RunOnFfi(pool, [&](const ParallelFor& parallel_for) {
      SoftRasterizeBackward(inputs, transparency.typed_data(),
                            upstream.typed_data(), gradient->typed_data(),
                            parallel_for);
    });
  }
  return ffi::Error::Success();
}

#define TF_SOFTRAS_HANDLERS(TYPE)                                              \
  XLA_FFI_DEFINE_HANDLER(kForward##TYPE, Forward<ffi::DataType::TYPE>,         \
                         ffi::Ffi::Bind()                                      \
                             .Ctx<ffi::ThreadPool>()                           \
                             .Arg<ffi::Buffer<ffi::DataType::TYPE>>()          \
                             .Arg<ffi::Buffer<ffi::DataType::S32>>()           \
                             .Arg<ffi::Buffer<ffi::DataType::TYPE>>()          \
                             .Ret<ffi::Buffer<ffi::DataType::TYPE>>()          \
                             .Ret<ffi::Buffer<ffi::DataType::TYPE>>()          \
                             .Attr<float>("near"));                            \
  XLA_FFI_DEFINE_HANDLER(kBackward##TYPE, Backward<ffi::DataType::TYPE>,       \
                         ffi::Ffi::Bind()                                      \
                             .Ctx<ffi::ThreadPool>()                           \
                             .Arg<ffi::Buffer<ffi::DataType::TYPE>>()          \
                             .Arg<ffi::Buffer<ffi::DataType::S32>>()           \
                             .Arg<ffi::Buffer<ffi::DataType::TYPE>>()          \
                             .Arg<ffi::Buffer<ffi::DataType::TYPE>>()          \
                             .Arg<ffi::Buffer<ffi::DataType::TYPE>>()          \
                             .Ret<ffi::Buffer<ffi::DataType::TYPE>>()          \
                             .Attr<float>("near"));                            \
  XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), HandlerName(kForward, #TYPE),  \
                           "Host", kForward##TYPE);                            \
  XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), HandlerName(kBackward, #TYPE), \
                           "Host", kBackward##TYPE)

TF_SOFTRAS_HANDLERS(F32);
TF_SOFTRAS_HANDLERS(F64);
#undef TF_SOFTRAS_HANDLERS

// ---------------------------------------------------------------- Kernels

using tensorflow::OpKernelConstruction;
using tensorflow::TensorShape;
using tensorflow::XlaOpKernel;
using tensorflow::XlaOpKernelContext;

// The op's inputs, in order.
constexpr const char* kInputs[] = {"vertices", "faces", "sigma", "transparency",
                                   "silhouette_gradient"};

class SoftRasterizeXlaBase : public XlaOpKernel {
 public:
  explicit SoftRasterizeXlaBase(OpKernelConstruction* context)
      : XlaOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("height", &height_));
    OP_REQUIRES_OK(context, context->GetAttr("width", &width_));
    OP_REQUIRES_OK(context, context->GetAttr("near", &near_));
    OP_REQUIRES_OK(context, ValidateAttributes(height_, width_, near_));
  }

 protected:
  struct Shapes {
    std::vector<TensorShape> inputs;
    TensorShape image;
  };

  absl::Status Read(XlaOpKernelContext* context, Shapes* shapes) const {
    TF_RETURN_IF_ERROR(StaticShapes(context, kInputs, &shapes->inputs));
    TF_RETURN_IF_ERROR(
        ValidateMeshShapes(shapes->inputs[0], shapes->inputs[1]));
    TF_RETURN_IF_ERROR(ValidateScalarShape("sigma", shapes->inputs[2]));
    TF_RETURN_IF_ERROR(MakeImageShape(shapes->inputs[0].dim_size(0), height_,
                                      width_, &shapes->image));
    for (size_t i = 3; i < shapes->inputs.size(); ++i) {
      TF_RETURN_IF_ERROR(
          ValidateShape(kInputs[i], shapes->inputs[i], shapes->image));
    }
    return absl::OkStatus();
  }

  xla::XlaOp Call(XlaOpKernelContext* context, const char* call,
                  const Shapes& shapes, const xla::Shape& result) const {
    return CallHandler(context, call, shapes.inputs, result,
                       FloatAttribute("near", near_));
  }

 private:
  int64_t height_;
  int64_t width_;
  float near_;
};

class SoftRasterizeXlaOp : public SoftRasterizeXlaBase {
 public:
  using SoftRasterizeXlaBase::SoftRasterizeXlaBase;

  void Compile(XlaOpKernelContext* context) override {
    Shapes shapes;
    OP_REQUIRES_OK(context, Read(context, &shapes));
    const xla::Shape image = RowMajor(context->input_xla_type(0), shapes.image);
    const xla::XlaOp both =
        Call(context, kForward, shapes,
             xla::ShapeUtil::MakeTupleShape({image, image}));
    context->SetOutput(0, xla::GetTupleElement(both, 0));
    context->SetOutput(1, xla::GetTupleElement(both, 1));
  }
};

class SoftRasterizeGradXlaOp : public SoftRasterizeXlaBase {
 public:
  using SoftRasterizeXlaBase::SoftRasterizeXlaBase;

  void Compile(XlaOpKernelContext* context) override {
    Shapes shapes;
    OP_REQUIRES_OK(context, Read(context, &shapes));
    context->SetOutput(
        0, Call(context, kBackward, shapes,
                RowMajor(context->input_xla_type(0), shapes.inputs[0])));
  }
};

REGISTER_KERNEL_BUILDER(
    Name("Softras>SoftRasterize").Device(tensorflow::DEVICE_CPU_XLA_JIT),
    SoftRasterizeXlaOp);
REGISTER_KERNEL_BUILDER(
    Name("Softras>SoftRasterizeGrad").Device(tensorflow::DEVICE_CPU_XLA_JIT),
    SoftRasterizeGradXlaOp);

}  // namespace
}  // namespace tf_softras
