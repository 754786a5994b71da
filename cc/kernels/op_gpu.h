// What the kernels of ops on GPUs share: TensorFlow's stream and memory for the
// launchers of *_gpu.h. Includes none of CUDA's headers.
#ifndef TF_SOFTRAS_CC_KERNELS_OP_GPU_H_
#define TF_SOFTRAS_CC_KERNELS_OP_GPU_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cc/kernels/op_validation.h"
#include "cc/kernels/soft_rasterize_gpu.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"
#include "xla/stream_executor/stream.h"

namespace tf_softras {

struct GpuDevice {};

inline absl::Status ValidateNumGpuFaces(int64_t num_faces) {
  if (num_faces <= kMostGpuFaces) return absl::OkStatus();
  return InvalidArgument("faces: expected at most ", kMostGpuFaces,
                         " faces on a GPU; received ", num_faces);
}

// The op's stream, and scratch that TensorFlow takes back when the op returns:
// its allocator gives memory out again in the stream's order.
class OpScratch {
 public:
  explicit OpScratch(tensorflow::OpKernelContext* context)
      : context_(context) {}

  GpuContext gpu_context() {
    return {context_->op_device_context()
                ->stream()
                ->platform_specific_handle()
                .stream,
            [this](size_t bytes) { return Allocate(bytes); }};
  }

  // The op's status, from a launcher's error.
  absl::Status Status(const std::string& error) const {
    if (!allocation_.ok()) return allocation_;
    return error.empty() ? absl::OkStatus() : absl::InternalError(error);
  }

 private:
  void* Allocate(size_t bytes) {
    tensorflow::Tensor memory;
    allocation_ = context_->allocate_temp(
        tensorflow::DT_INT8, {static_cast<int64_t>(bytes)}, &memory);
    if (!allocation_.ok()) return nullptr;
    scratch_.push_back(memory);
    return memory.flat<int8_t>().data();
  }

  tensorflow::OpKernelContext* context_;
  absl::Status allocation_;
  std::vector<tensorflow::Tensor> scratch_;
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_OP_GPU_H_
