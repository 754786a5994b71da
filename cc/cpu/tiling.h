// Cuts an image into tiles.
#ifndef TF_SOFTRAS_CC_CPU_TILING_H_
#define TF_SOFTRAS_CC_CPU_TILING_H_

#include <cstdint>

#include "cc/geometry/image_plane.h"

namespace tf_softras {

// The tiles of an image: large enough that few faces cross borders, small
// enough that there are units for all threads. They depend on shapes alone, so
// that results do not depend on threads.
struct Tiling {
  int64_t height, width, side, rows, columns;

  Tiling(int64_t batch, int64_t height, int64_t width)
      : height(height), width(width) {
    constexpr int64_t kUnits = 16;
    for (const int64_t candidate : {64, 32, 16}) {
      side = candidate;
      rows = (height + side - 1) / side;
      columns = (width + side - 1) / side;
      if (batch * count() >= kUnits) break;
    }
  }

  int64_t count() const { return rows * columns; }
  PixelRect rect(int64_t row, int64_t column) const {
    return {row * side, MinInt((row + 1) * side, height), column * side,
            MinInt((column + 1) * side, width)};
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_TILING_H_
