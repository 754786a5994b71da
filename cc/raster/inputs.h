// What the rasterisers and the shader read, on any device. The arrays are
// already checked, row-major and valid for the call.
#ifndef TF_SOFTRAS_CC_RASTER_INPUTS_H_
#define TF_SOFTRAS_CC_RASTER_INPUTS_H_

#include <cstdint>

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
  // Whether depths and attributes, not 1/z, are linear over a face on the image
  // plane: parallel projection. Silhouettes do not depend on it.
  bool is_linear = false;
};

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
  bool is_linear = false;  // whether z, not 1/z, is linear on the image plane
};

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

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_RASTER_INPUTS_H_
