// XLA's intra-op threads as a ParallelFor.
#ifndef TF_SOFTRAS_CC_XLA_FFI_PARALLEL_H_
#define TF_SOFTRAS_CC_XLA_FFI_PARALLEL_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "cc/kernels/parallel.h"
#include "xla/ffi/api/ffi.h"

namespace tf_softras {

// Ranges of one parallel_for, taken by whoever has time.
struct SharedRanges {
  int64_t total;
  int64_t range;
  const std::function<void(int64_t, int64_t)>* work;
  std::atomic<int64_t> next{0};
  std::atomic<int64_t> done{0};

  void TakeAll() {
    for (int64_t begin; (begin = next.fetch_add(range)) < total;) {
      const int64_t end = std::min(total, begin + range);
      (*work)(begin, end);
      done.fetch_add(end - begin, std::memory_order_acq_rel);
    }
  }
};

// The caller takes ranges too, and waits for those that others took: never for
// a task that the pool has not begun. So a pool whose threads all wait here
// cannot lock up; a task that begins late finds nothing left to take.
inline ParallelFor FfiParallelFor(xla::ffi::ThreadPool& pool) {
  return [&pool](int64_t total, int64_t cost,
                 const std::function<void(int64_t, int64_t)>& work) {
    if (total <= 0) return;
    // About 50 microseconds a range, as in TensorFlow's pool; a thread more
    // only where there is a range for it.
    constexpr int64_t kNanoseconds = 50000;
    const int64_t range = std::max<int64_t>(
        1, std::min(total, kNanoseconds / std::max<int64_t>(1, cost)));
    const int64_t helpers =
        std::min(pool.num_threads(), (total + range - 1) / range) - 1;
    auto ranges = std::make_shared<SharedRanges>();
    ranges->total = total;
    ranges->range = range;
    ranges->work = &work;
    for (int64_t i = 0; i < helpers; ++i) {
      pool.Schedule([ranges] { ranges->TakeAll(); });
    }
    ranges->TakeAll();
    while (ranges->done.load(std::memory_order_acquire) < total) {
      std::this_thread::yield();
    }
  };
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_XLA_FFI_PARALLEL_H_
