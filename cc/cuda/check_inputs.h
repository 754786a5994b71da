// Whether a mesh and its colours are valid, asked of the device that holds
// them.
#ifndef TF_SOFTRAS_CC_CUDA_CHECK_INPUTS_H_
#define TF_SOFTRAS_CC_CUDA_CHECK_INPUTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cc/cuda/context.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// Finds out whether every index of faces is in [0, num_vertices) and every
// coordinate finite. Waits for the stream: the answer is needed before anything
// is read by those indices. Only the meshes of `inputs` are used.
template <typename T>
std::string CheckMeshGpu(const SoftRasterizeInputs<T>& inputs,
                         const GpuContext& context, bool* is_valid);

// Copies the meshes to the host, which then finds the fault in them.
template <typename T>
std::string CopyMeshFromGpu(const SoftRasterizeInputs<T>& inputs,
                            const GpuContext& context, std::vector<T>* vertices,
                            std::vector<int32_t>* faces);

// Finds out whether the mesh is valid as CheckMeshGpu defines it, and every
// attribute and number of the background finite. Waits for the stream.
template <typename T>
std::string CheckShadeInputsGpu(const SoftShadeInputs<T>& inputs,
                                const GpuContext& context, bool* is_valid);

// Copies attributes and background to the host, which then finds the fault in
// them.
template <typename T>
std::string CopyColorsFromGpu(const SoftShadeInputs<T>& inputs,
                              const GpuContext& context,
                              std::vector<T>* attributes,
                              std::vector<T>* background);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_CHECK_INPUTS_H_
