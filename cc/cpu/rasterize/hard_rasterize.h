// The CPU functor behind Softras>RasterizeFaces. No TensorFlow: the caller
// brings memory that is already checked, and the threads.
#ifndef TF_SOFTRAS_CC_CPU_RASTERIZE_HARD_RASTERIZE_H_
#define TF_SOFTRAS_CC_CPU_RASTERIZE_HARD_RASTERIZE_H_

#include <cstdint>

#include "cc/cpu/parallel.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// Writes the nearest face (-1 where there is none) and its depth (0 there) at
// each pixel centre, both [batch, height, width] and not empty.
template <typename T>
void HardRasterize(const RasterizeInputs<T>& inputs, int32_t* face_index,
                   T* depth, const ParallelFor& parallel_for);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_RASTERIZE_HARD_RASTERIZE_H_
