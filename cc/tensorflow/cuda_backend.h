// Runs the passes of cc/cuda for the ops: on the op's stream, with scratch from
// TensorFlow's allocator. Compiled where the build has a CUDA toolkit; includes
// none of its headers.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_CUDA_BACKEND_H_
#define TF_SOFTRAS_CC_TENSORFLOW_CUDA_BACKEND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cc/cuda/check_inputs.h"
#include "cc/cuda/context.h"
#include "cc/cuda/rasterize/soft_rasterize.h"
#include "cc/cuda/shade/soft_shade.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "xla/stream_executor/stream.h"

namespace tf_softras {

// Serves one call of an op. Scratch goes back to TensorFlow when the call ends,
// though the stream may still use it: the allocator gives memory out again in
// the stream's order.
class CudaBackend {
 public:
  // The kernels blend the faces again backward.
  static constexpr bool kKeepsState = false;

  explicit CudaBackend(tensorflow::OpKernelContext* context)
      : context_(context) {}

  // Nothing to check: the device's allocator reports that memory is exhausted.
  static absl::Status ValidateMemory(const tensorflow::TensorShape&, int64_t) {
    return absl::OkStatus();
  }

  // The device answers yes or no. If no, the host copies the arrays and finds
  // the error, in the same words as on the CPU.
  template <typename T>
  absl::Status ValidateArrays(const SoftRasterizeInputs<T>& inputs) {
    TF_RETURN_IF_ERROR(ValidateNumFaces(inputs.num_faces));
    bool is_valid = false;
    TF_RETURN_IF_ERROR(Status(CheckMeshGpu(inputs, gpu_context(), &is_valid)));
    if (is_valid) return absl::OkStatus();
    SoftRasterizeInputs<T> on_host = inputs;
    std::vector<T> vertices;
    std::vector<int32_t> faces;
    TF_RETURN_IF_ERROR(CopyMesh(&on_host, &vertices, &faces));
    return ValidateMeshValues(on_host);
  }

  template <typename T>
  absl::Status ValidateArrays(const SoftShadeInputs<T>& inputs) {
    TF_RETURN_IF_ERROR(ValidateNumFaces(inputs.mesh.num_faces));
    bool is_valid = false;
    TF_RETURN_IF_ERROR(
        Status(CheckShadeInputsGpu(inputs, gpu_context(), &is_valid)));
    if (is_valid) return absl::OkStatus();
    SoftShadeInputs<T> on_host = inputs;
    std::vector<T> vertices, attributes, background;
    std::vector<int32_t> faces;
    TF_RETURN_IF_ERROR(CopyMesh(&on_host.mesh, &vertices, &faces));
    TF_RETURN_IF_ERROR(Status(
        CopyColorsFromGpu(inputs, gpu_context(), &attributes, &background)));
    on_host.attributes = attributes.data();
    on_host.background = background.data();
    return ValidateShadeValues(on_host);
  }

  template <typename T>
  absl::Status SoftRasterizeForward(const SoftRasterizeInputs<T>& inputs,
                                    T* silhouette, T* transparency) {
    return Status(SoftRasterizeForwardGpu(inputs, silhouette, transparency,
                                          gpu_context()));
  }

  template <typename T>
  absl::Status SoftRasterizeBackward(const SoftRasterizeInputs<T>& inputs,
                                     const T* transparency, const T* upstream,
                                     T* vertices_gradient) {
    return Status(SoftRasterizeBackwardGpu(inputs, transparency, upstream,
                                           vertices_gradient, gpu_context()));
  }

  template <typename T>
  absl::Status ShadeForward(const SoftShadeInputs<T>& inputs, bool is_hard,
                            T* image, T* alpha, T* transparency, T*) {
    return Status(ShadeForwardGpu(inputs, is_hard, image, alpha, transparency,
                                  gpu_context()));
  }

  template <typename T>
  absl::Status ShadeBackward(const SoftShadeInputs<T>& inputs, bool is_hard,
                             const SoftShadeUpstream<T>& upstream,
                             const SoftShadeGradients<T>& gradients) {
    return Status(ShadeBackwardGpu(
        inputs, is_hard, upstream.transparency, upstream.image_gradient,
        upstream.alpha_gradient, gradients, gpu_context()));
  }

 private:
  static absl::Status ValidateNumFaces(int64_t num_faces) {
    if (num_faces <= kMostGpuFaces) return absl::OkStatus();
    return InvalidArgument("faces: expected at most ", kMostGpuFaces,
                           " faces on a GPU; received ", num_faces);
  }

  // Copies a mesh to the host, and points `on_host` to the copy.
  template <typename T>
  absl::Status CopyMesh(SoftRasterizeInputs<T>* on_host,
                        std::vector<T>* vertices, std::vector<int32_t>* faces) {
    TF_RETURN_IF_ERROR(
        Status(CopyMeshFromGpu(*on_host, gpu_context(), vertices, faces)));
    on_host->vertices = vertices->data();
    on_host->faces = faces->data();
    return absl::OkStatus();
  }

  GpuContext gpu_context() {
    return {context_->op_device_context()
                ->stream()
                ->platform_specific_handle()
                .stream,
            [this](size_t bytes) { return Allocate(bytes); }};
  }

  void* Allocate(size_t bytes) {
    tensorflow::Tensor memory;
    allocation_ = context_->allocate_temp(
        tensorflow::DT_INT8, {static_cast<int64_t>(bytes)}, &memory);
    if (!allocation_.ok()) return nullptr;
    scratch_.push_back(memory);
    return memory.flat<int8_t>().data();
  }

  // Returns the op's status for a launcher's error.
  absl::Status Status(const std::string& error) const {
    if (!allocation_.ok()) return allocation_;
    return error.empty() ? absl::OkStatus() : absl::InternalError(error);
  }

  tensorflow::OpKernelContext* context_;
  absl::Status allocation_;
  std::vector<tensorflow::Tensor> scratch_;
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_CUDA_BACKEND_H_
