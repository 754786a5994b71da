// Runs the passes of cc/cpu for the ops: on TensorFlow's intra-op threads, with
// an error if their scratch does not fit in memory.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_CPU_BACKEND_H_
#define TF_SOFTRAS_CC_TENSORFLOW_CPU_BACKEND_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "cc/cpu/parallel.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/cpu/scratch.h"
#include "cc/cpu/shade/shade_passes.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "tensorflow/core/lib/core/threadpool.h"

namespace tf_softras {

// Serves one call of an op. CudaBackend has the same methods.
class CpuBackend {
 public:
  // True, because the soft shader fills its output `state`.
  static constexpr bool kKeepsState = true;

  explicit CpuBackend(tensorflow::OpKernelContext* context)
      : context_(context) {}

  // Checks that images of this shape fit in the machine's memory.
  static absl::Status ValidateMemory(const tensorflow::TensorShape& image,
                                     int64_t bytes_per_pixel) {
    return tf_softras::ValidateMemory(image, bytes_per_pixel);
  }

  // Checks indices and numbers of the arrays.
  template <typename T>
  absl::Status ValidateArrays(const SoftRasterizeInputs<T>& inputs) {
    return ValidateMeshValues(inputs);
  }
  template <typename T>
  absl::Status ValidateArrays(const SoftShadeInputs<T>& inputs) {
    return ValidateShadeValues(inputs);
  }

  template <typename T>
  absl::Status SoftRasterizeForward(const SoftRasterizeInputs<T>& inputs,
                                    T* silhouette, T* transparency) {
    return Run([&](const ParallelFor& parallel_for) {
      tf_softras::SoftRasterizeForward(inputs, silhouette, transparency,
                                       parallel_for);
    });
  }

  template <typename T>
  absl::Status SoftRasterizeBackward(const SoftRasterizeInputs<T>& inputs,
                                     const T* transparency, const T* upstream,
                                     T* vertices_gradient) {
    return Run([&](const ParallelFor& parallel_for) {
      tf_softras::SoftRasterizeBackward(inputs, transparency, upstream,
                                        vertices_gradient, parallel_for);
    });
  }

  template <typename T>
  absl::Status ShadeForward(const SoftShadeInputs<T>& inputs, bool is_hard,
                            T* image, T* alpha, T* transparency, T* state) {
    return Run([&](const ParallelFor& parallel_for) {
      tf_softras::ShadeForward(inputs, is_hard, image, alpha, transparency,
                               state, parallel_for);
    });
  }

  template <typename T>
  absl::Status ShadeBackward(const SoftShadeInputs<T>& inputs, bool is_hard,
                             const SoftShadeUpstream<T>& upstream,
                             const SoftShadeGradients<T>& gradients) {
    return Run([&](const ParallelFor& parallel_for) {
      tf_softras::ShadeBackward(inputs, is_hard, upstream, gradients,
                                parallel_for);
    });
  }

  // Calls run(parallel_for). Returns ResourceExhausted if scratch does not fit
  // in memory.
  absl::Status Run(const std::function<void(const ParallelFor&)>& run) {
    if (RunWithScratch(IntraOpThreads(), run)) return absl::OkStatus();
    return absl::ResourceExhaustedError(kNoScratch);
  }

 private:
  ParallelFor IntraOpThreads() const {
    auto* workers =
        context_->device()->tensorflow_cpu_worker_threads()->workers;
    return [workers](int64_t total, int64_t cost,
                     const std::function<void(int64_t, int64_t)>& work) {
      using tensorflow::thread::ThreadPool;
      workers->ParallelFor(total, ThreadPool::SchedulingParams::Adaptive(cost),
                           work);
    };
  }

  tensorflow::OpKernelContext* context_;
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_CPU_BACKEND_H_
