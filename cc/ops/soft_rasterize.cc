// Registration of Softras>SoftRasterize and Softras>SoftRasterizeGrad.
#include "cc/ops/mesh_shapes.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tf_softras {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

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
      TF_RETURN_IF_ERROR(c->WithRank(c->input(2), 0, &unused));
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
      TF_RETURN_IF_ERROR(c->WithRank(c->input(2), 0, &unused));
      TF_RETURN_IF_ERROR(c->Merge(c->input(3), image, &image));
      TF_RETURN_IF_ERROR(c->Merge(c->input(4), image, &image));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 3, &vertices));
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

}  // namespace tf_softras
