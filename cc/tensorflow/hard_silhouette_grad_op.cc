// Softras>HardSilhouetteGrad: registration, shape function, documentation and
// the kernel, which validates, allocates, returns if there is nothing to write,
// and calls its pass once.
#include <cstdint>

#include "absl/status/status.h"
#include "cc/cpu/rasterize/hard_silhouette_backward.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/cpu_backend.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/types.h"

namespace tf_softras {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

namespace {

// The inputs in their order.
enum Input : int { kVertices, kFaces, kFaceIndex, kSilhouetteGradient };

}  // namespace

// ------------------------------------------------------------ Registration

REGISTER_OP("Softras>HardSilhouetteGrad")
    .Input("vertices: T")
    .Input("faces: int32")
    .Input("face_index: int32")
    .Input("silhouette_gradient: T")
    .Output("vertices_gradient: T")
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle vertices, faces, image;
      DimensionHandle unused;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(kVertices), 3, &vertices));
      TF_RETURN_IF_ERROR(c->WithValue(c->Dim(vertices, 2), 3, &unused));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(kFaces), 2, &faces));
      TF_RETURN_IF_ERROR(c->WithValue(c->Dim(faces, 1), 3, &unused));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(kFaceIndex), 3, &image));
      TF_RETURN_IF_ERROR(
          c->Merge(c->input(kSilhouetteGradient), image, &image));
      TF_RETURN_IF_ERROR(
          c->Merge(c->Dim(vertices, 0), c->Dim(image, 0), &unused));
      c->set_output(0, vertices);
      return absl::OkStatus();
    })
    .Doc(R"doc(
The approximate gradient of a hard silhouette with respect to vertices (arXiv 1711.07566, section 3.2).

The silhouette is 1 where Softras>RasterizeFaces finds a face. Where an edge of a visible face crosses a
row of pixels, a pixel beyond the edge would change once a vertex of the edge has moved along x so far
that the edge passes the pixel's centre: by upstream * (1 - 0) / move for an empty pixel outside, by
upstream * (0 - 1) / move for a pixel of the face inside whose neighbour across the edge is empty. Both
count only where they are negative for the way in which the pixel changes, that is where the change
lowers the loss. Columns and y likewise. Moves are lengthened by 1e-3. The result does not depend on the
number of threads.

vertices: `[batch, num_vertices, 3]`: x and y on the image plane, whose shorter side spans [-1, 1].
faces: `[num_faces, 3]`: indices into the vertices.
face_index: `[batch, height, width]`: the nearest face at each pixel, or -1.
silhouette_gradient: `[batch, height, width]`: the upstream gradient.
vertices_gradient: `[batch, num_vertices, 3]`: 0 in z.
)doc");

// ------------------------------------------------------------------ Kernel

namespace {

// Checks that face_index has an image for each item, and that its values name
// faces or are -1.
absl::Status ValidateFaceIndex(const tensorflow::Tensor& face_index,
                               int64_t batch, int64_t num_faces) {
  if (face_index.dims() != 3 || face_index.dim_size(0) != batch) {
    return InvalidArgument("face_index: expected shape [", batch,
                           ", height, width]; received ",
                           face_index.shape().DebugString());
  }
  const auto values = face_index.flat<int32_t>();
  for (int64_t i = 0; i < values.size(); ++i) {
    if (values(i) < -1 || values(i) >= num_faces) {
      return InvalidArgument("face_index: expected faces in [-1, ", num_faces,
                             "); received ", values(i));
    }
  }
  return absl::OkStatus();
}

}  // namespace

template <typename T>
class HardSilhouetteGradOp : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(tensorflow::OpKernelContext* context) override {
    const tensorflow::Tensor& vertices = context->input(kVertices);
    const tensorflow::Tensor& faces = context->input(kFaces);
    const tensorflow::Tensor& face_index = context->input(kFaceIndex);
    const tensorflow::Tensor& upstream = context->input(kSilhouetteGradient);
    OP_REQUIRES_OK(context,
                   ValidateMeshShapes(vertices.shape(), faces.shape()));
    RasterizeInputs<T> inputs;
    FillMeshSizes(vertices.shape(), faces.shape(), &inputs);
    inputs.vertices = vertices.flat<T>().data();
    inputs.faces = faces.flat<int32_t>().data();
    OP_REQUIRES_OK(context, ValidateMeshValues(inputs));
    OP_REQUIRES_OK(
        context, ValidateFaceIndex(face_index, inputs.batch, inputs.num_faces));
    OP_REQUIRES_OK(context,
                   ValidateShape("silhouette_gradient", upstream.shape(),
                                 face_index.shape()));
    inputs.height = face_index.dim_size(1);
    inputs.width = face_index.dim_size(2);
    tensorflow::Tensor* gradient = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, vertices.shape(), &gradient));
    if (gradient->NumElements() == 0) return;
    OP_REQUIRES_OK(
        context, CpuBackend(context).Run([&](const ParallelFor& parallel_for) {
          HardSilhouetteBackward(inputs, face_index.flat<int32_t>().data(),
                                 upstream.flat<T>().data(),
                                 gradient->flat<T>().data(), parallel_for);
        }));
  }
};

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>HardSilhouetteGrad")  \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          HardSilhouetteGradOp<T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
