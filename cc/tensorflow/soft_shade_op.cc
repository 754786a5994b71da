// Softras>SoftShade and Softras>SoftShadeGrad: registration, shape functions,
// documentation and kernels. A kernel validates, allocates, and calls its
// backend once.
#include "cc/tensorflow/soft_shade_op.h"

#include <cstdint>

#include "cc/tensorflow/cpu_backend.h"
#include "cc/tensorflow/shape_functions.h"
#include "cc/tensorflow/soft_shade_kernel.h"
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

REGISTER_OP("Softras>SoftShade")
    .Input("vertices: T")
    .Input("faces: int32")
    .Input("sigma: T")
    .Input("gamma: T")
    .Input("attributes: T")
    .Input("background: T")
    .Output("image: T")
    .Output("alpha: T")
    .Output("transparency: T")
    .Output("state: T")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
    .Attr("far: float = 100.0")
    .Attr("epsilon: float = 1e-3")
    .Attr("min_coverage: float = 1e-4")
    .Attr("aggregation: {'soft', 'hard'} = 'soft'")
    .Attr("interpolation: {'perspective', 'linear'} = 'perspective'")
    .Attr("summed_channels: int >= 0 = 0")
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle plane, image;
      TF_RETURN_IF_ERROR(ShadedShapes(c, &plane, &image));
      c->set_output(0, image);
      c->set_output(1, plane);
      c->set_output(2, plane);
      ShapeHandle state;
      TF_RETURN_IF_ERROR(
          c->Concatenate(plane, c->Vector(c->UnknownDim()), &state));
      c->set_output(3, state);
      return absl::OkStatus();
    })
    .Doc(R"doc(
Attributes of meshes' vertices, blended over faces by coverage and depth (arXiv 1904.01786).

image = sum_j w_j C_j + w_b background, weights that sum to 1, over the faces with every vertex at
z > near:
  w_j ~ D_j exp(l_j / gamma) where D_j >= min_coverage, else 0,
  w_b ~ exp(epsilon / gamma),  l = (far - z) / (far - near).
D_j is that of Softras>SoftRasterize. C_j and z are those of the face where it is closest to the pixel's
centre on the image plane, interpolated with perspective (1/z is linear there), or linearly, as parallel
projection has it (z is). With 'hard' aggregation the image is that of the nearest face at the pixel's
centre, as Softras>RasterizeFaces finds it; sigma has a part in alpha alone.

vertices: [batch, num_vertices, 3], image-plane x and y with camera depth z; finite.
faces: [num_faces, 3], vertex indices in [0, num_vertices).
sigma: Scalar, positive and finite, in squared image-plane units.
gamma: Scalar, positive and finite, in units of l.
attributes: [batch, num_vertices, channels], finite.
background: [channels] or [batch, height, width, channels], finite.
image: [batch, height, width, channels]; row 0 is the top.
alpha: [batch, height, width], the silhouette of Softras>SoftRasterize.
transparency: [batch, height, width], 1 - alpha with its own digits: what the gradient needs.
state: [batch, height, width, numbers], what the gradient need not compute again. There are 4
  numbers and one for each blended channel; none on a GPU, with 'hard' aggregation, or without
  channels.
height: Rows of the image.
width: Columns of the image.
near: A face with a vertex at z <= near is left out; not negative.
far: Scales l, and above near; what lies beyond has a negative l and is not left out.
epsilon: The level l of the background.
min_coverage: In (0, 0.5]: the smallest D that counts.
aggregation: 'soft', or 'hard' for the nearest face alone.
interpolation: What is linear over a face on the image plane: 'perspective', 1/z and what is divided by
  it; 'linear', z and the attributes.
summed_channels: The last channels of this number are not blended but summed: sum_j D_j C_j where
  D_j >= min_coverage, without the background. 0 with 'hard' aggregation.
)doc");

REGISTER_OP("Softras>SoftShadeGrad")
    .Input("vertices: T")
    .Input("faces: int32")
    .Input("sigma: T")
    .Input("gamma: T")
    .Input("attributes: T")
    .Input("background: T")
    .Input("transparency: T")
    .Input("image: T")
    .Input("state: T")
    .Input("image_gradient: T")
    .Input("alpha_gradient: T")
    .Output("vertices_gradient: T")
    .Output("attributes_gradient: T")
    .Output("background_gradient: T")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
    .Attr("far: float = 100.0")
    .Attr("epsilon: float = 1e-3")
    .Attr("min_coverage: float = 1e-4")
    .Attr("aggregation: {'soft', 'hard'} = 'soft'")
    .Attr("interpolation: {'perspective', 'linear'} = 'perspective'")
    .Attr("summed_channels: int >= 0 = 0")
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle plane, image;
      TF_RETURN_IF_ERROR(ShadedShapes(c, &plane, &image));
      TF_RETURN_IF_ERROR(MergeUpstreamShapes(c, plane, image));
      c->set_output(0, c->input(SoftShadeInput::kVertices));
      c->set_output(1, c->input(SoftShadeInput::kAttributes));
      c->set_output(2, c->input(SoftShadeInput::kBackground));
      return absl::OkStatus();
    })
    .Doc(R"doc(
Gradients of Softras>SoftShade with respect to vertices, attributes and background.

vertices: As in the forward op.
faces: As in the forward op.
sigma: As in the forward op.
gamma: As in the forward op.
attributes: As in the forward op.
background: As in the forward op.
transparency: [batch, height, width], the forward op's third output.
image: [batch, height, width, channels], the forward op's first output.
state: [batch, height, width, numbers], the forward op's fourth output, or [batch, height, width,
  0]: then faces are blended again.
image_gradient: [batch, height, width, channels], the upstream gradient of the image.
alpha_gradient: [batch, height, width], the upstream gradient of alpha.
vertices_gradient: Of the shape of vertices: x, y and z.
attributes_gradient: Of the shape of attributes.
background_gradient: Of the shape of background.
height: As in the forward op.
width: As in the forward op.
near: As in the forward op.
far: As in the forward op.
epsilon: As in the forward op.
min_coverage: As in the forward op.
aggregation: As in the forward op.
interpolation: As in the forward op.
summed_channels: As in the forward op.
)doc");

// ----------------------------------------------------------------- Kernels

template <typename Backend, typename T>
class SoftShadeOp : public SoftShadeOpBase<Backend, T> {
 public:
  using SoftShadeOpBase<Backend, T>::SoftShadeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    Backend backend(context);
    SoftShadeInputs<T> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &backend, &inputs, &shapes));
    const tensorflow::TensorShape state_shape =
        Backend::kKeepsState ? shapes.state : shapes.empty_state();
    OP_REQUIRES_OK(context, Backend::ValidateMemory(shapes.plane,
                                                    (2 + inputs.channels +
                                                     state_shape.dim_size(3)) *
                                                        int64_t{sizeof(T)}));
    tensorflow::Tensor* image = nullptr;
    tensorflow::Tensor* alpha = nullptr;
    tensorflow::Tensor* transparency = nullptr;
    tensorflow::Tensor* state = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shapes.image, &image));
    OP_REQUIRES_OK(context, context->allocate_output(1, shapes.plane, &alpha));
    OP_REQUIRES_OK(context,
                   context->allocate_output(2, shapes.plane, &transparency));
    OP_REQUIRES_OK(context, context->allocate_output(3, state_shape, &state));
    OP_REQUIRES_OK(context, backend.ShadeForward(inputs, this->is_hard(),
                                                 image->flat<T>().data(),
                                                 alpha->flat<T>().data(),
                                                 transparency->flat<T>().data(),
                                                 state->flat<T>().data()));
  }
};

template <typename Backend, typename T>
class SoftShadeGradOp : public SoftShadeOpBase<Backend, T> {
 public:
  using SoftShadeOpBase<Backend, T>::SoftShadeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    Backend backend(context);
    SoftShadeInputs<T> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &backend, &inputs, &shapes));
    SoftShadeUpstream<T> upstream;
    OP_REQUIRES_OK(context, this->ReadUpstream(context, shapes, &upstream));
    tensorflow::Tensor* vertices = nullptr;
    tensorflow::Tensor* attributes = nullptr;
    tensorflow::Tensor* background = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, shapes.vertices, &vertices));
    OP_REQUIRES_OK(context,
                   context->allocate_output(1, shapes.attributes, &attributes));
    OP_REQUIRES_OK(context,
                   context->allocate_output(2, shapes.background, &background));
    SoftShadeGradients<T> gradients;
    gradients.vertices = vertices->flat<T>().data();
    gradients.attributes = attributes->flat<T>().data();
    gradients.background = background->flat<T>().data();
    OP_REQUIRES_OK(context, backend.ShadeBackward(inputs, this->is_hard(),
                                                  upstream, gradients));
  }
};

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShade")           \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeOp<CpuBackend, T>);        \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShadeGrad")       \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeGradOp<CpuBackend, T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

#if defined(TF_SOFTRAS_CUDA)
#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShade")           \
                              .Device(tensorflow::DEVICE_GPU) \
                              .HostMemory("sigma")            \
                              .HostMemory("gamma")            \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeOp<CudaBackend, T>);       \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShadeGrad")       \
                              .Device(tensorflow::DEVICE_GPU) \
                              .HostMemory("sigma")            \
                              .HostMemory("gamma")            \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeGradOp<CudaBackend, T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER
#endif

}  // namespace tf_softras
