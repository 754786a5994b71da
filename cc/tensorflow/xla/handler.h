// Shapes, errors and threads for the handlers of custom calls.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_XLA_HANDLER_H_
#define TF_SOFTRAS_CC_TENSORFLOW_XLA_HANDLER_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "cc/cpu/parallel.h"
#include "cc/cpu/scratch.h"
#include "cc/tensorflow/xla/ffi_parallel.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "xla/ffi/api/ffi.h"

// xla/ffi/ffi_api.h declares this too, but includes headers that TensorFlow's
// package lacks.
namespace xla::ffi {
const XLA_FFI_Api* GetXlaFfiApi();
}  // namespace xla::ffi

namespace tf_softras {

inline xla::ffi::Error ToFfi(const absl::Status& status) {
  return xla::ffi::Error(static_cast<xla::ffi::ErrorCode>(status.code()),
                         std::string(status.message()));
}

template <typename Buffer>
tensorflow::TensorShape ShapeOf(const Buffer& buffer) {
  const auto sizes = buffer.dimensions();
  return tensorflow::TensorShape(
      absl::MakeConstSpan(sizes.begin(), sizes.size()));
}

inline xla::ffi::Error RunOnFfi(
    xla::ffi::ThreadPool& pool,
    const std::function<void(const ParallelFor&)>& functor) {
  if (RunWithScratch(FfiParallelFor(pool), functor)) {
    return xla::ffi::Error::Success();
  }
  return xla::ffi::Error(xla::ffi::ErrorCode::kResourceExhausted, kNoScratch);
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_XLA_HANDLER_H_
