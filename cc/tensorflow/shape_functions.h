// Shape functions that the ops share.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_SHAPE_FUNCTIONS_H_
#define TF_SOFTRAS_CC_TENSORFLOW_SHAPE_FUNCTIONS_H_

#include <cstdint>

#include "tensorflow/core/framework/shape_inference.h"

namespace tf_softras {

// Makes the shape of the image [batch, height, width] from vertices [batch,
// num_vertices, 3] at input 0, faces [num_faces, 3] at input 1, and the
// attributes height and width.
inline absl::Status MeshImageShape(
    tensorflow::shape_inference::InferenceContext* c,
    tensorflow::shape_inference::ShapeHandle* image) {
  tensorflow::shape_inference::ShapeHandle vertices, faces;
  tensorflow::shape_inference::DimensionHandle unused;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 3, &vertices));
  TF_RETURN_IF_ERROR(c->WithValue(c->Dim(vertices, 2), 3, &unused));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 2, &faces));
  TF_RETURN_IF_ERROR(c->WithValue(c->Dim(faces, 1), 3, &unused));
  int64_t height, width;
  TF_RETURN_IF_ERROR(c->GetAttr("height", &height));
  TF_RETURN_IF_ERROR(c->GetAttr("width", &width));
  *image = c->MakeShape({c->Dim(vertices, 0), height, width});
  return absl::OkStatus();
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_SHAPE_FUNCTIONS_H_
