// The soft forward pass keeps some numbers of each pixel. With them the
// backward passes do not blend its faces again.
//
// A gradient needs w_j (G_j - mean) divided by gamma, and the image, rounded to
// T, has too few digits for the mean. The state therefore holds what rounding
// took from the image: a float and the float that it lost have 48 bits, and the
// error of a mean is below 2^-48 / gamma. Beside it are what the weights are
// relative to, the nearest level and the sum of weights, in two parts as well:
// gradients of pixels may cancel, so each needs more digits than their sum.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_SHADE_STATE_H_
#define TF_SOFTRAS_CC_CPU_SHADE_SHADE_STATE_H_

#include <cstdint>

#include "cc/geometry/platform.h"
#include "cc/raster/inputs.h"
#include "cc/raster/saturate.h"
#include "cc/raster/shaded_item.h"

namespace tf_softras {

// A pixel's numbers, in order. The last one stands for each blended channel.
struct StateNumber {
  enum : int64_t { kLevel, kLevelLost, kTotal, kTotalLost, kImageLost };
};

// Returns how many there are.
inline int64_t StateNumbers(int64_t channels, int64_t summed_channels) {
  return channels == 0 ? 0
                       : StateNumber::kImageLost + channels - summed_channels;
}

// Rounds to T, and says what that took away.
template <typename T>
struct RoundedPair {
  T rounded, lost;

  TF_SOFTRAS_INLINE explicit RoundedPair(double value)
      : rounded(Saturate<T>(value)),
        lost(Saturate<T>(value - static_cast<double>(rounded))) {}
  // The number again.
  static TF_SOFTRAS_INLINE double Sum(T rounded, T lost) {
    return static_cast<double>(rounded) + static_cast<double>(lost);
  }
};

// Returns the place of a pixel's first number in the state of an item.
template <typename T>
TF_SOFTRAS_INLINE int64_t StateAt(const ShadedItem<T>& item, int64_t row,
                                  int64_t column) {
  return (row * item.mesh.plane.width + column) *
         StateNumbers(item.channels, item.channels - item.blended);
}

// Results of the forward pass that the backward passes read. Without a state
// they blend the faces again.
template <typename T>
struct ShadedImage {
  const T* image;  // [batch, height, width, channels]
  const T* state;  // [batch, height, width, StateNumbers()], or null

  // Those of one item.
  ShadedImage Item(const SoftShadeInputs<T>& inputs, int64_t item) const {
    if (state == nullptr) return *this;
    const int64_t pixels = item * inputs.mesh.height * inputs.mesh.width;
    return {
        image + pixels * inputs.channels,
        state + pixels * StateNumbers(inputs.channels, inputs.summed_channels)};
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SHADE_SHADE_STATE_H_
