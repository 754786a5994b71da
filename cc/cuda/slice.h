// The items of a batch that are on the device at once, and how their work is
// divided.
#ifndef TF_SOFTRAS_CC_CUDA_SLICE_H_
#define TF_SOFTRAS_CC_CUDA_SLICE_H_

#include <cstdint>

#include "cc/cuda/launch.h"
#include "cc/geometry/image_plane.h"
#include "cc/raster/inputs.h"
#include "cc/raster/mesh_item.h"

namespace tf_softras {

// A slice of the batch. Scratch is allocated for one slice, so it does not grow
// with the batch.
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

template <typename T>
Slice<T> MakeSlice(const RasterizeInputs<T>& inputs, int64_t first_item,
                   int64_t num_items, double radius) {
  Slice<T> slice;
  slice.first = MakeMeshItem(inputs, first_item, radius);
  slice.num_vertices = inputs.num_vertices;
  slice.num_faces = inputs.num_faces;
  slice.num_items = num_items;
  return slice;
}

// Returns the number of blocks that share a unit of work, if there are too few
// units to fill a device. It depends on shapes alone, so that bits are the same
// on all devices.
inline int64_t PartsThatFillADevice(int64_t units, int64_t most) {
  constexpr int64_t kUnits = 1024;
  return MaxInt(1, MinInt(most, kUnits / units));
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_SLICE_H_
