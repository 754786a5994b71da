// What Softras>SoftShade and its gradient read and check, on any device.
#ifndef TF_SOFTRAS_CC_KERNELS_OP_SOFT_SHADE_H_
#define TF_SOFTRAS_CC_KERNELS_OP_SOFT_SHADE_H_

#include <cmath>
#include <cstdint>
#include <string>

#include "cc/kernels/op_validation.h"
#include "cc/kernels/soft_shade_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor_shape.h"

namespace tf_softras {

struct SoftShadeAttributes {
  int64_t height, width;
  float near, far, epsilon, min_coverage;
  bool is_hard;

  absl::Status Read(tensorflow::OpKernelConstruction* context) {
    std::string aggregation;
    TF_RETURN_IF_ERROR(context->GetAttr("height", &height));
    TF_RETURN_IF_ERROR(context->GetAttr("width", &width));
    TF_RETURN_IF_ERROR(context->GetAttr("near", &near));
    TF_RETURN_IF_ERROR(context->GetAttr("far", &far));
    TF_RETURN_IF_ERROR(context->GetAttr("epsilon", &epsilon));
    TF_RETURN_IF_ERROR(context->GetAttr("min_coverage", &min_coverage));
    TF_RETURN_IF_ERROR(context->GetAttr("aggregation", &aggregation));
    is_hard = aggregation == "hard";
    return Validate();
  }

 private:
  absl::Status Validate() const {
    TF_RETURN_IF_ERROR(ValidateAttributes(height, width, near));
    if (!(near >= 0.0f)) {
      return InvalidArgument(
          "near: expected a finite depth that is not negative; received ",
          near);
    }
    if (!(std::isfinite(far) && far > near)) {
      return InvalidArgument("far: expected a finite depth above near = ", near,
                             "; received ", far);
    }
    if (!std::isfinite(epsilon)) {
      return InvalidArgument("epsilon: expected a finite number; received ",
                             epsilon);
    }
    if (!(min_coverage > 0.0f && min_coverage <= 0.5f)) {
      return InvalidArgument(
          "min_coverage: expected a number in (0, 0.5]; received ",
          min_coverage);
    }
    return absl::OkStatus();
  }
};

// Of the inputs 0 to 5, and of what is drawn: `plane` is [batch, height,
// width], `image` has the channels too.
struct SoftShadeShapes {
  tensorflow::TensorShape vertices, faces, sigma, gamma, attributes, background;
  tensorflow::TensorShape plane, image;

  int64_t channels() const { return attributes.dim_size(2); }

  absl::Status Validate(int64_t height, int64_t width) {
    TF_RETURN_IF_ERROR(ValidateMeshShapes(vertices, faces));
    TF_RETURN_IF_ERROR(ValidateScalarShape("sigma", sigma));
    TF_RETURN_IF_ERROR(ValidateScalarShape("gamma", gamma));
    if (attributes.dims() != 3 ||
        attributes.dim_size(0) != vertices.dim_size(0) ||
        attributes.dim_size(1) != vertices.dim_size(1)) {
      return InvalidArgument("attributes: expected shape [",
                             vertices.dim_size(0), ", ", vertices.dim_size(1),
                             ", channels]; received ",
                             attributes.DebugString());
    }
    TF_RETURN_IF_ERROR(
        MakeImageShape(vertices.dim_size(0), height, width, &plane));
    image = plane;
    if (!image.AddDimWithStatus(channels()).ok()) {
      return InvalidArgument(
          "attributes: expected channels that give an image whose size fits in "
          "63 bits; received ",
          channels(), " for images ", plane.DebugString());
    }
    if (background != image &&
        background != tensorflow::TensorShape({channels()})) {
      return InvalidArgument("background: expected shape [", channels(),
                             "] or ", image.DebugString(), "; received ",
                             background.DebugString());
    }
    return absl::OkStatus();
  }
};

template <typename T>
absl::Status ValidateFinite(const char* name, const T* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i])) {
      return InvalidArgument(name, ": expected finite numbers; received ",
                             values[i], " at position ", i, " of ", count);
    }
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status ValidateShadeArrays(const SoftShadeInputs<T>& inputs) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  TF_RETURN_IF_ERROR(ValidateMeshValues(mesh.vertices, mesh.batch,
                                        mesh.num_vertices, mesh.faces,
                                        mesh.num_faces));
  TF_RETURN_IF_ERROR(
      ValidateFinite("attributes", inputs.attributes, NumAttributes(inputs)));
  return ValidateFinite("background", inputs.background, NumBackground(inputs));
}

// The numbers that are the host's on any device.
template <typename T>
absl::Status ValidateShadeScalars(const SoftShadeInputs<T>& inputs) {
  TF_RETURN_IF_ERROR(ValidatePositive("sigma", inputs.mesh.sigma));
  return ValidatePositive("gamma", inputs.gamma);
}

template <typename T>
absl::Status ValidateSoftShadeValues(const SoftShadeInputs<T>& inputs) {
  TF_RETURN_IF_ERROR(ValidateShadeScalars(inputs));
  return ValidateShadeArrays(inputs);
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_OP_SOFT_SHADE_H_
