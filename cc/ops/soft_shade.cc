// Registration of Softras>SoftShade and Softras>SoftShadeGrad.
#include "cc/ops/mesh_shapes.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tf_softras {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

namespace {

// What both ops share: attributes [batch, num_vertices, channels] merged with
// the vertices' shape, sigma and gamma scalars, background [channels] or
// [batch, height, width, channels]. Gives the image's shape without channels
// and with them.
absl::Status ShadedShapes(InferenceContext* c, ShapeHandle* plane,
                          ShapeHandle* image) {
  TF_RETURN_IF_ERROR(MeshImageShape(c, plane));
  ShapeHandle vertices, attributes, background, unused;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(2), 0, &unused));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(3), 0, &unused));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 3, &vertices));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(4), 3, &attributes));
  DimensionHandle batch, channels, unused_dimension;
  TF_RETURN_IF_ERROR(
      c->Merge(c->Dim(attributes, 0), c->Dim(vertices, 0), &batch));
  TF_RETURN_IF_ERROR(
      c->Merge(c->Dim(attributes, 1), c->Dim(vertices, 1), &unused_dimension));
  channels = c->Dim(attributes, 2);
  background = c->input(5);
  if (c->RankKnown(background) && c->Rank(background) != 1) {
    TF_RETURN_IF_ERROR(c->WithRank(background, 4, &background));
    TF_RETURN_IF_ERROR(c->Merge(channels, c->Dim(background, 3), &channels));
  } else if (c->RankKnown(background)) {
    TF_RETURN_IF_ERROR(c->Merge(channels, c->Dim(background, 0), &channels));
  }
  TF_RETURN_IF_ERROR(c->ReplaceDim(*plane, 0, batch, plane));
  return c->Concatenate(*plane, c->Vector(channels), image);
}

}  // namespace

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
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
    .Attr("far: float = 100.0")
    .Attr("epsilon: float = 1e-3")
    .Attr("min_coverage: float = 1e-4")
    .Attr("aggregation: {'soft', 'hard'} = 'soft'")
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle plane, image;
      TF_RETURN_IF_ERROR(ShadedShapes(c, &plane, &image));
      c->set_output(0, image);
      c->set_output(1, plane);
      c->set_output(2, plane);
      return absl::OkStatus();
    })
    .Doc(R"doc(
Attributes of meshes' vertices, blended over faces by coverage and depth (arXiv 1904.01786).

image = sum_j w_j C_j + w_b background, weights that sum to 1, over the faces with every vertex at
z > near:
  w_j ~ D_j exp(l_j / gamma) where D_j >= min_coverage, else 0,
  w_b ~ exp(epsilon / gamma),  l = (far - z) / (far - near).
D_j is that of Softras>SoftRasterize. C_j and z are those of the face where it is closest to the pixel's
centre on the image plane, interpolated with perspective: 1/z is linear there. With 'hard' aggregation
the image is that of the nearest face at the pixel's centre, as Softras>RasterizeFaces finds it; sigma
has a part in alpha alone.

vertices: [batch, num_vertices, 3], image-plane x and y with camera depth z; finite.
faces: [num_faces, 3], vertex indices in [0, num_vertices).
sigma: Scalar, positive and finite, in squared image-plane units.
gamma: Scalar, positive and finite, in units of l.
attributes: [batch, num_vertices, channels], finite.
background: [channels] or [batch, height, width, channels], finite.
image: [batch, height, width, channels]; row 0 is the top.
alpha: [batch, height, width], the silhouette of Softras>SoftRasterize.
transparency: [batch, height, width], 1 - alpha with its own digits: what the gradient needs.
height: Rows of the image.
width: Columns of the image.
near: A face with a vertex at z <= near is left out; not negative.
far: Scales l, and above near; what lies beyond has a negative l and is not left out.
epsilon: The level l of the background.
min_coverage: In (0, 0.5]: the smallest D that counts.
aggregation: 'soft', or 'hard' for the nearest face alone.
)doc");

REGISTER_OP("Softras>SoftShadeGrad")
    .Input("vertices: T")
    .Input("faces: int32")
    .Input("sigma: T")
    .Input("gamma: T")
    .Input("attributes: T")
    .Input("background: T")
    .Input("transparency: T")
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
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle plane, image;
      TF_RETURN_IF_ERROR(ShadedShapes(c, &plane, &image));
      TF_RETURN_IF_ERROR(c->Merge(c->input(6), plane, &plane));
      TF_RETURN_IF_ERROR(c->Merge(c->input(7), image, &image));
      TF_RETURN_IF_ERROR(c->Merge(c->input(8), plane, &plane));
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(4));
      c->set_output(2, c->input(5));
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
)doc");

}  // namespace tf_softras
