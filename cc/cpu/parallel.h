// How a functor asks for threads without knowing whose they are.
#ifndef TF_SOFTRAS_CC_CPU_PARALLEL_H_
#define TF_SOFTRAS_CC_CPU_PARALLEL_H_

#include <cstdint>
#include <functional>

namespace tf_softras {

// parallel_for(total, cost, work) calls work(begin, end) on disjoint ranges
// that cover [0, total), in any order and on any threads, and returns when all
// are done. `cost` is the guessed nanoseconds of one unit. What a unit computes
// never depends on the ranges: that is what makes results the same bits for any
// number of threads.
using ParallelFor =
    std::function<void(int64_t total, int64_t cost,
                       const std::function<void(int64_t, int64_t)>& work)>;

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_PARALLEL_H_
