// The inputs of the rasterisers and of the shader, on any device.
//
// Arrays are row-major, already checked, and valid for the call. The structs
// are no aggregates: callers fill them field by field, so that no two sizes can
// trade places.
#ifndef TF_SOFTRAS_CC_RASTER_INPUTS_H_
#define TF_SOFTRAS_CC_RASTER_INPUTS_H_

#include <cstdint>

namespace tf_softras {

// A batch of meshes that share their faces, and the size of their images.
template <typename T>
struct RasterizeInputs {
  // [batch, num_vertices, 3]: x and y on the image plane, camera depth z;
  // finite
  const T* vertices = nullptr;
  // [num_faces, 3], each index in [0, num_vertices)
  const int32_t* faces = nullptr;
  int64_t batch = 0;
  int64_t num_vertices = 0;
  int64_t num_faces = 0;
  int64_t height = 0;
  int64_t width = 0;
  // A face with a vertex at z <= near is left out.
  T near = T(0);
  // Whether depths and attributes, not 1/z, are linear over a face on the image
  // plane: parallel projection. Silhouettes do not depend on it.
  bool is_linear = false;

  RasterizeInputs() {}

  int64_t num_pixels() const { return batch * height * width; }
};

template <typename T>
struct SoftRasterizeInputs : RasterizeInputs<T> {
  T sigma = T(0);  // positive and finite

  SoftRasterizeInputs() {}
};

template <typename T>
struct SoftShadeInputs {
  SoftRasterizeInputs<T> mesh;       // near is not negative
  const T* attributes = nullptr;     // [batch, num_vertices, channels]
  const T* background = nullptr;     // [channels], or one for each pixel:
  bool background_is_image = false;  // [batch, height, width, channels]
  int64_t channels = 0;
  // The last of them are not blended but added: sum_j D_j C_j over the faces
  // that count, whatever their depth. 0 with hard aggregation.
  int64_t summed_channels = 0;
  T gamma = T(0);  // positive and finite
  double far = 0;  // above near
  double epsilon = 0;
  double min_coverage = 0;  // in (0, 1/2]

  SoftShadeInputs() {}

  int64_t num_attributes() const {
    return mesh.batch * mesh.num_vertices * channels;
  }
  int64_t num_background() const {
    return (background_is_image ? mesh.num_pixels() : 1) * channels;
  }
};

// Further inputs of the shader's backward passes: results of the forward pass,
// and the upstream gradients of image and alpha.
template <typename T>
struct SoftShadeUpstream {
  const T* transparency = nullptr;    // [batch, height, width]
  const T* image = nullptr;           // [batch, height, width, channels]
  const T* state = nullptr;           // null where the pass kept none
  const T* image_gradient = nullptr;  // of the shape of image
  const T* alpha_gradient = nullptr;  // [batch, height, width]

  SoftShadeUpstream() {}
};

// Each gradient has the shape of its input.
template <typename T>
struct SoftShadeGradients {
  T* vertices;
  T* attributes;
  T* background;
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_RASTER_INPUTS_H_
