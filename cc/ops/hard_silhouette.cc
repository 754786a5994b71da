// Registration of Softras>HardSilhouetteGrad: types, shapes and documentation.
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tf_softras {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

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
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 3, &vertices));
      TF_RETURN_IF_ERROR(c->WithValue(c->Dim(vertices, 2), 3, &unused));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 2, &faces));
      TF_RETURN_IF_ERROR(c->WithValue(c->Dim(faces, 1), 3, &unused));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(2), 3, &image));
      TF_RETURN_IF_ERROR(c->Merge(c->input(3), image, &image));
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

}  // namespace tf_softras
