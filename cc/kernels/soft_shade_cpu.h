// The CPU functors behind Softras>SoftShade and Softras>SoftShadeGrad: the
// image. (Its alpha is the silhouette of soft_rasterize_cpu.h.) No TensorFlow:
// the caller brings memory that is already checked, and the threads.
#ifndef TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_CPU_H_
#define TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_CPU_H_

#include <cstdint>

#include "cc/kernels/parallel.h"
#include "cc/kernels/soft_rasterize_cpu.h"

namespace tf_softras {

// Pointers are row-major and valid for the call.
template <typename T>
struct SoftShadeInputs {
  SoftRasterizeInputs<T> mesh;  // near is not negative
  const T* attributes;          // [batch, num_vertices, channels]
  const T* background;  // [batch, height, width, channels], or [channels]
  bool background_is_image;
  int64_t channels;  // positive
  T gamma;           // positive, finite
  double far;        // above near
  double epsilon;
  double min_coverage;  // in (0, 1/2]
};

template <typename T>
int64_t NumAttributes(const SoftShadeInputs<T>& inputs) {
  return inputs.mesh.batch * inputs.mesh.num_vertices * inputs.channels;
}
template <typename T>
int64_t NumBackground(const SoftShadeInputs<T>& inputs) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  return (inputs.background_is_image ? mesh.batch * mesh.height * mesh.width
                                     : 1) *
         inputs.channels;
}

// Of the shapes of the inputs that they are the gradients of.
template <typename T>
struct SoftShadeGradients {
  T* vertices;
  T* attributes;
  T* background;
};

// Writes image [batch, height, width, channels]: faces blended by coverage and
// depth (cc/geometry/depth_blend.h).
template <typename T>
void SoftShadeForward(const SoftShadeInputs<T>& inputs, T* image,
                      const ParallelFor& parallel_for);

// The gradients, from the upstream one [batch, height, width, channels].
template <typename T>
void SoftShadeBackward(const SoftShadeInputs<T>& inputs, const T* upstream,
                       const SoftShadeGradients<T>& gradients,
                       const ParallelFor& parallel_for);

// The same for the nearest face alone (hard_rasterize_cpu.h); sigma, gamma,
// far, epsilon and min_coverage have no part in it.
template <typename T>
void HardShadeForward(const SoftShadeInputs<T>& inputs, T* image,
                      const ParallelFor& parallel_for);
template <typename T>
void HardShadeBackward(const SoftShadeInputs<T>& inputs, const T* upstream,
                       const SoftShadeGradients<T>& gradients,
                       const ParallelFor& parallel_for);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_SOFT_SHADE_CPU_H_
