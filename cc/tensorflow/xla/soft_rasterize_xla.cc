// Softras>SoftRasterize and its gradients under XLA on CPUs: each compiles to a
// custom call, whose handler runs the functor of the op's kernel.
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/tensorflow/soft_rasterize_op.h"
#include "cc/tensorflow/validation.h"
#include "cc/tensorflow/xla/custom_call.h"
#include "cc/tensorflow/xla/handler.h"
#include "tensorflow/compiler/tf2xla/xla_op_kernel.h"
#include "tensorflow/compiler/tf2xla/xla_op_registry.h"
#include "xla/ffi/api/ffi.h"
#include "xla/shape_util.h"

namespace tf_softras {
namespace {

namespace ffi = xla::ffi;

constexpr char kForward[] = "softras_soft_rasterize";
constexpr char kBackward[] = "softras_soft_rasterize_grad";
constexpr char kSigmaBackward[] = "softras_soft_rasterize_sigma_grad";

// ---------------------------------------------------------------- Handlers

// Shapes are what Compile below made of them; values are known only here.
template <ffi::DataType type, typename T = ffi::NativeType<type>>
absl::Status ReadInputs(ffi::Buffer<type> vertices,
                        ffi::Buffer<ffi::DataType::S32> faces,
                        ffi::Buffer<type> sigma, ffi::Span<const int64_t> image,
                        float near, SoftRasterizeInputs<T>* inputs) {
  SoftRasterizeShapes shapes;
  shapes.vertices = ShapeOf(vertices);
  shapes.faces = ShapeOf(faces);
  FillInputs(shapes, {image[1], image[2], near}, inputs);
  inputs->vertices = vertices.typed_data();
  inputs->faces = faces.typed_data();
  inputs->sigma = *sigma.typed_data();
  TF_RETURN_IF_ERROR(ValidateMeshValues(*inputs));
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

template <ffi::DataType type>
ffi::Error SigmaBackward(ffi::ThreadPool pool, ffi::Buffer<type> vertices,
                         ffi::Buffer<ffi::DataType::S32> faces,
                         ffi::Buffer<type> sigma,
                         ffi::Buffer<type> transparency,
                         ffi::Buffer<type> upstream,
                         ffi::Result<ffi::Buffer<type>> gradient, float near) {
  SoftRasterizeInputs<ffi::NativeType<type>> inputs;
  const absl::Status status = ReadInputs<type>(
      vertices, faces, sigma, upstream.dimensions(), near, &inputs);
  if (!status.ok()) return ToFfi(status);
  return RunOnFfi(pool, [&](const ParallelFor& parallel_for) {
    SoftRasterizeSigmaBackward(inputs, transparency.typed_data(),
                               upstream.typed_data(), gradient->typed_data(),
                               parallel_for);
  });
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
  XLA_FFI_DEFINE_HANDLER(kSigmaBackward##TYPE,                                 \
                         SigmaBackward<ffi::DataType::TYPE>,                   \
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
                           "Host", kBackward##TYPE);                           \
  XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(),                                \
                           HandlerName(kSigmaBackward, #TYPE), "Host",         \
                           kSigmaBackward##TYPE)

TF_SOFTRAS_HANDLERS(F32);
TF_SOFTRAS_HANDLERS(F64);
#undef TF_SOFTRAS_HANDLERS

// ---------------------------------------------------------------- Kernels

using tensorflow::OpKernelConstruction;
using tensorflow::TensorShape;
using tensorflow::XlaOpKernel;
using tensorflow::XlaOpKernelContext;

// The names of SoftRasterizeInput.
constexpr const char* kInputs[] = {"vertices", "faces", "sigma", "transparency",
                                   "silhouette_gradient"};

class SoftRasterizeXlaBase : public XlaOpKernel {
 public:
  explicit SoftRasterizeXlaBase(OpKernelConstruction* context)
      : XlaOpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 protected:
  absl::Status Read(XlaOpKernelContext* context,
                    std::vector<TensorShape>* inputs,
                    SoftRasterizeShapes* shapes) const {
    TF_RETURN_IF_ERROR(StaticShapes(context, kInputs, inputs));
    shapes->vertices = (*inputs)[SoftRasterizeInput::kVertices];
    shapes->faces = (*inputs)[SoftRasterizeInput::kFaces];
    shapes->sigma = (*inputs)[SoftRasterizeInput::kSigma];
    TF_RETURN_IF_ERROR(shapes->Validate(attributes_));
    for (size_t i = SoftRasterizeInput::kTransparency; i < inputs->size();
         ++i) {
      TF_RETURN_IF_ERROR(
          ValidateShape(kInputs[i], (*inputs)[i], shapes->image));
    }
    return absl::OkStatus();
  }

  xla::XlaOp Call(XlaOpKernelContext* context, const char* call,
                  const std::vector<TensorShape>& inputs,
                  const xla::Shape& result) const {
    return CallHandler(context, call, inputs, result,
                       FloatAttribute("near", attributes_.near));
  }

 private:
  SoftRasterizeAttributes attributes_;
};

class SoftRasterizeXlaOp : public SoftRasterizeXlaBase {
 public:
  using SoftRasterizeXlaBase::SoftRasterizeXlaBase;

  void Compile(XlaOpKernelContext* context) override {
    std::vector<TensorShape> inputs;
    SoftRasterizeShapes shapes;
    OP_REQUIRES_OK(context, Read(context, &inputs, &shapes));
    const xla::Shape image = RowMajor(context->input_xla_type(0), shapes.image);
    const xla::XlaOp both =
        Call(context, kForward, inputs,
             xla::ShapeUtil::MakeTupleShape({image, image}));
    context->SetOutput(0, xla::GetTupleElement(both, 0));
    context->SetOutput(1, xla::GetTupleElement(both, 1));
  }
};

class SoftRasterizeGradXlaOp : public SoftRasterizeXlaBase {
 public:
  using SoftRasterizeXlaBase::SoftRasterizeXlaBase;

  void Compile(XlaOpKernelContext* context) override {
    std::vector<TensorShape> inputs;
    SoftRasterizeShapes shapes;
    OP_REQUIRES_OK(context, Read(context, &inputs, &shapes));
    context->SetOutput(
        0, Call(context, kBackward, inputs,
                RowMajor(context->input_xla_type(0), shapes.vertices)));
  }
};

class SoftRasterizeSigmaGradXlaOp : public SoftRasterizeXlaBase {
 public:
  using SoftRasterizeXlaBase::SoftRasterizeXlaBase;

  void Compile(XlaOpKernelContext* context) override {
    std::vector<TensorShape> inputs;
    SoftRasterizeShapes shapes;
    OP_REQUIRES_OK(context, Read(context, &inputs, &shapes));
    context->SetOutput(
        0, Call(context, kSigmaBackward, inputs,
                RowMajor(context->input_xla_type(0), TensorShape({}))));
  }
};

REGISTER_KERNEL_BUILDER(
    Name("Softras>SoftRasterize").Device(tensorflow::DEVICE_CPU_XLA_JIT),
    SoftRasterizeXlaOp);
REGISTER_KERNEL_BUILDER(
    Name("Softras>SoftRasterizeGrad").Device(tensorflow::DEVICE_CPU_XLA_JIT),
    SoftRasterizeGradXlaOp);
REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterizeSigmaGrad")
                            .Device(tensorflow::DEVICE_CPU_XLA_JIT),
                        SoftRasterizeSigmaGradXlaOp);

}  // namespace
}  // namespace tf_softras
