// The order of the inputs, the attributes and the shapes of Softras>SoftShade
// and its gradient, for their kernels and for XLA.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_SOFT_SHADE_OP_H_
#define TF_SOFTRAS_CC_TENSORFLOW_SOFT_SHADE_OP_H_

#include <cmath>
#include <cstdint>
#include <string>

#include "cc/cpu/shade/shade_state.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor_shape.h"

namespace tf_softras {

// The inputs, in order. Only the gradient has the last five.
struct SoftShadeInput {
  enum : int {
    kVertices,
    kFaces,
    kSigma,  // in host memory
    kGamma,  // in host memory
    kAttributes,
    kBackground,
    kTransparency,
    kImage,
    kState,
    kImageGradient,
    kAlphaGradient,
  };
};

struct SoftShadeAttributes {
  int64_t height, width, summed_channels;
  float near, far, epsilon, min_coverage;
  bool is_hard, is_linear;

  absl::Status Read(tensorflow::OpKernelConstruction* context) {
    std::string aggregation, interpolation;
    TF_RETURN_IF_ERROR(context->GetAttr("height", &height));
    TF_RETURN_IF_ERROR(context->GetAttr("width", &width));
    TF_RETURN_IF_ERROR(context->GetAttr("near", &near));
    TF_RETURN_IF_ERROR(context->GetAttr("far", &far));
    TF_RETURN_IF_ERROR(context->GetAttr("epsilon", &epsilon));
    TF_RETURN_IF_ERROR(context->GetAttr("min_coverage", &min_coverage));
    TF_RETURN_IF_ERROR(context->GetAttr("aggregation", &aggregation));
    TF_RETURN_IF_ERROR(context->GetAttr("interpolation", &interpolation));
    TF_RETURN_IF_ERROR(context->GetAttr("summed_channels", &summed_channels));
    is_hard = aggregation == "hard";
    is_linear = interpolation == "linear";
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
    if (is_hard && summed_channels != 0) {
      return InvalidArgument(
          "summed_channels: expected 0 with hard aggregation; received ",
          summed_channels);
    }
    return absl::OkStatus();
  }
};

// The shapes of the inputs of both ops, and of the outputs: `plane` is [batch,
// height, width], `image` [batch, height, width, channels], `state` [batch,
// height, width, numbers] as the soft passes of the CPU have it.
struct SoftShadeShapes {
  tensorflow::TensorShape vertices, faces, sigma, gamma, attributes, background;
  tensorflow::TensorShape plane, image, state;

  int64_t channels() const { return attributes.dim_size(2); }

  absl::Status Validate(const SoftShadeAttributes& drawn) {
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
    if (drawn.summed_channels > channels()) {
      return InvalidArgument("summed_channels: expected at most the ",
                             channels(), " channels of attributes; received ",
                             drawn.summed_channels);
    }
    TF_RETURN_IF_ERROR(MakeImageShape(vertices.dim_size(0), drawn.height,
                                      drawn.width, &plane));
    const int64_t numbers =
        drawn.is_hard ? 0 : StateNumbers(channels(), drawn.summed_channels);
    image = state = plane;
    if (!image.AddDimWithStatus(channels()).ok() ||
        !state.AddDimWithStatus(numbers).ok()) {
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

  // Without its numbers.
  tensorflow::TensorShape empty_state() const {
    tensorflow::TensorShape empty = plane;
    empty.AddDim(0);
    return empty;
  }

  // A pass that keeps no state leaves its numbers out.
  absl::Status ValidateState(const tensorflow::TensorShape& received) const {
    if (received == state || received == empty_state()) {
      return absl::OkStatus();
    }
    return InvalidArgument("state: expected shape ", state.DebugString(),
                           " or ", empty_state().DebugString(), "; received ",
                           received.DebugString());
  }
};

// Checks the numbers that are in host memory on every device.
template <typename T>
absl::Status ValidateShadeScalars(const SoftShadeInputs<T>& inputs) {
  TF_RETURN_IF_ERROR(ValidatePositive("sigma", inputs.mesh.sigma));
  return ValidatePositive("gamma", inputs.gamma);
}

// Fills in what shapes and attributes tell: all but the pointers, sigma and
// gamma.
template <typename T>
void FillInputs(const SoftShadeShapes& shapes,
                const SoftShadeAttributes& attributes,
                SoftShadeInputs<T>* inputs) {
  FillMeshSizes(shapes.vertices, shapes.faces, &inputs->mesh);
  inputs->mesh.height = attributes.height;
  inputs->mesh.width = attributes.width;
  inputs->mesh.near = static_cast<T>(attributes.near);
  inputs->mesh.is_linear = attributes.is_linear;
  inputs->background_is_image = shapes.background.dims() == 4;
  inputs->channels = shapes.channels();
  inputs->summed_channels = attributes.summed_channels;
  inputs->far = static_cast<double>(attributes.far);
  inputs->epsilon = static_cast<double>(attributes.epsilon);
  inputs->min_coverage = static_cast<double>(attributes.min_coverage);
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_SOFT_SHADE_OP_H_
