// Softras>RasterizeFaces: registration, shape function, documentation and the
// kernel, which validates, allocates, returns if there is nothing to draw, and
// calls its pass once.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "cc/cpu/rasterize/hard_rasterize.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/cpu_backend.h"
#include "cc/tensorflow/shape_functions.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "tensorflow/core/framework/types.h"

namespace tf_softras {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

namespace {

// The inputs in their order.
enum Input : int { kVertices, kFaces };

}  // namespace

// ------------------------------------------------------------ Registration

REGISTER_OP("Softras>RasterizeFaces")
    .Input("vertices: T")
    .Input("faces: int32")
    .Output("face_index: int32")
    .Output("depth: T")
    .Attr("T: {float, double}")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
    .Attr("interpolation: {'perspective', 'linear'} = 'perspective'")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle image;
      TF_RETURN_IF_ERROR(MeshImageShape(c, &image));
      c->set_output(0, image);
      c->set_output(1, image);
      return absl::OkStatus();
    })
    .Doc(R"doc(
The nearest face at each pixel centre, and its depth there.

A face covers a pixel if the pixel's centre is inside it or on its boundary; both sides of a face
are seen. Depth is interpolated with perspective (1/z is linear on the image plane), or linearly, as
parallel projection has it. Of faces at equal depth the one with the lower index is kept. A face
without area covers nothing, and a face with a vertex at z <= near is left out. The result does not
depend on the number of threads. There is no gradient.

vertices: `[batch, num_vertices, 3]`: x and y on the image plane, whose shorter side spans [-1, 1]
  with square pixels, and the camera's depth z.
faces: `[num_faces, 3]`: indices into the vertices.
face_index: `[batch, height, width]`: row 0 is the top; -1 where no face covers the pixel's centre.
depth: `[batch, height, width]`: 0 where no face covers the pixel's centre.
height: Rows of the image.
width: Columns of the image.
near: A finite depth, not negative.
interpolation: What is linear over a face on the image plane: 'perspective', 1/z; 'linear', z.
)doc");

// ------------------------------------------------------------------ Kernel

template <typename T>
class RasterizeFacesOp : public tensorflow::OpKernel {
 public:
  explicit RasterizeFacesOp(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("height", &height_));
    OP_REQUIRES_OK(context, context->GetAttr("width", &width_));
    OP_REQUIRES_OK(context, context->GetAttr("near", &near_));
    std::string interpolation;
    OP_REQUIRES_OK(context, context->GetAttr("interpolation", &interpolation));
    is_linear_ = interpolation == "linear";
    OP_REQUIRES(
        context, std::isfinite(near_) && near_ >= 0.0f,
        InvalidArgument(
            "near: expected a finite depth that is not negative; received ",
            near_));
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    const tensorflow::Tensor& vertices = context->input(kVertices);
    const tensorflow::Tensor& faces = context->input(kFaces);
    OP_REQUIRES_OK(context,
                   ValidateMeshShapes(vertices.shape(), faces.shape()));
    RasterizeInputs<T> inputs;
    FillMeshSizes(vertices.shape(), faces.shape(), &inputs);
    inputs.vertices = vertices.flat<T>().data();
    inputs.faces = faces.flat<int32_t>().data();
    inputs.height = height_;
    inputs.width = width_;
    inputs.near = static_cast<T>(near_);
    inputs.is_linear = is_linear_;
    OP_REQUIRES_OK(context, ValidateMeshValues(inputs));
    constexpr int64_t kMostFaces = std::numeric_limits<int32_t>::max();
    OP_REQUIRES(context, inputs.num_faces <= kMostFaces,
                InvalidArgument("faces: expected at most ", kMostFaces,
                                " faces; received ", inputs.num_faces));
    tensorflow::TensorShape shape;
    OP_REQUIRES_OK(context,
                   MakeImageShape(inputs.batch, height_, width_, &shape));
    OP_REQUIRES_OK(context, CpuBackend::ValidateMemory(
                                shape, sizeof(int32_t) + sizeof(T)));
    tensorflow::Tensor* face_index = nullptr;
    tensorflow::Tensor* depth = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &face_index));
    OP_REQUIRES_OK(context, context->allocate_output(1, shape, &depth));
    if (depth->NumElements() == 0) return;
    OP_REQUIRES_OK(
        context, CpuBackend(context).Run([&](const ParallelFor& parallel_for) {
          HardRasterize(inputs, face_index->flat<int32_t>().data(),
                        depth->flat<T>().data(), parallel_for);
        }));
  }

 private:
  int64_t height_;
  int64_t width_;
  float near_;
  bool is_linear_;
};

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>RasterizeFaces")      \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          RasterizeFacesOp<T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
