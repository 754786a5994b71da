// Hard aggregation on a GPU: the nearest face alone colours a pixel.
//
//   list the faces in the cells of a pyramid of 16 x 16 tiles      tiles.h
//   a block a tile, a thread a pixel:
//     for 64 faces of the tile's lists at a time:
//       set them up, a thread each; pack those that cover something of the tile
//       for each packed face that covers the pixel's centre:
//         keep it if it is nearer, or as near with a lower index
//   a thread a pixel: interpolate the nearest face's attributes with
//   perspective,
//     or copy the background
#include <cstdint>
#include <limits>

#include "cc/cuda/launch.h"
#include "cc/cuda/lists.h"
#include "cc/cuda/shade/blend_tiles.h"
#include "cc/cuda/tiles.h"
#include "cc/geometry/hard_triangle.h"
#include "cc/geometry/image_plane.h"
#include "cc/raster/face_at_pixel.h"
#include "cc/raster/tile_pyramid.h"

namespace tf_softras {
namespace {

struct StagedHardFace {
  HardTriangle triangle;
  int32_t index;
  uint32_t warps;  // bit i: it reaches the pixels of warp i
};

// Sets up the faces entries[0 .. count - 1] that cover something of `tile`.
// Returns how many they are. The whole block must call this.
template <typename T>
__device__ int StageHardFaces(const MeshItem<T>& item, const PixelRect& tile,
                              const uint32_t* entries, int64_t count,
                              StagedHardFace* staged, int* counts) {
  const int thread = static_cast<int>(threadIdx.x);
  bool covers = false;
  StagedHardFace face;
  if (thread < kShadeStage && thread < count) {
    const int64_t index = entries[thread];
    const PixelRect rect = Intersect(item.Reach(index), tile);
    if (!rect.empty()) {
      face.triangle =
          HardTriangle(VertexOf(item, index, 0), VertexOf(item, index, 1),
                       VertexOf(item, index, 2));
      covers =
          face.triangle.SetUp(static_cast<double>(item.near), item.is_linear);
      face.index = static_cast<int32_t>(index);
      face.warps = WarpsThatSee(rect, tile);
    }
  }
  return PackStage<kShadeStage>(covers, face, staged, counts);
}

// A pixel's nearest face so far.
template <typename T>
struct NearestFace {
  int32_t index = -1;
  T depth = T(0);

  // Depths are compared in T. If faces are equally near the lower index stays.
  // The index is compared, because the lists of a tile's levels are not in the
  // order of the faces.
  __device__ void Offer(int32_t face, T face_depth) {
    if (index < 0 || face_depth < depth ||
        (face_depth == depth && face < index)) {
      index = face;
      depth = face_depth;
    }
  }
};

template <typename T>
struct NearestArguments {
  ShadedSlice<T> slice;
  TilePyramid pyramid;
  GpuLists lists;    // of the cells of each item
  int32_t* nearest;  // [items, height, width]
};

template <typename T>
__global__ void __launch_bounds__(kThreadsPerTile)
    NearestFaces(NearestArguments<T> arguments, int64_t units) {
  __shared__ StagedHardFace staged[kShadeStage];
  __shared__ int counts[kShadeStage / kThreadsPerWarp];
  const int warp = static_cast<int>(threadIdx.x) / kThreadsPerWarp;
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const TileOfBlock tile(unit, 1, arguments.pyramid);
    const MeshItem<T> item = arguments.slice.meshes.item(tile.index);
    const double x = item.plane.x(static_cast<double>(tile.column));
    const double y = item.plane.y(static_cast<double>(tile.row));
    NearestFace<T> nearest;
    tile.ForEachStage(arguments.pyramid, arguments.lists, 1, kShadeStage,
                      [&](int64_t first, int64_t listed) {
                        const int count = StageHardFaces(
                            item, tile.pixels, arguments.lists.entries + first,
                            listed, staged, counts);
                        for (int i = 0; i < count; ++i) {
                          if ((staged[i].warps >> warp & 1u) == 0) continue;
                          double depth;
                          if (!staged[i].triangle.DepthAt(x, y, &depth))
                            continue;
                          nearest.Offer(staged[i].index, static_cast<T>(depth));
                        }
                      });
    if (!IsInside(item.plane, tile.row, tile.column)) continue;
    arguments.nearest[(tile.index * item.plane.height + tile.row) *
                          item.plane.width +
                      tile.column] = nearest.index;
  }
}

// Colours the pixels, a thread each.
template <typename T>
__global__ void __launch_bounds__(kThreadsPerPixelBlock)
    ShadeNearestFaces(ShadedSlice<T> slice, const int32_t* nearest, T* image,
                      int64_t pixels) {
  const int64_t channels = slice.first.channels;
  for (int64_t pixel = FirstIndex(); pixel < pixels; pixel += IndexStride()) {
    T* out = image + pixel * channels;
    const int64_t face = nearest[pixel];
    if (face < 0) {
      const T* background = slice.Background(pixel);
      for (int64_t c = 0; c < channels; ++c) out[c] = background[c];
      continue;
    }
    const int64_t own = pixel % slice.pixels_of_an_item();
    const ShadedItem<T> item = slice.item(pixel / slice.pixels_of_an_item());
    const int64_t width = item.mesh.plane.width;
    const FaceAtPixel seen(item.mesh, face, own / width, own % width);
    const int32_t* vertices = item.mesh.faces + 3 * face;
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 0.0;
      for (int k = 0; k < 3; ++k) {
        sum += seen.at.weights[k] *
               static_cast<double>(item.attributes[vertices[k] * channels + c]);
      }
      out[c] = static_cast<T>(sum);
    }
  }
}

}  // namespace

template <typename T>
void FindNearestFaces(GpuCall& call, const ShadedSlice<T>& slice,
                      const TilePyramid& pyramid, int32_t* nearest) {
  const NearestArguments<T> arguments = {
      slice, pyramid, BuildCellLists(call, slice.meshes, pyramid), nearest};
  const int64_t units = slice.meshes.num_items * pyramid.num_tiles();
  call.Launch("NearestFaces", NearestFaces<T>, units, kThreadsPerTile,
              arguments, units);
}

template <typename T>
std::string HardShadeForwardGpu(const SoftShadeInputs<T>& inputs, T* image,
                                const GpuContext& context) {
  GpuCall call(context);
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const TilePyramid pyramid(mesh.height, mesh.width, kTile);
  const int64_t pixels = mesh.height * mesh.width;
  const int64_t slice = ShadedItemsPerSlice(inputs, pyramid, context);
  for (int64_t first = 0; first < mesh.batch && call.ok(); first += slice) {
    call.ReuseScratch();
    const int64_t items = MinInt(slice, mesh.batch - first);
    const ShadedSlice<T> shaded = MakeShadedSlice(inputs, first, items, 0.0);
    int32_t* nearest = call.Allocate<int32_t>(items * pixels);
    FindNearestFaces(call, shaded, pyramid, nearest);
    call.LaunchPerIndex("ShadeNearestFaces", ShadeNearestFaces<T>,
                        items * pixels, kThreadsPerPixelBlock, shaded, nearest,
                        image + first * pixels * inputs.channels,
                        items * pixels);
  }
  return call.error();
}

#define TF_SOFTRAS_INSTANTIATE(T)                                            \
  template void FindNearestFaces<T>(GpuCall&, const ShadedSlice<T>&,         \
                                    const TilePyramid&, int32_t*);           \
  template std::string HardShadeForwardGpu<T>(const SoftShadeInputs<T>&, T*, \
                                              const GpuContext&);
TF_SOFTRAS_INSTANTIATE(float)
TF_SOFTRAS_INSTANTIATE(double)
#undef TF_SOFTRAS_INSTANTIATE

}  // namespace tf_softras
