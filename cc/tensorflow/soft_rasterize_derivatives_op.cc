// Softras>SoftRasterizeSigmaGrad and Softras>SoftRasterizeJvp, the derivatives
// of Softras>SoftRasterize that few programs ask for: registration, shape
// functions, documentation and kernels. On CPUs alone: TensorFlow's soft
// placement brings a GPU's tensors there.
#include <cstdint>

#include "absl/status/status.h"
#include "cc/cpu/parallel.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/cpu_backend.h"
#include "cc/tensorflow/shape_functions.h"
#include "cc/tensorflow/soft_rasterize_kernel.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/types.h"

namespace tf_softras {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

namespace {

// The inputs after those of SoftRasterizeInput up to transparency.
constexpr int kVerticesTangent = SoftRasterizeInput::kTransparency + 1;
constexpr int kSigmaTangent = kVerticesTangent + 1;

// The image [batch, height, width], after checking what both ops have.
absl::Status DerivativeShape(InferenceContext* c, ShapeHandle* image) {
  ShapeHandle unused;
  TF_RETURN_IF_ERROR(MeshImageShape(c, image));
  TF_RETURN_IF_ERROR(
      c->WithRank(c->input(SoftRasterizeInput::kSigma), 0, &unused));
  return c->Merge(c->input(SoftRasterizeInput::kTransparency), *image, image);
}

}  // namespace

// ------------------------------------------------------------ Registration

REGISTER_OP("Softras>SoftRasterizeSigmaGrad")
    .Input("vertices: T")
    .Input("faces: int32")
    .Input("sigma: T")
    .Input("transparency: T")
    .Input("silhouette_gradient: T")
    .Output("sigma_gradient: T")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle image;
      TF_RETURN_IF_ERROR(DerivativeShape(c, &image));
      TF_RETURN_IF_ERROR(c->Merge(
          c->input(SoftRasterizeInput::kSilhouetteGradient), image, &image));
      c->set_output(0, c->Scalar());
      return absl::OkStatus();
    })
    .Doc(R"doc(
Gradient of Softras>SoftRasterize with respect to sigma.

The sum over pixels of the upstream gradient times (1 - S) sum_j D_j (-x_j / sigma), with x = s d^2 / sigma.
The bits do not depend on the number of threads.

vertices: As in the forward op.
faces: As in the forward op.
sigma: As in the forward op.
transparency: [batch, height, width], the forward op's second output.
silhouette_gradient: [batch, height, width], the upstream gradient.
sigma_gradient: Scalar.
height: As in the forward op.
width: As in the forward op.
near: As in the forward op.
)doc");

REGISTER_OP("Softras>SoftRasterizeJvp")
    .Input("vertices: T")
    .Input("faces: int32")
    .Input("sigma: T")
    .Input("transparency: T")
    .Input("vertices_tangent: T")
    .Input("sigma_tangent: T")
    .Output("silhouette_tangent: T")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle image, unused;
      TF_RETURN_IF_ERROR(DerivativeShape(c, &image));
      TF_RETURN_IF_ERROR(c->Merge(c->input(kVerticesTangent),
                                  c->input(SoftRasterizeInput::kVertices),
                                  &unused));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(kSigmaTangent), 0, &unused));
      c->set_output(0, image);
      return absl::OkStatus();
    })
    .Doc(R"doc(
Derivative of Softras>SoftRasterize along a direction (forward mode).

(1 - S) sum_j D_j dx_j, with dx_j the change of x = s d^2 / sigma as vertices and sigma move along their
tangents. One pass, whatever the number of pixels.

vertices: As in the forward op.
faces: As in the forward op.
sigma: As in the forward op.
transparency: [batch, height, width], the forward op's second output.
vertices_tangent: [batch, num_vertices, 3]; z plays no part.
sigma_tangent: Scalar.
silhouette_tangent: [batch, height, width].
height: As in the forward op.
width: As in the forward op.
near: As in the forward op.
)doc");

// ----------------------------------------------------------------- Kernels

template <typename T>
class SoftRasterizeSigmaGradOp : public SoftRasterizeOpBase<CpuBackend, T> {
 public:
  using SoftRasterizeOpBase<CpuBackend, T>::SoftRasterizeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    CpuBackend backend(context);
    SoftRasterizeInputs<T> inputs;
    SoftRasterizeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &backend, &inputs, &shapes));
    const tensorflow::Tensor& transparency =
        context->input(SoftRasterizeInput::kTransparency);
    const tensorflow::Tensor& upstream =
        context->input(SoftRasterizeInput::kSilhouetteGradient);
    OP_REQUIRES_OK(context, ValidateShape("transparency", transparency.shape(),
                                          shapes.image));
    OP_REQUIRES_OK(context, ValidateShape("silhouette_gradient",
                                          upstream.shape(), shapes.image));
    tensorflow::Tensor* gradient = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(
                                0, tensorflow::TensorShape({}), &gradient));
    OP_REQUIRES_OK(context, backend.Run([&](const ParallelFor& parallel_for) {
      SoftRasterizeSigmaBackward(inputs, transparency.flat<T>().data(),
                                 upstream.flat<T>().data(),
                                 gradient->flat<T>().data(), parallel_for);
    }));
  }
};

template <typename T>
class SoftRasterizeJvpOp : public SoftRasterizeOpBase<CpuBackend, T> {
 public:
  using SoftRasterizeOpBase<CpuBackend, T>::SoftRasterizeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    CpuBackend backend(context);
    SoftRasterizeInputs<T> inputs;
    SoftRasterizeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &backend, &inputs, &shapes));
    const tensorflow::Tensor& transparency =
        context->input(SoftRasterizeInput::kTransparency);
    const tensorflow::Tensor& vertices_tangent =
        context->input(kVerticesTangent);
    const tensorflow::Tensor& sigma_tangent = context->input(kSigmaTangent);
    OP_REQUIRES_OK(context, ValidateShape("transparency", transparency.shape(),
                                          shapes.image));
    OP_REQUIRES_OK(context,
                   ValidateShape("vertices_tangent", vertices_tangent.shape(),
                                 shapes.vertices));
    OP_REQUIRES_OK(context,
                   ValidateScalarShape("sigma_tangent", sigma_tangent.shape()));
    OP_REQUIRES_OK(context,
                   CpuBackend::ValidateMemory(shapes.image, sizeof(T)));
    tensorflow::Tensor* tangent = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, shapes.image, &tangent));
    if (tangent->NumElements() == 0) return;
    OP_REQUIRES_OK(context, backend.Run([&](const ParallelFor& parallel_for) {
      SoftRasterizeTangent(inputs, transparency.flat<T>().data(),
                           vertices_tangent.flat<T>().data(),
                           sigma_tangent.scalar<T>()(),
                           tangent->flat<T>().data(), parallel_for);
    }));
  }
};

#define TF_SOFTRAS_REGISTER(T)                                   \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterizeSigmaGrad") \
                              .Device(tensorflow::DEVICE_CPU)    \
                              .TypeConstraint<T>("T"),           \
                          SoftRasterizeSigmaGradOp<T>);          \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterizeJvp")       \
                              .Device(tensorflow::DEVICE_CPU)    \
                              .TypeConstraint<T>("T"),           \
                          SoftRasterizeJvpOp<T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
