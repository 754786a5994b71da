// Runs a pass under the schedules that a pool of threads may choose, and checks
// that the bits stay the same.
#ifndef TF_SOFTRAS_CC_REFERENCE_SCHEDULES_H_
#define TF_SOFTRAS_CC_REFERENCE_SCHEDULES_H_

#include <cstdint>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

namespace tf_softras {

// Schedules are ParallelFors (cc/cpu/parallel.h).
inline void Serial(int64_t total, int64_t,
                   const std::function<void(int64_t, int64_t)>& work) {
  if (total > 0) work(0, total);
}

// One unit at a time, last one first: what a pool may do at worst.
inline void Backwards(int64_t total, int64_t,
                      const std::function<void(int64_t, int64_t)>& work) {
  for (int64_t unit = total; unit > 0; --unit) work(unit - 1, unit);
}

inline void FourThreads(int64_t total, int64_t,
                        const std::function<void(int64_t, int64_t)>& work) {
  std::vector<std::thread> threads;
  for (int64_t k = 0; k < 4; ++k) {
    threads.emplace_back([&, k] {
      if (total * k / 4 < total * (k + 1) / 4) {
        work(total * k / 4, total * (k + 1) / 4);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() ||
          std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_REFERENCE_SCHEDULES_H_
