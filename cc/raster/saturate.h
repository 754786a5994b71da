// Rounds gradients to T where T may not hold them.
#ifndef TF_SOFTRAS_CC_RASTER_SATURATE_H_
#define TF_SOFTRAS_CC_RASTER_SATURATE_H_

#include <limits>

#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"

namespace tf_softras {

// Rounds to T; what T cannot hold becomes its largest number.
template <typename T>
TF_SOFTRAS_INLINE T Saturate(double value) {
  constexpr double kLargest =
      static_cast<double>(std::numeric_limits<T>::max());
  return static_cast<T>(Max(-kLargest, Min(kLargest, value)));
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_RASTER_SATURATE_H_
