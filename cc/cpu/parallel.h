// A pass asks for threads through this: TensorFlow's, XLA's, or none in a test.
#ifndef TF_SOFTRAS_CC_CPU_PARALLEL_H_
#define TF_SOFTRAS_CC_CPU_PARALLEL_H_

#include <cstdint>
#include <functional>

namespace tf_softras {

// parallel_for(total, cost, work) calls work(begin, end) on disjoint ranges
// that cover [0, total), in any order and on any threads, and returns when all
// are done. `cost` is a guess of one unit's nanoseconds. A unit computes the
// same whatever the ranges are: so results have the same bits for any number of
// threads.
using ParallelFor =
    std::function<void(int64_t total, int64_t cost,
                       const std::function<void(int64_t, int64_t)>& work)>;

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_PARALLEL_H_
