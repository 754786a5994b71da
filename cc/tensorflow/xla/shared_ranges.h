// A ParallelFor on any pool that takes tasks. Includes neither TensorFlow nor
// XLA.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_XLA_SHARED_RANGES_H_
#define TF_SOFTRAS_CC_TENSORFLOW_XLA_SHARED_RANGES_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace tf_softras {

// The ranges of one parallel_for. Each thread takes the next one when it is
// free.
struct SharedRanges {
  int64_t total;
  int64_t range;
  const std::function<void(int64_t, int64_t)>* work;
  std::atomic<int64_t> next{0};
  std::atomic<int64_t> done{0};

  SharedRanges(int64_t total, int64_t range,
               const std::function<void(int64_t, int64_t)>* work)
      : total(total), range(range), work(work) {}

  void TakeAll() {
    for (int64_t begin; (begin = next.fetch_add(range)) < total;) {
      const int64_t end = std::min(total, begin + range);
      (*work)(begin, end);
      done.fetch_add(end - begin, std::memory_order_acq_rel);
    }
  }
};

// schedule(task) hands a task to a pool of `threads`. The caller takes ranges
// too, and waits only for ranges that others took, never for a task that the
// pool has not begun. So a pool whose threads all wait here cannot deadlock. A
// task that begins late finds no range left.
template <typename Schedule>
void RunShared(int64_t total, int64_t cost, int64_t threads,
               const Schedule& schedule,
               const std::function<void(int64_t, int64_t)>& work) {
  if (total <= 0) return;
  // A range takes about 50 microseconds. There are no more threads than ranges.
  constexpr int64_t kNanoseconds = 50000;
  const int64_t range = std::max<int64_t>(
      1, std::min(total, kNanoseconds / std::max<int64_t>(1, cost)));
  const auto ranges = std::make_shared<SharedRanges>(total, range, &work);
  const int64_t helpers = std::min(threads, (total + range - 1) / range) - 1;
  for (int64_t i = 0; i < helpers; ++i) {
    schedule([ranges] { ranges->TakeAll(); });
  }
  ranges->TakeAll();
  while (ranges->done.load(std::memory_order_acquire) < total) {
    std::this_thread::yield();
  }
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_XLA_SHARED_RANGES_H_
