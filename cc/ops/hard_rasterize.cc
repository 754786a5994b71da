// Registration of Softras>RasterizeFaces: types, shapes and documentation.
#include "cc/ops/mesh_shapes.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tf_softras {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

REGISTER_OP("Softras>RasterizeFaces")
    .Input("vertices: T")
    .Input("faces: int32")
    .Output("face_index: int32")
    .Output("depth: T")
    .Attr("T: {float, double}")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
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
are seen. Depth is interpolated with perspective: 1/z is linear on the image plane. Of faces at equal
depth the one with the lower index is kept. A face without area covers nothing, and a face with a
vertex at z <= near is left out. The result does not depend on the number of threads. There is no
gradient.

vertices: `[batch, num_vertices, 3]`: x and y on the image plane, whose shorter side spans [-1, 1]
  with square pixels, and the camera's depth z.
faces: `[num_faces, 3]`: indices into the vertices.
face_index: `[batch, height, width]`: row 0 is the top; -1 where no face covers the pixel's centre.
depth: `[batch, height, width]`: 0 where no face covers the pixel's centre.
height: Rows of the image.
width: Columns of the image.
near: A finite depth, not negative.
)doc");

}  // namespace tf_softras
