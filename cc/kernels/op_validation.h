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

namespace tf_softras {

template <typename... Parts>
absl::Status InvalidArgument(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// vertices [batch, num_vertices, 3] without NaN or infinity, faces [num_faces,
// 3] with every index in [0, num_vertices).
template <typename T>
absl::Status ValidateMesh(const tensorflow::Tensor& vertices,
                          const tensorflow::Tensor& faces) {
  if (vertices.dims() != 3 || vertices.dim_size(2) != 3) {
    return InvalidArgument(
        "vertices: expected shape [batch, num_vertices, 3]; received ",
        vertices.shape().DebugString());
  }
  if (faces.dims() != 2 || faces.dim_size(1) != 3) {
    return InvalidArgument("faces: expected shape [num_faces, 3]; received ",
                           faces.shape().DebugString());
  }
  const int64_t num_vertices = vertices.dim_size(1);
  const auto indices = faces.flat<int32_t>();
  for (int64_t i = 0; i < indices.size(); ++i) {
    if (indices(i) < 0 || indices(i) >= num_vertices) {
      return InvalidArgument("faces: expected vertex indices in [0, ",
                             num_vertices, "); received ", indices(i),
                             " in face ", i / 3);
    }
  }
  const auto coordinates = vertices.flat<T>();
  for (int64_t i = 0; i < coordinates.size(); ++i) {
    if (!std::isfinite(coordinates(i))) {
      return InvalidArgument("vertices: expected finite coordinates; received ",
                             coordinates(i), " at item ",
                             i / (3 * num_vertices), ", vertex ",
                             i / 3 % num_vertices);
    }
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

// `tensor` has exactly this shape.
inline absl::Status ValidateShape(const char* name,
                                  const tensorflow::Tensor& tensor,
                                  const tensorflow::TensorShape& expected) {
  if (tensor.shape() == expected) return absl::OkStatus();
  return InvalidArgument(name, ": expected shape ", expected.DebugString(),
                         "; received ", tensor.shape().DebugString());
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_OP_VALIDATION_H_
