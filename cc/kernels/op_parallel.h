// A CPU functor inside an op: TensorFlow's intra-op threads as its ParallelFor,
// and what happens when memory does not suffice.
#ifndef TF_SOFTRAS_CC_KERNELS_OP_PARALLEL_H_
#define TF_SOFTRAS_CC_KERNELS_OP_PARALLEL_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "cc/kernels/parallel.h"
#include "cc/kernels/scratch.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/lib/core/threadpool.h"

namespace tf_softras {

inline ParallelFor IntraOpParallelFor(tensorflow::OpKernelContext* context) {
  auto* workers = context->device()->tensorflow_cpu_worker_threads()->workers;
  return [workers](int64_t total, int64_t cost,
                   const std::function<void(int64_t, int64_t)>& work) {
    using tensorflow::thread::ThreadPool;
    workers->ParallelFor(total, ThreadPool::SchedulingParams::Adaptive(cost),
                         work);
  };
}

inline absl::Status RunOnCpu(
    tensorflow::OpKernelContext* context,
    const std::function<void(const ParallelFor&)>& run) {
  if (RunWithScratch(IntraOpParallelFor(context), run)) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(kNoScratch);
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_OP_PARALLEL_H_
