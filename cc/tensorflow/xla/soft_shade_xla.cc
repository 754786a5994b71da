// Softras>SoftShade and its gradients under XLA on CPUs: each compiles to a
// custom call, whose handler runs the passes of the op's kernel.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cc/cpu/shade/shade_passes.h"
#include "cc/tensorflow/soft_shade_op.h"
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

constexpr char kForward[] = "softras_soft_shade";
constexpr char kBackward[] = "softras_soft_shade_grad";
constexpr char kScalesBackward[] = "softras_soft_shade_scales_grad";

// ---------------------------------------------------------------- Handlers

// Shapes are what Compile below made of them; values are known only here.
template <ffi::DataType type, typename T = ffi::NativeType<type>>
SoftShadeInputs<T> MakeInputs(ffi::Buffer<type> vertices,
                              ffi::Buffer<ffi::DataType::S32> faces,
                              ffi::Buffer<type> sigma, ffi::Buffer<type> gamma,
                              ffi::Buffer<type> attributes,
                              ffi::Buffer<type> background,
                              const SoftShadeAttributes& drawn) {
  SoftShadeInputs<T> inputs;
  SoftShadeShapes shapes;
  shapes.vertices = ShapeOf(vertices);
  shapes.faces = ShapeOf(faces);
  shapes.attributes = ShapeOf(attributes);
  shapes.background = ShapeOf(background);
  FillInputs(shapes, drawn, &inputs);
  inputs.mesh.vertices = vertices.typed_data();
  inputs.mesh.faces = faces.typed_data();
  inputs.mesh.sigma = *sigma.typed_data();
  inputs.attributes = attributes.typed_data();
  inputs.background = background.typed_data();
  inputs.gamma = *gamma.typed_data();
  return inputs;
}

template <typename T>
absl::Status ValidateValues(const SoftShadeInputs<T>& inputs) {
  TF_RETURN_IF_ERROR(ValidateShadeScalars(inputs));
  return ValidateShadeValues(inputs);
}

template <ffi::DataType type>
ffi::Error Forward(ffi::ThreadPool pool, ffi::Buffer<type> vertices,
                   ffi::Buffer<ffi::DataType::S32> faces,
                   ffi::Buffer<type> sigma, ffi::Buffer<type> gamma,
                   ffi::Buffer<type> attributes, ffi::Buffer<type> background,
                   ffi::Result<ffi::Buffer<type>> image,
                   ffi::Result<ffi::Buffer<type>> alpha,
                   ffi::Result<ffi::Buffer<type>> transparency,
                   ffi::Result<ffi::Buffer<type>> state, float near, float far,
                   float epsilon, float min_coverage, int64_t summed_channels,
                   bool is_hard, bool is_linear) {
  const ffi::Span<const int64_t> plane = alpha->dimensions();
  const auto inputs =
      MakeInputs<type>(vertices, faces, sigma, gamma, attributes, background,
                       {plane[1], plane[2], summed_channels, near, far, epsilon,
                        min_coverage, is_hard, is_linear});
  const absl::Status status = ValidateValues(inputs);
  if (!status.ok()) return ToFfi(status);
  return RunOnFfi(pool, [&](const ParallelFor& parallel_for) {
    ShadeForward(inputs, is_hard, image->typed_data(), alpha->typed_data(),
                 transparency->typed_data(), state->typed_data(), parallel_for);
  });
}

template <ffi::DataType type, typename T = ffi::NativeType<type>>
SoftShadeUpstream<T> MakeUpstream(ffi::Buffer<type> transparency,
                                  ffi::Buffer<type> image,
                                  ffi::Buffer<type> state,
                                  ffi::Buffer<type> image_gradient,
                                  ffi::Buffer<type> alpha_gradient) {
  SoftShadeUpstream<T> upstream;
  upstream.transparency = transparency.typed_data();
  upstream.image = image.typed_data();
  if (state.element_count() > 0) upstream.state = state.typed_data();
  upstream.image_gradient = image_gradient.typed_data();
  upstream.alpha_gradient = alpha_gradient.typed_data();
  return upstream;
}

template <ffi::DataType type>
ffi::Error Backward(ffi::ThreadPool pool, ffi::Buffer<type> vertices,
                    ffi::Buffer<ffi::DataType::S32> faces,
                    ffi::Buffer<type> sigma, ffi::Buffer<type> gamma,
                    ffi::Buffer<type> attributes, ffi::Buffer<type> background,
                    ffi::Buffer<type> transparency, ffi::Buffer<type> image,
                    ffi::Buffer<type> state, ffi::Buffer<type> image_gradient,
                    ffi::Buffer<type> alpha_gradient,
                    ffi::Result<ffi::Buffer<type>> vertices_gradient,
                    ffi::Result<ffi::Buffer<type>> attributes_gradient,
                    ffi::Result<ffi::Buffer<type>> background_gradient,
                    float near, float far, float epsilon, float min_coverage,
                    int64_t summed_channels, bool is_hard, bool is_linear) {
  const ffi::Span<const int64_t> plane = alpha_gradient.dimensions();
  const auto inputs =
      MakeInputs<type>(vertices, faces, sigma, gamma, attributes, background,
                       {plane[1], plane[2], summed_channels, near, far, epsilon,
                        min_coverage, is_hard, is_linear});
  const absl::Status status = ValidateValues(inputs);
  if (!status.ok()) return ToFfi(status);
  return RunOnFfi(pool, [&](const ParallelFor& parallel_for) {
    ShadeBackward(
        inputs, is_hard,
        MakeUpstream<type>(transparency, image, state, image_gradient,
                           alpha_gradient),
        {vertices_gradient->typed_data(), attributes_gradient->typed_data(),
         background_gradient->typed_data()},
        parallel_for);
  });
}

template <ffi::DataType type>
ffi::Error ScalesBackward(
    ffi::ThreadPool pool, ffi::Buffer<type> vertices,
    ffi::Buffer<ffi::DataType::S32> faces, ffi::Buffer<type> sigma,
    ffi::Buffer<type> gamma, ffi::Buffer<type> attributes,
    ffi::Buffer<type> background, ffi::Buffer<type> transparency,
    ffi::Buffer<type> image, ffi::Buffer<type> state,
    ffi::Buffer<type> image_gradient, ffi::Buffer<type> alpha_gradient,
    ffi::Result<ffi::Buffer<type>> sigma_gradient,
    ffi::Result<ffi::Buffer<type>> gamma_gradient, float near, float far,
    float epsilon, float min_coverage, int64_t summed_channels, bool is_hard,
    bool is_linear) {
  const ffi::Span<const int64_t> plane = alpha_gradient.dimensions();
  const auto inputs =
      MakeInputs<type>(vertices, faces, sigma, gamma, attributes, background,
                       {plane[1], plane[2], summed_channels, near, far, epsilon,
                        min_coverage, is_hard, is_linear});
  const absl::Status status = ValidateValues(inputs);
  if (!status.ok()) return ToFfi(status);
  return RunOnFfi(pool, [&](const ParallelFor& parallel_for) {
    ShadeScalesBackward(inputs, is_hard,
                        MakeUpstream<type>(transparency, image, state,
                                           image_gradient, alpha_gradient),
                        sigma_gradient->typed_data(),
                        gamma_gradient->typed_data(), parallel_for);
  });
}

// The handlers of a type: inputs 0 to 5, five more arrays backward, two to four
// results, the attributes.
template <ffi::DataType type>
auto BindInputs() {
  using Array = ffi::Buffer<type>;
  return ffi::Ffi::Bind()
      .Ctx<ffi::ThreadPool>()
      .template Arg<Array>()
      .template Arg<ffi::Buffer<ffi::DataType::S32>>()
      .template Arg<Array>()
      .template Arg<Array>()
      .template Arg<Array>()
      .template Arg<Array>();
}

template <ffi::DataType type>
auto BindBackwardInputs() {
  using Array = ffi::Buffer<type>;
  return BindInputs<type>()
      .template Arg<Array>()
      .template Arg<Array>()
      .template Arg<Array>()
      .template Arg<Array>()
      .template Arg<Array>();
}
// Results come before numbers, two of them at a time.
template <ffi::DataType type, typename Binding>
auto BindTwoResults(Binding&& binding) {
  using Array = ffi::Buffer<type>;
  return std::move(binding).template Ret<Array>().template Ret<Array>();
}
template <typename Binding>
auto BindNumbers(Binding&& binding) {
  return std::move(binding)
      .template Attr<float>("near")
      .template Attr<float>("far")
      .template Attr<float>("epsilon")
      .template Attr<float>("min_coverage")
      .template Attr<int64_t>("summed_channels")
      .template Attr<bool>("is_hard")
      .template Attr<bool>("is_linear");
}
#define TF_SOFTRAS_HANDLERS(TYPE)                                              \
  XLA_FFI_DEFINE_HANDLER(kForward##TYPE, Forward<ffi::DataType::TYPE>,         \
                         BindNumbers(BindTwoResults<ffi::DataType::TYPE>(      \
                             BindTwoResults<ffi::DataType::TYPE>(              \
                                 BindInputs<ffi::DataType::TYPE>()))));        \
  XLA_FFI_DEFINE_HANDLER(                                                      \
      kBackward##TYPE, Backward<ffi::DataType::TYPE>,                          \
      BindNumbers(BindTwoResults<ffi::DataType::TYPE>(                         \
                      BindBackwardInputs<ffi::DataType::TYPE>())               \
                      .Ret<ffi::Buffer<ffi::DataType::TYPE>>()));              \
  XLA_FFI_DEFINE_HANDLER(kScalesBackward##TYPE,                                \
                         ScalesBackward<ffi::DataType::TYPE>,                  \
                         BindNumbers(BindTwoResults<ffi::DataType::TYPE>(      \
                             BindBackwardInputs<ffi::DataType::TYPE>())));     \
  XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), HandlerName(kForward, #TYPE),  \
                           "Host", kForward##TYPE);                            \
  XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), HandlerName(kBackward, #TYPE), \
                           "Host", kBackward##TYPE);                           \
  XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(),                                \
                           HandlerName(kScalesBackward, #TYPE), "Host",        \
                           kScalesBackward##TYPE)

TF_SOFTRAS_HANDLERS(F32);
TF_SOFTRAS_HANDLERS(F64);
#undef TF_SOFTRAS_HANDLERS

// ---------------------------------------------------------------- Kernels

using tensorflow::OpKernelConstruction;
using tensorflow::TensorShape;
using tensorflow::XlaOpKernel;
using tensorflow::XlaOpKernelContext;

// The names of SoftShadeInput.
constexpr const char* kInputs[] = {
    "vertices",   "faces",          "sigma",         "gamma",
    "attributes", "background",     "transparency",  "image",
    "state",      "image_gradient", "alpha_gradient"};

class SoftShadeXlaBase : public XlaOpKernel {
 public:
  explicit SoftShadeXlaBase(OpKernelConstruction* context)
      : XlaOpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 protected:
  absl::Status Read(XlaOpKernelContext* context,
                    std::vector<TensorShape>* inputs,
                    SoftShadeShapes* shapes) const {
    TF_RETURN_IF_ERROR(StaticShapes(context, kInputs, inputs));
    shapes->vertices = (*inputs)[SoftShadeInput::kVertices];
    shapes->faces = (*inputs)[SoftShadeInput::kFaces];
    shapes->sigma = (*inputs)[SoftShadeInput::kSigma];
    shapes->gamma = (*inputs)[SoftShadeInput::kGamma];
    shapes->attributes = (*inputs)[SoftShadeInput::kAttributes];
    shapes->background = (*inputs)[SoftShadeInput::kBackground];
    TF_RETURN_IF_ERROR(shapes->Validate(attributes_));
    if (inputs->size() == SoftShadeInput::kTransparency)
      return absl::OkStatus();
    TF_RETURN_IF_ERROR(ValidateShape(kInputs[SoftShadeInput::kTransparency],
                                     (*inputs)[SoftShadeInput::kTransparency],
                                     shapes->plane));
    TF_RETURN_IF_ERROR(ValidateShape(kInputs[SoftShadeInput::kImage],
                                     (*inputs)[SoftShadeInput::kImage],
                                     shapes->image));
    TF_RETURN_IF_ERROR(
        shapes->ValidateState((*inputs)[SoftShadeInput::kState]));
    TF_RETURN_IF_ERROR(ValidateShape(kInputs[SoftShadeInput::kImageGradient],
                                     (*inputs)[SoftShadeInput::kImageGradient],
                                     shapes->image));
    return ValidateShape(kInputs[SoftShadeInput::kAlphaGradient],
                         (*inputs)[SoftShadeInput::kAlphaGradient],
                         shapes->plane);
  }

  // Sets the outputs, of these shapes.
  void Call(XlaOpKernelContext* context, const char* call,
            const std::vector<TensorShape>& inputs,
            const std::vector<TensorShape>& outputs) const {
    std::vector<xla::Shape> results;
    for (const TensorShape& output : outputs) {
      results.push_back(RowMajor(context->input_xla_type(0), output));
    }
    const xla::XlaOp all = CallHandler(
        context, call, inputs, xla::ShapeUtil::MakeTupleShape(results),
        absl::StrCat(
            FloatAttribute("near", attributes_.near), ", ",
            FloatAttribute("far", attributes_.far), ", ",
            FloatAttribute("epsilon", attributes_.epsilon), ", ",
            FloatAttribute("min_coverage", attributes_.min_coverage),
            absl::StrFormat(", summed_channels = %d : i64",
                            attributes_.summed_channels),
            ", is_hard = ", attributes_.is_hard ? "true" : "false",
            ", is_linear = ", attributes_.is_linear ? "true" : "false"));
    for (int i = 0; i < static_cast<int>(outputs.size()); ++i) {
      context->SetOutput(i, xla::GetTupleElement(all, i));
    }
  }

 private:
  SoftShadeAttributes attributes_;
};

class SoftShadeXlaOp : public SoftShadeXlaBase {
 public:
  using SoftShadeXlaBase::SoftShadeXlaBase;

  void Compile(XlaOpKernelContext* context) override {
    std::vector<TensorShape> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, Read(context, &inputs, &shapes));
    Call(context, kForward, inputs,
         {shapes.image, shapes.plane, shapes.plane, shapes.state});
  }
};

class SoftShadeGradXlaOp : public SoftShadeXlaBase {
 public:
  using SoftShadeXlaBase::SoftShadeXlaBase;

  void Compile(XlaOpKernelContext* context) override {
    std::vector<TensorShape> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, Read(context, &inputs, &shapes));
    Call(context, kBackward, inputs,
         {shapes.vertices, shapes.attributes, shapes.background});
  }
};

class SoftShadeScalesGradXlaOp : public SoftShadeXlaBase {
 public:
  using SoftShadeXlaBase::SoftShadeXlaBase;

  void Compile(XlaOpKernelContext* context) override {
    std::vector<TensorShape> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, Read(context, &inputs, &shapes));
    Call(context, kScalesBackward, inputs, {TensorShape({}), TensorShape({})});
  }
};

REGISTER_KERNEL_BUILDER(
    Name("Softras>SoftShade").Device(tensorflow::DEVICE_CPU_XLA_JIT),
    SoftShadeXlaOp);
REGISTER_KERNEL_BUILDER(
    Name("Softras>SoftShadeGrad").Device(tensorflow::DEVICE_CPU_XLA_JIT),
    SoftShadeGradXlaOp);
REGISTER_KERNEL_BUILDER(
    Name("Softras>SoftShadeScalesGrad").Device(tensorflow::DEVICE_CPU_XLA_JIT),
    SoftShadeScalesGradXlaOp);

}  // namespace
}  // namespace tf_softras
