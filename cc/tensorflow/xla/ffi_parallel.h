// XLA's intra-op threads as a ParallelFor.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_XLA_FFI_PARALLEL_H_
#define TF_SOFTRAS_CC_TENSORFLOW_XLA_FFI_PARALLEL_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "cc/cpu/parallel.h"
#include "cc/tensorflow/xla/shared_ranges.h"
#include "xla/ffi/api/ffi.h"

namespace tf_softras {

// Serial if XLA runs without a pool, which then has 0 threads.
inline ParallelFor FfiParallelFor(xla::ffi::ThreadPool& pool) {
  return [&pool](int64_t total, int64_t cost,
                 const std::function<void(int64_t, int64_t)>& work) {
    RunShared(
        total, cost, pool.num_threads(),
        [&pool](auto&& task) { pool.Schedule(std::move(task)); }, work);
  };
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_XLA_FFI_PARALLEL_H_
