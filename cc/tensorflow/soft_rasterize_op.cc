// Softras>SoftRasterize and Softras>SoftRasterizeGrad: registration, shape
// functions, documentation and kernels. A kernel validates, allocates, returns
// if there is nothing to draw, and calls its backend once.
#include "cc/tensorflow/soft_rasterize_op.h"

#include <cstdint>

#include "cc/tensorflow/cpu_backend.h"
#include "cc/tensorflow/shape_functions.h"
#include "cc/tensorflow/soft_rasterize_kernel.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/types.h"
#if defined(TF_SOFTRAS_CUDA)
#include "cc/tensorflow/cuda_backend.h"
#endif

namespace tf_softras {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// ------------------------------------------------------------ Registration

REGISTER_OP("Softras>SoftRasterize")
    .Input("vertices: T")
    .Input("faces: int32")
    .Input("sigma: T")
    .Output("silhouette: T")
    .Output("transparency: T")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle image, unused;
      TF_RETURN_IF_ERROR(MeshImageShape(c, &image));
      TF_RETURN_IF_ERROR(
          c->WithRank(c->input(SoftRasterizeInput::kSigma), 0, &unused));
      c->set_output(0, image);
      c->set_output(1, image);
      return absl::OkStatus();
    })
    .Doc(R"doc(
Soft silhouettes of a batch of meshes that share their faces (arXiv 1901.05567, eqs. 1 and 2).

D = sigmoid(s d^2 / sigma), where d is the distance from a pixel's centre to a face's boundary on the
image plane and s is +1 inside the face, -1 elsewhere; silhouette = 1 - prod (1 - D) over all faces with
every vertex at z > near. The shorter image side spans [-1, 1]; row 0 is the top.

vertices: [batch, num_vertices, 3], image-plane x and y with camera depth z; finite.
faces: [num_faces, 3], vertex indices in [0, num_vertices).
sigma: Scalar, positive and finite, in squared image-plane units.
silhouette: [batch, height, width] in [0, 1]; 0 where no face reaches.
transparency: [batch, height, width], 1 - silhouette with its own digits: what the gradient needs.
height: Rows of the image.
width: Columns of the image.
near: A face with a vertex at z <= near is left out.
)doc");

REGISTER_OP("Softras>SoftRasterizeGrad")
    .Input("vertices: T")
    .Input("faces: int32")
    .Input("sigma: T")
    .Input("transparency: T")
    .Input("silhouette_gradient: T")
    .Output("vertices_gradient: T")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle image, vertices, unused;
      TF_RETURN_IF_ERROR(MeshImageShape(c, &image));
      TF_RETURN_IF_ERROR(
          c->WithRank(c->input(SoftRasterizeInput::kSigma), 0, &unused));
      TF_RETURN_IF_ERROR(
          c->Merge(c->input(SoftRasterizeInput::kTransparency), image, &image));
      TF_RETURN_IF_ERROR(c->Merge(
          c->input(SoftRasterizeInput::kSilhouetteGradient), image, &image));
      TF_RETURN_IF_ERROR(
          c->WithRank(c->input(SoftRasterizeInput::kVertices), 3, &vertices));
      c->set_output(0, vertices);
      return absl::OkStatus();
    })
    .Doc(R"doc(
Gradient of Softras>SoftRasterize with respect to vertices.

vertices: As in the forward op.
faces: As in the forward op.
sigma: As in the forward op.
transparency: [batch, height, width], the forward op's second output.
silhouette_gradient: [batch, height, width], the upstream gradient.
vertices_gradient: [batch, num_vertices, 3], 0 in z.
height: As in the forward op.
width: As in the forward op.
near: As in the forward op.
)doc");

// ----------------------------------------------------------------- Kernels

template <typename Backend, typename T>
class SoftRasterizeOp : public SoftRasterizeOpBase<Backend, T> {
 public:
  using SoftRasterizeOpBase<Backend, T>::SoftRasterizeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    Backend backend(context);
    SoftRasterizeInputs<T> inputs;
    SoftRasterizeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &backend, &inputs, &shapes));
    OP_REQUIRES_OK(context,
                   Backend::ValidateMemory(shapes.image, 2 * sizeof(T)));
    tensorflow::Tensor* silhouette = nullptr;
    tensorflow::Tensor* transparency = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, shapes.image, &silhouette));
    OP_REQUIRES_OK(context,
                   context->allocate_output(1, shapes.image, &transparency));
    if (silhouette->NumElements() == 0) return;
    OP_REQUIRES_OK(context, backend.SoftRasterizeForward(
                                inputs, silhouette->flat<T>().data(),
                                transparency->flat<T>().data()));
  }
};

template <typename Backend, typename T>
class SoftRasterizeGradOp : public SoftRasterizeOpBase<Backend, T> {
 public:
  using SoftRasterizeOpBase<Backend, T>::SoftRasterizeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    Backend backend(context);
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
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, shapes.vertices, &gradient));
    if (gradient->NumElements() == 0) return;
    OP_REQUIRES_OK(context,
                   backend.SoftRasterizeBackward(
                       inputs, transparency.flat<T>().data(),
                       upstream.flat<T>().data(), gradient->flat<T>().data()));
  }
};

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterize")       \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftRasterizeOp<CpuBackend, T>);    \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterizeGrad")   \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftRasterizeGradOp<CpuBackend, T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

#if defined(TF_SOFTRAS_CUDA)
#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterize")       \
                              .Device(tensorflow::DEVICE_GPU) \
                              .HostMemory("sigma")            \
                              .TypeConstraint<T>("T"),        \
                          SoftRasterizeOp<CudaBackend, T>);   \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftRasterizeGrad")   \
                              .Device(tensorflow::DEVICE_GPU) \
                              .HostMemory("sigma")            \
                              .TypeConstraint<T>("T"),        \
                          SoftRasterizeGradOp<CudaBackend, T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER
#endif

}  // namespace tf_softras
