// How one source becomes code for several instruction sets.
#ifndef TF_SOFTRAS_CC_KERNELS_SIMD_H_
#define TF_SOFTRAS_CC_KERNELS_SIMD_H_

#include <cstdint>

// Marks a function that is compiled once per instruction set and chosen when
// the library is loaded. All that it calls in a hot loop is inlined into it
// (TF_SOFTRAS_INLINE). Sanitizers do not get on with the resolver functions.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TF_SOFTRAS_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TF_SOFTRAS_CLONES
#endif

namespace tf_softras {

// Pixels are visited this many at a time along a row. Rows of scratch are
// padded by as many, so that the last group of a row needs no mask: what it
// adds beyond the face's rectangle is either a true contribution of a pair that
// could have been left out, or lies in the padding.
constexpr int64_t kLanes = 8;

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_SIMD_H_
