// Draws a tile of pixels by a block: a thread a pixel, over faces that the
// block sets up together in shared memory, a stage of them at a time.
#ifndef TF_SOFTRAS_CC_CUDA_TILES_H_
#define TF_SOFTRAS_CC_CUDA_TILES_H_

#include <cstdint>

#include "cc/cuda/launch.h"
#include "cc/cuda/lists.h"
#include "cc/cuda/slice.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/local_view.h"
#include "cc/raster/mesh_item.h"
#include "cc/raster/tile_pyramid.h"

namespace tf_softras {

// A tile has 16 x 16 pixels, a warp 8 x 4 of them.
constexpr int64_t kTile = 16;
constexpr int kThreadsPerTile = kTile * kTile;
constexpr int kWarpsPerTile = kThreadsPerTile / kThreadsPerWarp;
constexpr int kWarpColumns = 8;
constexpr int kWarpRows = kThreadsPerWarp / kWarpColumns;
constexpr int kWarpsPerTileRow = kTile / kWarpColumns;
// The most blocks that share the faces of a tile, if an image has too few tiles
// to fill a device.
constexpr int64_t kMostPartsOfATile = 16;
// The most cells of a slice.
constexpr int64_t kCellsPerSlice = int64_t{1} << 22;

// The source of the cells' lists (lists.h): the cells that a face of an item is
// listed in.
template <typename T>
struct CellsOfFaces {
  Slice<T> slice;
  TilePyramid pyramid;

  template <typename Emit>
  __device__ void ForEach(int64_t i, const Emit& emit) const {
    const int64_t index = i / slice.num_faces;
    const int64_t face = i % slice.num_faces;
    pyramid.ForEachCell(slice.item(index).Reach(face), [&](int64_t cell) {
      emit(index * pyramid.num_cells() + cell, static_cast<uint32_t>(face));
    });
  }
};

template <typename T>
GpuLists BuildCellLists(GpuCall& call, const Slice<T>& slice,
                        const TilePyramid& pyramid) {
  return BuildLists(
      call, CellsOfFaces<T>{slice, pyramid}, slice.num_items * slice.num_faces,
      TilePyramid::kMostCellsOfAFace, slice.num_items * pyramid.num_cells());
}

// The top left pixel of a warp, in its tile.
TF_SOFTRAS_INLINE int64_t WarpRow(int warp) {
  return warp / kWarpsPerTileRow * kWarpRows;
}
TF_SOFTRAS_INLINE int64_t WarpColumn(int warp) {
  return warp % kWarpsPerTileRow * kWarpColumns;
}

// The warps of `tile` that have pixels in `rect`, a bit each.
TF_SOFTRAS_INLINE uint32_t WarpsThatSee(const PixelRect& rect,
                                        const PixelRect& tile) {
  uint32_t warps = 0;
  for (int warp = 0; warp < kWarpsPerTile; ++warp) {
    const int64_t row = tile.row_begin + WarpRow(warp);
    const int64_t column = tile.column_begin + WarpColumn(warp);
    const bool sees =
        !Intersect(rect, {row, row + kWarpRows, column, column + kWarpColumns})
             .empty();
    warps |= static_cast<uint32_t>(sees) << warp;
  }
  return warps;
}

// One of the blocks that draw a tile, and the pixel of this thread.
struct TileOfBlock {
  int64_t part;   // of `parts` that share the tile's faces
  int64_t index;  // the item, of the slice
  int64_t tile_row, tile_column;
  PixelRect pixels;
  int64_t row, column;

  __device__ TileOfBlock(int64_t unit, int64_t parts,
                         const TilePyramid& pyramid) {
    const int warp = static_cast<int>(threadIdx.x) / kThreadsPerWarp;
    const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
    const int64_t tile = unit / parts % pyramid.num_tiles();
    part = unit % parts;
    index = unit / parts / pyramid.num_tiles();
    tile_row = tile / pyramid.columns[0];
    tile_column = tile % pyramid.columns[0];
    // Tiles at the image's border are whole too: threads beyond it draw
    // nothing.
    pixels = {tile_row * kTile, (tile_row + 1) * kTile, tile_column * kTile,
              (tile_column + 1) * kTile};
    row = pixels.row_begin + WarpRow(warp) + lane / kWarpColumns;
    column = pixels.column_begin + WarpColumn(warp) + lane % kWarpColumns;
  }

  // Calls visit(first, count) for runs of at most `stage` entries of the lists
  // that hold the tile's faces: those of this block's part.
  template <typename Visit>
  __device__ void ForEachStage(const TilePyramid& pyramid,
                               const GpuLists& lists, int64_t parts,
                               int64_t stage, const Visit& visit) const {
    int64_t number = 0;
    for (int level = 0; level < pyramid.levels; ++level) {
      const int64_t list = index * pyramid.num_cells() +
                           pyramid.CellOfTile(level, tile_row, tile_column);
      const int64_t end = static_cast<int64_t>(lists.offsets[list + 1]);
      for (int64_t first = static_cast<int64_t>(lists.offsets[list]);
           first < end; first += stage) {
        if (number++ % parts == part) visit(first, MinInt(stage, end - first));
      }
    }
  }
};

// Whether a pixel lies in the image, not beyond its border.
TF_SOFTRAS_INLINE bool IsInside(const ImagePlane& plane, int64_t row,
                                int64_t column) {
  return row < plane.height && column < plane.width;
}

// A view of the tile without a face: where its pixels are.
template <typename C>
TF_SOFTRAS_INLINE LocalView<C> EmptyView(const ImagePlane& plane,
                                         const PixelRect& pixels) {
  LocalView<C> view;
  view.middle_row = MiddleRow(pixels);
  view.middle_column = MiddleColumn(pixels);
  view.step = static_cast<C>(plane.step());
  return view;
}

// Packs the faces of the first kStage threads into `staged`, in the order of
// the threads, leaving out those that do not `bring` one. Returns how many they
// are. The whole block must call this.
template <int kStage, typename Face>
__device__ int PackStage(bool brings, const Face& face, Face* staged,
                         int* counts) {
  constexpr int kStageWarps = kStage / kThreadsPerWarp;
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  const int warp = static_cast<int>(threadIdx.x) / kThreadsPerWarp;
  const unsigned votes = __ballot_sync(kWholeWarp, brings);
  if (lane == 0 && warp < kStageWarps) counts[warp] = __popc(votes);
  // After this, no thread still reads the stage before.
  __syncthreads();
  int place = __popc(votes & ((1u << lane) - 1));
  int total = 0;
  for (int w = 0; w < kStageWarps; ++w) {
    if (w < warp) place += counts[w];
    total += counts[w];
  }
  if (brings) staged[place] = face;
  __syncthreads();
  return total;
}

// Sets up the faces entries[0 .. count - 1] that reach `tile` and packs them
// into `staged`. make(index, view, warps) makes one from its view about the
// tile's middle. The whole block must call this.
template <int kStage, typename C, typename T, typename Face, typename Make>
__device__ int Stage(const MeshItem<T>& item, const PixelRect& tile,
                     const uint32_t* entries, int64_t count, Face* staged,
                     int* counts, const Make& make) {
  const int thread = static_cast<int>(threadIdx.x);
  bool reaches = false;
  Face face;
  if (thread < kStage && thread < count) {
    const int64_t index = entries[thread];
    const PixelRect rect = Intersect(item.Reach(index), tile);
    if (!rect.empty()) {
      const LocalView<C> view =
          MakeLocalView<C>(item.MakeFace(index), item.plane, tile);
      reaches = !OutOfReach(view, tile, item.radius);
      face = make(index, view, WarpsThatSee(rect, tile));
    }
  }
  return PackStage<kStage>(reaches, face, staged, counts);
}

// The number of items that go through at once bounds the scratch of their
// lists.
inline int64_t ItemsPerSlice(const GpuContext& context,
                             const TilePyramid& pyramid, int64_t num_faces) {
  return MaxInt(1, MinInt(context.most_faces_at_once / MaxInt(num_faces, 1),
                          kCellsPerSlice / pyramid.num_cells()));
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_TILES_H_
