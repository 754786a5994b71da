// The CPU functors behind Softras>SoftRasterize and its derivatives. No
// TensorFlow: the caller brings memory that is already checked, and the
// threads.
#ifndef TF_SOFTRAS_CC_CPU_RASTERIZE_SOFT_RASTERIZE_H_
#define TF_SOFTRAS_CC_CPU_RASTERIZE_SOFT_RASTERIZE_H_

#include <cstdint>

#include "cc/cpu/parallel.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// Writes silhouette = S and transparency = 1 - S, both [batch, height, width].
// The backward pass needs the second: 1 - S computed from S in T has no digits
// left where S is close to 1.
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

// Writes silhouette_tangent [batch, height, width], the derivative of S as
// vertices move along vertices_tangent [batch, num_vertices, 3] (z plays no
// part) and sigma along sigma_tangent.
template <typename T>
void SoftRasterizeTangent(const SoftRasterizeInputs<T>& inputs,
                          const T* transparency, const T* vertices_tangent,
                          T sigma_tangent, T* silhouette_tangent,
                          const ParallelFor& parallel_for);

// Writes the gradient with respect to sigma, one number: the sum over pixels of
// upstream dS / dsigma.
template <typename T>
void SoftRasterizeSigmaBackward(const SoftRasterizeInputs<T>& inputs,
                                const T* transparency, const T* upstream,
                                T* sigma_gradient,
                                const ParallelFor& parallel_for);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_RASTERIZE_SOFT_RASTERIZE_H_
