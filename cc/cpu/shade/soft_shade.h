// The CPU's passes of Softras>SoftShade and its gradient, for the image.
// (shade_passes.h adds alpha, the silhouette.) The caller brings the threads.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_SOFT_SHADE_H_
#define TF_SOFTRAS_CC_CPU_SHADE_SOFT_SHADE_H_

#include <cstdint>

#include "cc/cpu/parallel.h"
#include "cc/cpu/shade/shade_state.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// Writes image [batch, height, width, channels]: faces blended by coverage and
// depth (cc/geometry/depth_blend.h); and the state (shade_state.h).
template <typename T>
void SoftShadeForward(const SoftShadeInputs<T>& inputs, T* image, T* state,
                      const ParallelFor& parallel_for);

// Writes the gradients, from the upstream gradient of the image [batch, height,
// width, channels]. They are the same within rounding with and without the
// state of the forward pass.
template <typename T>
void SoftShadeBackward(const SoftShadeInputs<T>& inputs,
                       const ShadedImage<T>& shaded, const T* upstream,
                       const SoftShadeGradients<T>& gradients,
                       const ParallelFor& parallel_for);

// Gradients with respect to the shader's two scales.
struct SoftShadeScales {
  double sigma;
  double gamma;
};

// Those of the image, from the state and the upstream gradient as above.
template <typename T>
SoftShadeScales SoftShadeScalesBackward(const SoftShadeInputs<T>& inputs,
                                        const ShadedImage<T>& shaded,
                                        const T* upstream,
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

#endif  // TF_SOFTRAS_CC_CPU_SHADE_SOFT_SHADE_H_
