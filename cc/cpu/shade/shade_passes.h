// The whole passes of Softras>SoftShade: the image (soft_shade.h), and beside
// it alpha, the silhouette (soft_rasterize.h).
#ifndef TF_SOFTRAS_CC_CPU_SHADE_SHADE_PASSES_H_
#define TF_SOFTRAS_CC_CPU_SHADE_SHADE_PASSES_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/cpu/parallel.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/raster/inputs.h"
#include "cc/raster/saturate.h"

namespace tf_softras {

// `is_hard`: the nearest face alone colours a pixel. Channels may be 0. Only
// the soft pass writes `state` (shade_state.h).
template <typename T>
void ShadeForward(const SoftShadeInputs<T>& inputs, bool is_hard, T* image,
                  T* alpha, T* transparency, T* state,
                  const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  if (mesh.num_pixels() == 0) return;
  SoftRasterizeForward(mesh, alpha, transparency, parallel_for);
  if (inputs.channels == 0) return;
  if (is_hard) {
    HardShadeForward(inputs, image, parallel_for);
  } else {
    SoftShadeForward(inputs, image, state, parallel_for);
  }
}

// Adds the gradient that comes through alpha to the vertices' gradient.
template <typename T>
void AddThroughAlpha(const SoftRasterizeInputs<T>& mesh, const T* transparency,
                     const T* upstream, T* vertices_gradient,
                     const ParallelFor& parallel_for) {
  const int64_t coordinates = mesh.batch * mesh.num_vertices * 3;
  const int64_t pixels = mesh.num_pixels();
  const bool any = std::any_of(upstream, upstream + pixels,
                               [](T value) { return value != T(0); });
  if (coordinates == 0 || !any) return;
  std::vector<T> through_alpha(coordinates);
  SoftRasterizeBackward(mesh, transparency, upstream, through_alpha.data(),
                        parallel_for);
  for (int64_t i = 0; i < coordinates; ++i) {
    vertices_gradient[i] += through_alpha[i];
  }
}

template <typename T>
void ShadeBackward(const SoftShadeInputs<T>& inputs, bool is_hard,
                   const SoftShadeUpstream<T>& upstream,
                   const SoftShadeGradients<T>& gradients,
                   const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const int64_t vertices = mesh.batch * mesh.num_vertices;
  const int64_t pixels = mesh.num_pixels();
  std::fill_n(gradients.vertices, 3 * vertices, T(0));
  std::fill_n(gradients.attributes, inputs.channels * vertices, T(0));
  std::fill_n(gradients.background,
              inputs.channels * (inputs.background_is_image ? pixels : 1),
              T(0));
  if (pixels * inputs.channels > 0) {
    if (is_hard) {
      HardShadeBackward(inputs, upstream.image_gradient, gradients,
                        parallel_for);
    } else {
      SoftShadeBackward(inputs, {upstream.image, upstream.state},
                        upstream.image_gradient, gradients, parallel_for);
    }
  }
  AddThroughAlpha(mesh, upstream.transparency, upstream.alpha_gradient,
                  gradients.vertices, parallel_for);
}

// Writes the gradients with respect to sigma, through image and alpha, and to
// gamma: one number each. A hard image depends on neither.
template <typename T>
void ShadeScalesBackward(const SoftShadeInputs<T>& inputs, bool is_hard,
                         const SoftShadeUpstream<T>& upstream,
                         T* sigma_gradient, T* gamma_gradient,
                         const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  SoftShadeScales scales = {0.0, 0.0};
  if (mesh.batch * mesh.height * mesh.width * inputs.channels > 0 && !is_hard) {
    scales = SoftShadeScalesBackward(inputs, {upstream.image, upstream.state},
                                     upstream.image_gradient, parallel_for);
  }
  T through_alpha = T(0);
  SoftRasterizeSigmaBackward(mesh, upstream.transparency,
                             upstream.alpha_gradient, &through_alpha,
                             parallel_for);
  *sigma_gradient =
      Saturate<T>(scales.sigma + static_cast<double>(through_alpha));
  *gamma_gradient = Saturate<T>(scales.gamma);
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SHADE_SHADE_PASSES_H_
