// The CPU's pass of Softras>RasterizeFaces. The caller brings the threads.
#ifndef TF_SOFTRAS_CC_CPU_RASTERIZE_HARD_RASTERIZE_H_
#define TF_SOFTRAS_CC_CPU_RASTERIZE_HARD_RASTERIZE_H_

#include <cstdint>

#include "cc/cpu/parallel.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// Writes the nearest face at each pixel centre and its depth there, both
// [batch, height, width] and not empty. Pixels without a face get -1 and 0.
// `near` must not be negative.
template <typename T>
void HardRasterize(const RasterizeInputs<T>& inputs, int32_t* face_index,
                   T* depth, const ParallelFor& parallel_for);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_RASTERIZE_HARD_RASTERIZE_H_
