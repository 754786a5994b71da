#include <cmath>

#include "cc/geometry/coverage.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/kernels/face_batch.h"
#include "cc/kernels/gpu_launch.h"
#include "cc/kernels/gpu_lists.h"
#include "cc/kernels/gpu_slice.h"
#include "cc/kernels/local_view.h"
#include "cc/kernels/soft_rasterize_gpu.h"
#include "cc/kernels/tile_pyramid.h"

namespace tf_softras {
namespace {

// A block draws a tile, a thread a pixel. A warp has 8 x 4 pixels.
constexpr int64_t kTile = 16;
constexpr int kThreads = kTile * kTile;
constexpr int kWarps = kThreads / kThreadsPerWarp;
constexpr int kWarpColumns = 8;
constexpr int kWarpRows = kThreadsPerWarp / kWarpColumns;
constexpr int kWarpsPerTileRow = kTile / kWarpColumns;
// Faces that are set up at once, a thread each. After as many the float sums
// are handed over to double ones, which bounds what rounding adds up to: n
// 2^-24 / 4 = 2e-6 of S (1 - S) at worst.
constexpr int kStage = 128;
constexpr int kStageWarps = kStage / kThreadsPerWarp;
// Where an image has too few tiles to fill a device, several blocks share the
// faces of one.
constexpr int64_t kMostParts = 16;
// Of all items that are on the device at once.
constexpr int64_t kCellsPerSlice = int64_t{1} << 22;

// The source of the cells' lists (gpu_lists.h): which cells a face of an item
// is listed in.
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

// Aligned for loads of four words at once.
template <typename T>
struct alignas(16) StagedFace {
  LocalTriangle<T> triangle;  // about the tile's middle
  uint32_t warps;             // bit i: it reaches the pixels of warp i
};

// The top left pixel of a warp, in its tile.
TF_SOFTRAS_INLINE int64_t WarpRow(int warp) {
  return warp / kWarpsPerTileRow * kWarpRows;
}
TF_SOFTRAS_INLINE int64_t WarpColumn(int warp) {
  return warp % kWarpsPerTileRow * kWarpColumns;
}

// The warps of `tile` that have pixels in `rect`.
TF_SOFTRAS_INLINE uint32_t WarpsThatSee(const PixelRect& rect,
                                        const PixelRect& tile) {
  uint32_t warps = 0;
  for (int warp = 0; warp < kWarps; ++warp) {
    const int64_t row = tile.row_begin + WarpRow(warp);
    const int64_t column = tile.column_begin + WarpColumn(warp);
    const bool sees =
        !Intersect(rect, {row, row + kWarpRows, column, column + kWarpColumns})
             .empty();
    warps |= static_cast<uint32_t>(sees) << warp;
  }
  return warps;
}

// Sets up the faces entries[0 .. count - 1] that reach `tile`, in their order;
// returns how many they are. For the whole block.
template <typename T>
__device__ int Stage(const Item<T>& item, const PixelRect& tile,
                     const uint32_t* entries, int64_t count,
                     StagedFace<T>* staged, int* counts) {
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % kThreadsPerWarp;
  const int warp = thread / kThreadsPerWarp;
  bool reaches = false;
  StagedFace<T> face;
  if (thread < kStage && thread < count) {
    const int64_t index = entries[thread];
    const PixelRect rect = Intersect(item.Reach(index), tile);
    if (!rect.empty()) {
      const LocalView<T> view =
          MakeLocalView<T>(item.MakeFace(index), item.plane, tile);
      reaches = !OutOfReach(view, tile, item.radius);
      face = {view.triangle, WarpsThatSee(rect, tile)};
    }
  }
  const unsigned votes = __ballot_sync(kWholeWarp, reaches);
  if (lane == 0 && warp < kStageWarps) counts[warp] = __popc(votes);
  // Also: nobody reads what was staged before.
  __syncthreads();
  int place = __popc(votes & ((1u << lane) - 1));
  int total = 0;
  for (int w = 0; w < kStageWarps; ++w) {
    if (w < warp) place += counts[w];
    total += counts[w];
  }
  if (reaches) staged[place] = face;
  __syncthreads();
  return total;
}

template <typename T>
struct RenderArguments {
  Slice<T> slice;
  TilePyramid pyramid;
  GpuLists lists;  // of the cells of each item
  T inverse_sigma;
  int64_t parts;  // blocks that share a tile's faces
  T* silhouette;
  T* transparency;
  double* partial;  // [parts, items, height, width]: excess; for parts > 1
};

template <typename T>
TF_SOFTRAS_INLINE void WritePixel(const RenderArguments<T>& arguments,
                                  int64_t pixel, double excess) {
  arguments.silhouette[pixel] = static_cast<T>(SilhouetteFromExcess(excess));
  arguments.transparency[pixel] =
      static_cast<T>(TransparencyFromExcess(excess));
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    RenderTiles(RenderArguments<T> arguments, int64_t units) {
  __shared__ StagedFace<T> staged[kStage];
  __shared__ int counts[kStageWarps];
  const TilePyramid& pyramid = arguments.pyramid;
  const int warp = static_cast<int>(threadIdx.x) / kThreadsPerWarp;
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const int64_t part = unit % arguments.parts;
    const int64_t tile = unit / arguments.parts % pyramid.num_tiles();
    const int64_t index = unit / arguments.parts / pyramid.num_tiles();
    const Item<T> item = arguments.slice.item(index);
    const int64_t tile_row = tile / pyramid.columns[0];
    const int64_t tile_column = tile % pyramid.columns[0];
    // Whole, also at the image's border: threads beyond it draw into the void.
    const PixelRect pixels = {tile_row * kTile, (tile_row + 1) * kTile,
                              tile_column * kTile, (tile_column + 1) * kTile};
    const int64_t row = pixels.row_begin + WarpRow(warp) + lane / kWarpColumns;
    const int64_t column =
        pixels.column_begin + WarpColumn(warp) + lane % kWarpColumns;
    LocalView<T> view;
    view.middle_row = MiddleRow(pixels);
    view.middle_column = MiddleColumn(pixels);
    view.step = static_cast<T>(item.plane.step());
    const T qx = view.qx(column);
    const T qy = view.qy(row);

    double excess = 0.0;
    int64_t stage = 0;
    for (int level = 0; level < pyramid.levels; ++level) {
      const int64_t list = index * pyramid.num_cells() +
                           pyramid.CellOfTile(level, tile_row, tile_column);
      const int64_t end =
          static_cast<int64_t>(arguments.lists.offsets[list + 1]);
      for (int64_t first = static_cast<int64_t>(arguments.lists.offsets[list]);
           first < end; first += kStage) {
        if (stage++ % arguments.parts != part) continue;
        const int count = Stage(item, pixels, arguments.lists.entries + first,
                                end - first, staged, counts);
        T stretch = T(0);
        for (int i = 0; i < count; ++i) {
          if ((staged[i].warps >> warp & 1u) == 0) continue;
          const T odds =
              Odds(SignedSquaredDistance(Sample(staged[i].triangle, qx, qy)),
                   arguments.inverse_sigma);
          stretch = Aggregate(stretch, odds);
        }
        excess = JoinExcess(excess, static_cast<double>(stretch));
      }
    }
    if (row >= item.plane.height || column >= item.plane.width) continue;
    const int64_t pixel =
        (index * item.plane.height + row) * item.plane.width + column;
    if (arguments.parts == 1) {
      WritePixel(arguments, pixel, excess);
    } else {
      const int64_t count =
          arguments.slice.num_items * item.plane.height * item.plane.width;
      arguments.partial[part * count + pixel] = excess;
    }
  }
}

// Joins what the blocks that shared a tile have found.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    JoinParts(RenderArguments<T> arguments, int64_t count) {
  for (int64_t pixel = FirstItem(); pixel < count; pixel += ItemStride()) {
    double excess = 0.0;
    for (int64_t part = 0; part < arguments.parts; ++part) {
      excess = JoinExcess(excess, arguments.partial[part * count + pixel]);
    }
    WritePixel(arguments, pixel, excess);
  }
}

template <typename T>
void RenderSlice(GpuCall& call, RenderArguments<T> arguments) {
  const Slice<T>& slice = arguments.slice;
  const TilePyramid& pyramid = arguments.pyramid;
  const int64_t tiles = slice.num_items * pyramid.num_tiles();
  const int64_t pixels =
      slice.num_items * slice.first.plane.height * slice.first.plane.width;
  arguments.lists = BuildLists(
      call, CellsOfFaces<T>{slice, pyramid}, slice.num_items * slice.num_faces,
      TilePyramid::kMostCellsOfAFace, slice.num_items * pyramid.num_cells());
  const int64_t stages = (slice.num_faces + kStage - 1) / kStage;
  arguments.parts = PartsThatFillADevice(tiles, MinInt(kMostParts, stages));
  if (arguments.parts > 1) {
    arguments.partial = call.Allocate<double>(arguments.parts * pixels);
  }
  const int64_t units = tiles * arguments.parts;
  call.Launch("RenderTiles", RenderTiles<T>, units, kThreads, arguments, units);
  if (arguments.parts > 1) {
    call.LaunchPerItem("JoinParts", JoinParts<T>, pixels, kThreads, arguments,
                       pixels);
  }
}

}  // namespace

template <typename T>
std::string SoftRasterizeForwardGpu(const SoftRasterizeInputs<T>& inputs,
                                    T* silhouette, T* transparency,
                                    const GpuContext& context) {
  GpuCall call(context);
  const double radius = Radius(ForwardCutoff<T>(inputs.num_faces), inputs);
  const TilePyramid pyramid(inputs.height, inputs.width, kTile);
  const int64_t pixels = inputs.height * inputs.width;
  const int64_t slice =
      MaxInt(1, MinInt(context.most_faces_at_once / MaxInt(inputs.num_faces, 1),
                       kCellsPerSlice / pyramid.num_cells()));
  for (int64_t first = 0; first < inputs.batch && call.ok(); first += slice) {
    call.ReuseScratch();
    RenderSlice<T>(call,
                   {{MakeItem(inputs, first, radius), inputs.num_vertices,
                     inputs.num_faces, MinInt(slice, inputs.batch - first)},
                    pyramid,
                    {},
                    InverseSigma(inputs.sigma),
                    1,
                    silhouette + first * pixels,
                    transparency + first * pixels,
                    nullptr});
  }
  return call.error();
}

template std::string SoftRasterizeForwardGpu<float>(
    const SoftRasterizeInputs<float>&, float*, float*, const GpuContext&);
template std::string SoftRasterizeForwardGpu<double>(
    const SoftRasterizeInputs<double>&, double*, double*, const GpuContext&);

}  // namespace tf_softras
