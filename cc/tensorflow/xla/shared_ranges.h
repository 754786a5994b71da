// A ParallelFor on any pool that takes tasks. Neither TensorFlow nor XLA in it.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_XLA_SHARED_RANGES_H_
#define TF_SOFTRAS_CC_TENSORFLOW_XLA_SHARED_RANGES_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace tf_softras {

// Ranges of one parallel_for, taken by whoever has time.
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
// too, and waits for those that others took: never for a task that the pool has
// not begun. So a pool whose threads all wait here cannot lock up; a task that
// begins late finds nothing left to take.
template <typename Schedule>
void RunShared(int64_t total, int64_t cost, int64_t threads,
               const Schedule& schedule,
               const std::function<void(int64_t, int64_t)>& work) {
  if (total <= 0) return;
  // About 50 microseconds a range; a thread more only where there is a range
  // for it.
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
