// Shared by Softras>SoftShade and its gradients, except the kernels under XLA:
// shapes, and reading a kernel's inputs.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_SOFT_SHADE_KERNEL_H_
#define TF_SOFTRAS_CC_TENSORFLOW_SOFT_SHADE_KERNEL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/shape_functions.h"
#include "cc/tensorflow/soft_shade_op.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/framework/tensor.h"

namespace tf_softras {

// The shape function that all of them share: attributes [batch, num_vertices,
// channels] merged with the vertices' shape, sigma and gamma scalars,
// background [channels] or [batch, height, width, channels]. Gives the image's
// shape without channels and with them.
inline absl::Status ShadedShapes(
    tensorflow::shape_inference::InferenceContext* c,
    tensorflow::shape_inference::ShapeHandle* plane,
    tensorflow::shape_inference::ShapeHandle* image) {
  using tensorflow::shape_inference::DimensionHandle;
  TF_RETURN_IF_ERROR(MeshImageShape(c, plane));
  tensorflow::shape_inference::ShapeHandle vertices, attributes, background,
      unused;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(SoftShadeInput::kSigma), 0, &unused));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(SoftShadeInput::kGamma), 0, &unused));
  TF_RETURN_IF_ERROR(
      c->WithRank(c->input(SoftShadeInput::kVertices), 3, &vertices));
  TF_RETURN_IF_ERROR(
      c->WithRank(c->input(SoftShadeInput::kAttributes), 3, &attributes));
  DimensionHandle batch, channels, unused_dimension;
  TF_RETURN_IF_ERROR(
      c->Merge(c->Dim(attributes, 0), c->Dim(vertices, 0), &batch));
  TF_RETURN_IF_ERROR(
      c->Merge(c->Dim(attributes, 1), c->Dim(vertices, 1), &unused_dimension));
  channels = c->Dim(attributes, 2);
  background = c->input(SoftShadeInput::kBackground);
  if (c->RankKnown(background) && c->Rank(background) != 1) {
    TF_RETURN_IF_ERROR(c->WithRank(background, 4, &background));
    TF_RETURN_IF_ERROR(c->Merge(channels, c->Dim(background, 3), &channels));
  } else if (c->RankKnown(background)) {
    TF_RETURN_IF_ERROR(c->Merge(channels, c->Dim(background, 0), &channels));
  }
  TF_RETURN_IF_ERROR(c->ReplaceDim(*plane, 0, batch, plane));
  return c->Concatenate(*plane, c->Vector(channels), image);
}

// Checks the shapes of the gradients' last inputs against `plane` and `image`.
inline absl::Status MergeUpstreamShapes(
    tensorflow::shape_inference::InferenceContext* c,
    tensorflow::shape_inference::ShapeHandle plane,
    tensorflow::shape_inference::ShapeHandle image) {
  tensorflow::shape_inference::ShapeHandle state, pixels;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(SoftShadeInput::kState), 4, &state));
  TF_RETURN_IF_ERROR(c->Subshape(state, 0, 3, &pixels));
  TF_RETURN_IF_ERROR(c->Merge(pixels, plane, &plane));
  for (const int input :
       {SoftShadeInput::kTransparency, SoftShadeInput::kAlphaGradient}) {
    TF_RETURN_IF_ERROR(c->Merge(c->input(input), plane, &plane));
  }
  for (const int input :
       {SoftShadeInput::kImage, SoftShadeInput::kImageGradient}) {
    TF_RETURN_IF_ERROR(c->Merge(c->input(input), image, &image));
  }
  return absl::OkStatus();
}

template <typename Backend, typename T>
class SoftShadeOpBase : public tensorflow::OpKernel {
 public:
  explicit SoftShadeOpBase(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 protected:
  // Reads and checks what all of them have.
  absl::Status Read(tensorflow::OpKernelContext* context, Backend* backend,
                    SoftShadeInputs<T>* inputs, SoftShadeShapes* shapes) const {
    const auto input = [context](int i) -> const tensorflow::Tensor& {
      return context->input(i);
    };
    shapes->vertices = input(SoftShadeInput::kVertices).shape();
    shapes->faces = input(SoftShadeInput::kFaces).shape();
    shapes->sigma = input(SoftShadeInput::kSigma).shape();
    shapes->gamma = input(SoftShadeInput::kGamma).shape();
    shapes->attributes = input(SoftShadeInput::kAttributes).shape();
    shapes->background = input(SoftShadeInput::kBackground).shape();
    TF_RETURN_IF_ERROR(shapes->Validate(attributes_));
    FillInputs(*shapes, attributes_, inputs);
    inputs->mesh.vertices =
        input(SoftShadeInput::kVertices).template flat<T>().data();
    inputs->mesh.faces =
        input(SoftShadeInput::kFaces).template flat<int32_t>().data();
    inputs->mesh.sigma = input(SoftShadeInput::kSigma).template scalar<T>()();
    inputs->gamma = input(SoftShadeInput::kGamma).template scalar<T>()();
    inputs->attributes =
        input(SoftShadeInput::kAttributes).template flat<T>().data();
    inputs->background =
        input(SoftShadeInput::kBackground).template flat<T>().data();
    TF_RETURN_IF_ERROR(ValidateShadeScalars(*inputs));
    return backend->ValidateArrays(*inputs);
  }

  // Reads and checks what the gradients have beside that.
  absl::Status ReadUpstream(tensorflow::OpKernelContext* context,
                            const SoftShadeShapes& shapes,
                            SoftShadeUpstream<T>* upstream) const {
    const auto read = [&](int i, const char* name,
                          const tensorflow::TensorShape& expected,
                          const T** values) {
      const tensorflow::Tensor& input = context->input(i);
      *values = input.template flat<T>().data();
      return ValidateShape(name, input.shape(), expected);
    };
    using Input = SoftShadeInput;
    TF_RETURN_IF_ERROR(read(Input::kTransparency, "transparency", shapes.plane,
                            &upstream->transparency));
    TF_RETURN_IF_ERROR(
        read(Input::kImage, "image", shapes.image, &upstream->image));
    TF_RETURN_IF_ERROR(read(Input::kImageGradient, "image_gradient",
                            shapes.image, &upstream->image_gradient));
    TF_RETURN_IF_ERROR(read(Input::kAlphaGradient, "alpha_gradient",
                            shapes.plane, &upstream->alpha_gradient));
    const tensorflow::Tensor& state = context->input(Input::kState);
    TF_RETURN_IF_ERROR(shapes.ValidateState(state.shape()));
    if (state.NumElements() > 0) {
      upstream->state = state.template flat<T>().data();
    }
    return absl::OkStatus();
  }

  bool is_hard() const { return attributes_.is_hard; }

 private:
  SoftShadeAttributes attributes_;
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_SOFT_SHADE_KERNEL_H_
