// Checks that the ops share. Each message names the argument, what was expected
// and what came.
#ifndef TF_SOFTRAS_CC_KERNELS_OP_VALIDATION_H_
#define TF_SOFTRAS_CC_KERNELS_OP_VALIDATION_H_

#include <cmath>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "tsl/platform/mem.h"

namespace tf_softras {

template <typename... Parts>
absl::Status InvalidArgument(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Every index of faces [num_faces, 3] is in [0, num_vertices), and no
// coordinate of vertices [batch, num_vertices, 3] is NaN or infinite.
template <typename T>
absl::Status ValidateMeshValues(const T* vertices, int64_t batch,
                                int64_t num_vertices, const int32_t* faces,
                                int64_t num_faces) {
  for (int64_t i = 0; i < 3 * num_faces; ++i) {
    if (faces[i] < 0 || faces[i] >= num_vertices) {
      return InvalidArgument("faces: expected vertex indices in [0, ",
                             num_vertices, "); received ", faces[i],
                             " in face ", i / 3);
    }
  }
  for (int64_t i = 0; i < batch * num_vertices * 3; ++i) {
    if (!std::isfinite(vertices[i])) {
      return InvalidArgument("vertices: expected finite coordinates; received ",
                             vertices[i], " at item ", i / (3 * num_vertices),
                             ", vertex ", i / 3 % num_vertices);
    }
  }
  return absl::OkStatus();
}

// vertices [batch, num_vertices, 3] and faces [num_faces, 3].
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

// Shapes and values.
template <typename T>
absl::Status ValidateMesh(const tensorflow::Tensor& vertices,
                          const tensorflow::Tensor& faces) {
  const absl::Status status =
      ValidateMeshShapes(vertices.shape(), faces.shape());
  if (!status.ok()) return status;
  return ValidateMeshValues(vertices.flat<T>().data(), vertices.dim_size(0),
                            vertices.dim_size(1), faces.flat<int32_t>().data(),
                            faces.dim_size(0));
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

// What the soft rasteriser's attributes must be beyond their types.
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

// The image [batch, height, width], if its size is one that can be counted.
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

// The machine has memory for the images. Asked before anything is allocated:
// Linux hands out memory that it does not have, and ends the process that uses
// it. (What other processes hold is not looked at.)
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

#endif  // TF_SOFTRAS_CC_KERNELS_OP_VALIDATION_H_
