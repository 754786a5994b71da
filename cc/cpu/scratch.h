// Turns failed allocations of scratch into an error of the call. They would end
// the process otherwise.
#ifndef TF_SOFTRAS_CC_CPU_SCRATCH_H_
#define TF_SOFTRAS_CC_CPU_SCRATCH_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <new>
#include <stdexcept>

#include "cc/cpu/parallel.h"

namespace tf_softras {

constexpr char kNoScratch[] =
    "The rasteriser's scratch does not fit in memory: expected room for about "
    "64 bytes a face and 16 a pixel.";

// Calls run(parallel_for) with `threads`. Returns false if an allocation failed
// on any of them: the results are unwritten then. Exceptions never leave a
// thread of the pool, because that would end the process.
inline bool RunWithScratch(const ParallelFor& threads,
                           const std::function<void(const ParallelFor&)>& run) {
  std::atomic<bool> failed{false};
  const ParallelFor parallel_for =
      [&](int64_t total, int64_t cost,
          const std::function<void(int64_t, int64_t)>& work) {
        threads(total, cost, [&](int64_t begin, int64_t end) {
          try {
            work(begin, end);
          } catch (const std::bad_alloc&) {
            failed = true;
          } catch (const std::length_error&) {
            failed = true;
          }
        });
        if (failed) throw std::bad_alloc();
      };
  try {
    run(parallel_for);
  } catch (const std::bad_alloc&) {
    return false;
  } catch (const std::length_error&) {
    return false;
  }
  return true;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SCRATCH_H_
