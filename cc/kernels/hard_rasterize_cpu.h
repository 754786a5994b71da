// The CPU functor behind Softras>RasterizeFaces. No TensorFlow: the caller
// brings memory that is already checked, and the threads.
#ifndef TF_SOFTRAS_CC_KERNELS_HARD_RASTERIZE_CPU_H_
#define TF_SOFTRAS_CC_KERNELS_HARD_RASTERIZE_CPU_H_

#include <cstdint>

#include "cc/kernels/parallel.h"

namespace tf_softras {

// Pointers are row-major and valid for the call.
template <typename T>
struct HardRasterizeInputs {
  const T* vertices;  // [batch, num_vertices, 3], finite: image-plane x, y and
                      // depth
  const int32_t* faces;  // [num_faces, 3], each index in [0, num_vertices)
  int64_t batch;
  int64_t num_vertices;
  int64_t num_faces;
  int64_t height;
  int64_t width;
  double near;  // not negative; a face with a vertex at z <= near is left out
};

// Writes the nearest face (-1 where there is none) and its depth (0 there) at
// each pixel centre, both [batch, height, width] and not empty.
template <typename T>
void HardRasterize(const HardRasterizeInputs<T>& inputs, int32_t* face_index,
                   T* depth, const ParallelFor& parallel_for);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_HARD_RASTERIZE_CPU_H_
