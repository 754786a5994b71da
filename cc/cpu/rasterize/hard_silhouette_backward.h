// The CPU's pass of Softras>HardSilhouetteGrad. The caller brings the threads.
#ifndef TF_SOFTRAS_CC_CPU_RASTERIZE_HARD_SILHOUETTE_BACKWARD_H_
#define TF_SOFTRAS_CC_CPU_RASTERIZE_HARD_SILHOUETTE_BACKWARD_H_

#include <cstdint>

#include "cc/cpu/parallel.h"
#include "cc/cpu/rasterize/hard_rasterize.h"

namespace tf_softras {

// Moves are lengthened by this, in image-plane units, so that no gradient
// exceeds upstream / kShortestMove. The number is that of the authors' code.
constexpr double kShortestMove = 1e-3;

// Writes vertices_gradient [batch, num_vertices, 3] (0 in z) from what
// HardRasterize found, face_index, and the upstream gradient of the coverage
// (1 where there is a face, else 0), both [batch, height, width].
// `inputs.near` is ignored: face_index already omits those faces.
template <typename T>
void HardSilhouetteBackward(const RasterizeInputs<T>& inputs,
                            const int32_t* face_index, const T* upstream,
                            T* vertices_gradient,
                            const ParallelFor& parallel_for);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_RASTERIZE_HARD_SILHOUETTE_BACKWARD_H_
