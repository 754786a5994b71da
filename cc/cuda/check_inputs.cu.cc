#include "cc/cuda/check_inputs.h"

// Validity of indices and numbers, found where the arrays are.
//
//   a thread a value: sets one shared flag if the value is bad
//   copy the flag to the host and wait for it
#include <cmath>

#include "cc/cuda/launch.h"

namespace tf_softras {
namespace {

constexpr int kThreads = 256;

// All threads that find a bad value write the same number, so the race is
// harmless.
__global__ void __launch_bounds__(kThreads)
    CheckIndices(const int32_t* faces, int64_t count, int64_t num_vertices,
                 int32_t* is_bad) {
  for (int64_t i = FirstIndex(); i < count; i += IndexStride()) {
    if (faces[i] < 0 || faces[i] >= num_vertices) *is_bad = 1;
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    CheckFinite(const T* values, int64_t count, int32_t* is_bad) {
  for (int64_t i = FirstIndex(); i < count; i += IndexStride()) {
    // NaN is not at most anything.
    if (!(std::fabs(values[i]) <= std::numeric_limits<T>::max())) *is_bad = 1;
  }
}

template <typename T>
int64_t NumCoordinates(const SoftRasterizeInputs<T>& inputs) {
  return 3 * inputs.batch * inputs.num_vertices;
}

template <typename T>
void CheckFiniteValues(GpuCall& call, const T* values, int64_t count,
                       int32_t* is_bad) {
  call.LaunchPerIndex("CheckFinite", CheckFinite<T>, count, kThreads, values,
                      count, is_bad);
}

template <typename T>
void CheckMesh(GpuCall& call, const SoftRasterizeInputs<T>& inputs,
               int32_t* is_bad) {
  call.LaunchPerIndex("CheckIndices", CheckIndices, 3 * inputs.num_faces,
                      kThreads, inputs.faces, 3 * inputs.num_faces,
                      inputs.num_vertices, is_bad);
  CheckFiniteValues(call, inputs.vertices, NumCoordinates(inputs), is_bad);
}

// Calls check(call, is_bad) and waits for what the device finds.
template <typename Check>
std::string AskDevice(const GpuContext& context, bool* is_valid,
                      const Check& check) {
  GpuCall call(context);
  int32_t* is_bad = call.Allocate<int32_t>(1);
  call.Clear(is_bad, 1);
  check(call, is_bad);
  int32_t answer = 1;
  call.CopyToHost(&answer, is_bad, 1);
  call.Wait();
  *is_valid = answer == 0;
  return call.error();
}

}  // namespace

template <typename T>
std::string CheckMeshGpu(const SoftRasterizeInputs<T>& inputs,
                         const GpuContext& context, bool* is_valid) {
  return AskDevice(context, is_valid, [&](GpuCall& call, int32_t* is_bad) {
    CheckMesh(call, inputs, is_bad);
  });
}

template <typename T>
std::string CheckShadeInputsGpu(const SoftShadeInputs<T>& inputs,
                                const GpuContext& context, bool* is_valid) {
  return AskDevice(context, is_valid, [&](GpuCall& call, int32_t* is_bad) {
    CheckMesh(call, inputs.mesh, is_bad);
    CheckFiniteValues(call, inputs.attributes, inputs.num_attributes(), is_bad);
    CheckFiniteValues(call, inputs.background, inputs.num_background(), is_bad);
  });
}

template <typename T>
std::string CopyMeshFromGpu(const SoftRasterizeInputs<T>& inputs,
                            const GpuContext& context, std::vector<T>* vertices,
                            std::vector<int32_t>* faces) {
  GpuCall call(context);
  vertices->resize(NumCoordinates(inputs));
  faces->resize(3 * inputs.num_faces);
  call.CopyToHost(vertices->data(), inputs.vertices, NumCoordinates(inputs));
  call.CopyToHost(faces->data(), inputs.faces, 3 * inputs.num_faces);
  call.Wait();
  return call.error();
}

template <typename T>
std::string CopyColorsFromGpu(const SoftShadeInputs<T>& inputs,
                              const GpuContext& context,
                              std::vector<T>* attributes,
                              std::vector<T>* background) {
  GpuCall call(context);
  attributes->resize(inputs.num_attributes());
  background->resize(inputs.num_background());
  call.CopyToHost(attributes->data(), inputs.attributes,
                  inputs.num_attributes());
  call.CopyToHost(background->data(), inputs.background,
                  inputs.num_background());
  call.Wait();
  return call.error();
}

#define TF_SOFTRAS_INSTANTIATE(T)                                             \
  template std::string CheckMeshGpu<T>(const SoftRasterizeInputs<T>&,         \
                                       const GpuContext&, bool*);             \
  template std::string CopyMeshFromGpu<T>(const SoftRasterizeInputs<T>&,      \
                                          const GpuContext&, std::vector<T>*, \
                                          std::vector<int32_t>*);             \
  template std::string CheckShadeInputsGpu<T>(const SoftShadeInputs<T>&,      \
                                              const GpuContext&, bool*);      \
  template std::string CopyColorsFromGpu<T>(const SoftShadeInputs<T>&,        \
                                            const GpuContext&,                \
                                            std::vector<T>*, std::vector<T>*)
TF_SOFTRAS_INSTANTIATE(float);
TF_SOFTRAS_INSTANTIATE(double);
#undef TF_SOFTRAS_INSTANTIATE

}  // namespace tf_softras
