// The items of a batch that are on the device at once, and how work is spread.
#ifndef TF_SOFTRAS_CC_CUDA_SLICE_H_
#define TF_SOFTRAS_CC_CUDA_SLICE_H_

#include <cstdint>

#include "cc/cuda/launch.h"
#include "cc/geometry/image_plane.h"
#include "cc/raster/mesh_item.h"

namespace tf_softras {

// Scratch is for one slice of the batch: it does not grow with the batch.
template <typename T>
struct Slice {
  MeshItem<T> first;
  int64_t num_vertices;
  int64_t num_faces;
  int64_t num_items;

  __device__ MeshItem<T> item(int64_t i) const {
    MeshItem<T> item = first;
    item.vertices += i * num_vertices * 3;
    return item;
  }
};

// A unit of work is shared by this many blocks where there are too few units to
// fill a device. By shapes alone, so that the bits are the same on all devices.
inline int64_t PartsThatFillADevice(int64_t units, int64_t most) {
  constexpr int64_t kUnits = 1024;
  return MaxInt(1, MinInt(most, kUnits / units));
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_SLICE_H_
