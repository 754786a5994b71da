// Operations on kLanes doubles that are vector code whatever surrounds them.
//
// GCC turns most loops over lanes into vectors. It does not where pointers
// might alias, or where it prefers to unroll: then each lane is computed alone.
// These use the compiler's vector type, and take pointers, because a vector of
// this width in an argument would depend on the instruction set.
#ifndef TF_SOFTRAS_CC_CPU_LANES_H_
#define TF_SOFTRAS_CC_CPU_LANES_H_

#include <cstdint>
#include <cstring>

#include "cc/geometry/platform.h"
#include "cc/raster/local_view.h"

namespace tf_softras {

typedef double LaneVector __attribute__((vector_size(8 * kLanes)));
typedef int32_t LaneInts __attribute__((vector_size(4 * kLanes)));
typedef uint64_t LaneBits __attribute__((vector_size(8 * kLanes)));

// sums += a b
TF_SOFTRAS_INLINE void AddTimes(const double* a, const double* b,
                                double* sums) {
  LaneVector x, y, sum;
  std::memcpy(&x, a, sizeof x);
  std::memcpy(&y, b, sizeof y);
  std::memcpy(&sum, sums, sizeof sum);
  sum += x * y;
  std::memcpy(sums, &sum, sizeof sum);
}

// sums += a
TF_SOFTRAS_INLINE void AddLanes(const double* a, double* sums) {
  LaneVector x, sum;
  std::memcpy(&x, a, sizeof x);
  std::memcpy(&sum, sums, sizeof sum);
  sum += x;
  std::memcpy(sums, &sum, sizeof sum);
}

// Ends what fills lanes one by one. Without it GCC hands values on from lane to
// lane of the next loop, which then stays scalar.
template <typename Lanes>
TF_SOFTRAS_INLINE void Settle(Lanes& lanes) {
#if defined(__GNUC__)
  asm("" : "+m"(lanes));
#endif
}

// lanes[i] = from[at[i]]
TF_SOFTRAS_INLINE void GatherLanes(const double* from, const int32_t* at,
                                   double* lanes) {
  static_assert(kLanes == 8, "a value for each lane");
  LaneVector x = {from[at[0]], from[at[1]], from[at[2]], from[at[3]],
                  from[at[4]], from[at[5]], from[at[6]], from[at[7]]};
  Settle(x);
  std::memcpy(lanes, &x, sizeof x);
}

// least = min(a, least)
TF_SOFTRAS_INLINE void TakeLeast(const double* a, double* least) {
  LaneVector x, y;
  std::memcpy(&x, a, sizeof x);
  std::memcpy(&y, least, sizeof y);
  y = x < y ? x : y;
  std::memcpy(least, &y, sizeof y);
}

// Returns the sum of the lanes.
TF_SOFTRAS_INLINE double SumLanes(const double* lanes) {
  double sums[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) sums[lane] = lanes[lane];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_LANES_H_
