// The order of the inputs, the attributes and the shapes of
// Softras>SoftRasterize and its gradient, for their kernels and for XLA.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_SOFT_RASTERIZE_OP_H_
#define TF_SOFTRAS_CC_TENSORFLOW_SOFT_RASTERIZE_OP_H_

#include <cstdint>

#include "absl/status/status.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor_shape.h"

namespace tf_softras {

// The inputs, in order. Only the gradient has the last two.
struct SoftRasterizeInput {
  enum : int {
    kVertices,
    kFaces,
    kSigma,  // in host memory
    kTransparency,
    kSilhouetteGradient,
  };
};

struct SoftRasterizeAttributes {
  int64_t height, width;
  float near;

  absl::Status Read(tensorflow::OpKernelConstruction* context) {
    TF_RETURN_IF_ERROR(context->GetAttr("height", &height));
    TF_RETURN_IF_ERROR(context->GetAttr("width", &width));
    TF_RETURN_IF_ERROR(context->GetAttr("near", &near));
    return ValidateAttributes(height, width, near);
  }
};

// The shapes of the inputs of both ops, and of the image.
struct SoftRasterizeShapes {
  tensorflow::TensorShape vertices, faces, sigma;
  tensorflow::TensorShape image;  // [batch, height, width]

  // Checks the inputs' shapes and makes the image's.
  absl::Status Validate(const SoftRasterizeAttributes& attributes) {
    TF_RETURN_IF_ERROR(ValidateMeshShapes(vertices, faces));
    TF_RETURN_IF_ERROR(ValidateScalarShape("sigma", sigma));
    return MakeImageShape(vertices.dim_size(0), attributes.height,
                          attributes.width, &image);
  }
};

// Fills in what shapes and attributes tell: all but the pointers and sigma.
template <typename T>
void FillInputs(const SoftRasterizeShapes& shapes,
                const SoftRasterizeAttributes& attributes,
                SoftRasterizeInputs<T>* inputs) {
  FillMeshSizes(shapes.vertices, shapes.faces, inputs);
  inputs->height = attributes.height;
  inputs->width = attributes.width;
  inputs->near = static_cast<T>(attributes.near);
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_SOFT_RASTERIZE_OP_H_
