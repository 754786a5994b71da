// Checks that the ops share. Each message names the argument, what was expected
// and what was received.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_VALIDATION_H_
#define TF_SOFTRAS_CC_TENSORFLOW_VALIDATION_H_

#include <cmath>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cc/raster/inputs.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "tsl/platform/mem.h"

namespace tf_softras {

template <typename... Parts>
absl::Status InvalidArgument(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Checks that every vertex index is in [0, num_vertices) and no coordinate is
// NaN or infinite.
template <typename T>
absl::Status ValidateMeshValues(const RasterizeInputs<T>& inputs) {
  const int64_t num_vertices = inputs.num_vertices;
  for (int64_t i = 0; i < 3 * inputs.num_faces; ++i) {
    const int32_t index = inputs.faces[i];
    if (index < 0 || index >= num_vertices) {
      return InvalidArgument("faces: expected vertex indices in [0, ",
                             num_vertices, "); received ", index, " in face ",
                             i / 3);
    }
  }
  for (int64_t i = 0; i < inputs.batch * num_vertices * 3; ++i) {
    if (!std::isfinite(inputs.vertices[i])) {
      return InvalidArgument("vertices: expected finite coordinates; received ",
                             inputs.vertices[i], " at item ",
                             i / (3 * num_vertices), ", vertex ",
                             i / 3 % num_vertices);
    }
  }
  return absl::OkStatus();
}

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

// Checks the shader's arrays: mesh, attributes and background.
template <typename T>
absl::Status ValidateShadeValues(const SoftShadeInputs<T>& inputs) {
  TF_RETURN_IF_ERROR(ValidateMeshValues(inputs.mesh));
  TF_RETURN_IF_ERROR(
      ValidateFinite("attributes", inputs.attributes, inputs.num_attributes()));
  return ValidateFinite("background", inputs.background,
                        inputs.num_background());
}

// Checks for vertices [batch, num_vertices, 3] and faces [num_faces, 3].
inline absl::Status ValidateMeshShapes(const tensorflow::TensorShape& vertices,
                                       const tensorflow::TensorShape& faces) {
  if (vertices.dims() != 3 || vertices.dim_size(2) != 3) {
    return InvalidArgument(
        "vertices: expected shape [batch, num_vertices, 3]; received ",
        vertices.DebugString());
  }
  if (faces.dims() != 2 || faces.dim_size(1) != 3) {
    return InvalidArgument("faces: expected shape [num_faces, 3]; received ",
                           faces.DebugString());
  }
  return absl::OkStatus();
}

// Fills in the sizes that the checked shapes of vertices and faces give.
template <typename T>
void FillMeshSizes(const tensorflow::TensorShape& vertices,
                   const tensorflow::TensorShape& faces,
                   RasterizeInputs<T>* inputs) {
  inputs->batch = vertices.dim_size(0);
  inputs->num_vertices = vertices.dim_size(1);
  inputs->num_faces = faces.dim_size(0);
}

inline absl::Status ValidateScalarShape(const char* name,
                                        const tensorflow::TensorShape& shape) {
  if (shape.dims() == 0) return absl::OkStatus();
  return InvalidArgument(name, ": expected a scalar; received shape ",
                         shape.DebugString());
}

template <typename T>
absl::Status ValidatePositive(const char* name, T value) {
  if (value > T(0) && std::isfinite(value)) return absl::OkStatus();
  return InvalidArgument(name, ": expected a positive finite number; received ",
                         value);
}

// Checks the attributes that all soft ops have.
inline absl::Status ValidateAttributes(int64_t height, int64_t width,
                                       float near) {
  // Pixel offsets are exact in 32 bits.
  constexpr int64_t kLongestSide = int64_t{1} << 30;
  if (height > kLongestSide || width > kLongestSide) {
    return InvalidArgument("height, width: expected sides of at most ",
                           kLongestSide, " pixels; received ", height, " x ",
                           width);
  }
  if (!std::isfinite(near)) {
    return InvalidArgument("near: expected a finite depth; received ", near);
  }
  return absl::OkStatus();
}

// Makes the image's shape [batch, height, width], if its size fits in 63 bits.
inline absl::Status MakeImageShape(int64_t batch, int64_t height, int64_t width,
                                   tensorflow::TensorShape* shape) {
  const absl::Status status =
      tensorflow::TensorShape::BuildTensorShape({batch, height, width}, shape);
  if (!status.ok()) {
    return InvalidArgument(
        "height, width: expected an image whose size fits in 63 bits; received "
        "batch ",
        batch, ", height ", height, ", width ", width);
  }
  return absl::OkStatus();
}

// Checks that the images fit in the machine's memory. This comes before any
// allocation, because Linux hands out memory that it does not have, and ends
// the process that uses it. (Memory of other processes is not counted.)
inline absl::Status ValidateMemory(const tensorflow::TensorShape& image,
                                   int64_t bytes_per_pixel) {
  const int64_t memory = tsl::port::GetMemoryInfo().total;
  if (image.num_elements() <= memory / bytes_per_pixel) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("height, width: expected images that fit in ", memory,
                   " bytes of memory; received ", image.DebugString(), ", ",
                   bytes_per_pixel, " bytes a pixel"));
}

inline absl::Status ValidateShape(const char* name,
                                  const tensorflow::TensorShape& shape,
                                  const tensorflow::TensorShape& expected) {
  if (shape == expected) return absl::OkStatus();
  return InvalidArgument(name, ": expected shape ", expected.DebugString(),
                         "; received ", shape.DebugString());
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_VALIDATION_H_
