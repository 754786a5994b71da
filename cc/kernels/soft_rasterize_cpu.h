// The CPU functors behind Softras>SoftRasterize and Softras>SoftRasterizeGrad.
// No TensorFlow: the caller brings memory that is already checked, and the
// threads.
#ifndef TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_CPU_H_
#define TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_CPU_H_

#include <cstdint>

#include "cc/kernels/parallel.h"

namespace tf_softras {

// Everything the passes share. Pointers are row-major and valid for the call.
template <typename T>
struct SoftRasterizeInputs {
  const T* vertices;     // [batch, num_vertices, 3], image-plane x, y and depth
  const int32_t* faces;  // [num_faces, 3], each index in [0, num_vertices)
  int64_t batch;
  int64_t num_vertices;
  int64_t num_faces;
  int64_t height;
  int64_t width;
  T sigma;  // positive, finite
  T near;   // a face with a vertex at z <= near is left out
};

// Writes silhouette = S and transparency = 1 - S, both [batch, height, width].
// The second is what the backward pass needs: 1 - S in T has no digits left
// where S is close to 1.
template <typename T>
void SoftRasterizeForward(const SoftRasterizeInputs<T>& inputs, T* silhouette,
                          T* transparency, const ParallelFor& parallel_for);

// Writes vertices_gradient [batch, num_vertices, 3] (0 in z) from the upstream
// gradient and the forward pass's transparency, both [batch, height, width].
template <typename T>
void SoftRasterizeBackward(const SoftRasterizeInputs<T>& inputs,
                           const T* transparency, const T* upstream,
                           T* vertices_gradient,
                           const ParallelFor& parallel_for);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_SOFT_RASTERIZE_CPU_H_
