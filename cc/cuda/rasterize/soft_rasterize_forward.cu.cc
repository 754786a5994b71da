// The soft silhouette on a GPU.
//
//   list the faces in the cells of a pyramid of 16 x 16 tiles      tiles.h
//   a block a tile, a thread a pixel:
//     for 128 faces of the tile's lists at a time:
//       set them up, a thread each; pack those that reach the tile
//       for each packed face: skip it if no pixel of this warp sees it, else
//         excess <- (1 + excess) (1 + e^x) - 1                     coverage.h
//     write S and 1 - S
//
// Sums are kept in T for a stage of 128 faces, then joined to double ones.
// If there are few tiles, several blocks share the faces of one tile, and a
// second kernel joins their sums in order.
#include <cmath>

#include "cc/cuda/launch.h"
#include "cc/cuda/lists.h"
#include "cc/cuda/rasterize/soft_rasterize.h"
#include "cc/cuda/slice.h"
#include "cc/cuda/tiles.h"
#include "cc/geometry/coverage.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/local_view.h"
#include "cc/raster/mesh_item.h"
#include "cc/raster/tile_pyramid.h"

namespace tf_softras {
namespace {

// The faces that are set up at once, a thread each. Float sums are joined to
// double ones after as many, which bounds the rounding: n 2^-24 / 4 = 2e-6 of
// S (1 - S) at worst.
constexpr int kStage = 128;

// Aligned for loads of four words at once.
template <typename T>
struct alignas(16) StagedFace {
  LocalTriangle<T> triangle;  // about the tile's middle
  uint32_t warps;             // bit i: it reaches the pixels of warp i
};

template <typename T>
struct RenderArguments {
  Slice<T> slice;
  TilePyramid pyramid;
  GpuLists lists = {};  // of the cells of each item
  T inverse_sigma = T(0);
  int64_t parts = 1;  // blocks that share a tile's faces
  T* silhouette = nullptr;
  T* transparency = nullptr;
  // The excess of each part, [parts, items, height, width]. For parts > 1.
  double* partial = nullptr;
};

template <typename T>
TF_SOFTRAS_INLINE void WritePixel(const RenderArguments<T>& arguments,
                                  int64_t pixel, double excess) {
  arguments.silhouette[pixel] = static_cast<T>(SilhouetteFromExcess(excess));
  arguments.transparency[pixel] =
      static_cast<T>(TransparencyFromExcess(excess));
}

template <typename T>
__global__ void __launch_bounds__(kThreadsPerTile)
    RenderTiles(RenderArguments<T> arguments, int64_t units) {
  __shared__ StagedFace<T> staged[kStage];
  __shared__ int counts[kStage / kThreadsPerWarp];
  const TilePyramid& pyramid = arguments.pyramid;
  const int warp = static_cast<int>(threadIdx.x) / kThreadsPerWarp;
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const TileOfBlock tile(unit, arguments.parts, pyramid);
    const MeshItem<T> item = arguments.slice.item(tile.index);
    const LocalView<T> view = EmptyView<T>(item.plane, tile.pixels);
    const T qx = view.qx(tile.column);
    const T qy = view.qy(tile.row);

    // Sum this block's part of the tile's faces.
    double excess = 0.0;
    tile.ForEachStage(
        pyramid, arguments.lists, arguments.parts, kStage,
        [&](int64_t first, int64_t listed) {
          const int count = Stage<kStage, T>(
              item, tile.pixels, arguments.lists.entries + first, listed,
              staged, counts,
              [](int64_t, const LocalView<T>& face, uint32_t warps) {
                return StagedFace<T>{face.triangle, warps};
              });
          T stretch = T(0);
          for (int i = 0; i < count; ++i) {
            if ((staged[i].warps >> warp & 1u) == 0) continue;
            const T odds =
                Odds(SignedSquaredDistance(Sample(staged[i].triangle, qx, qy)),
                     arguments.inverse_sigma);
            stretch = Aggregate(stretch, odds);
          }
          excess = JoinExcess(excess, static_cast<double>(stretch));
        });
    // Write the pixel, or keep the part.
    if (!IsInside(item.plane, tile.row, tile.column)) continue;
    const int64_t pixel =
        (tile.index * item.plane.height + tile.row) * item.plane.width +
        tile.column;
    if (arguments.parts == 1) {
      WritePixel(arguments, pixel, excess);
    } else {
      const int64_t count =
          arguments.slice.num_items * item.plane.height * item.plane.width;
      arguments.partial[tile.part * count + pixel] = excess;
    }
  }
}

// Joins the sums of the blocks that shared a tile.
template <typename T>
__global__ void __launch_bounds__(kThreadsPerTile)
    JoinParts(RenderArguments<T> arguments, int64_t count) {
  for (int64_t pixel = FirstIndex(); pixel < count; pixel += IndexStride()) {
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
  arguments.lists = BuildCellLists(call, slice, pyramid);
  const int64_t stages = (slice.num_faces + kStage - 1) / kStage;
  arguments.parts =
      PartsThatFillADevice(tiles, MinInt(kMostPartsOfATile, stages));
  if (arguments.parts > 1) {
    arguments.partial = call.Allocate<double>(arguments.parts * pixels);
  }
  const int64_t units = tiles * arguments.parts;
  call.Launch("RenderTiles", RenderTiles<T>, units, kThreadsPerTile, arguments,
              units);
  if (arguments.parts > 1) {
    call.LaunchPerIndex("JoinParts", JoinParts<T>, pixels, kThreadsPerTile,
                        arguments, pixels);
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
  const int64_t slice = ItemsPerSlice(context, pyramid, inputs.num_faces);
  for (int64_t first = 0; first < inputs.batch && call.ok(); first += slice) {
    call.ReuseScratch();
    const int64_t items = MinInt(slice, inputs.batch - first);
    RenderArguments<T> arguments = {MakeSlice(inputs, first, items, radius),
                                    pyramid};
    arguments.inverse_sigma = InverseSigma(inputs.sigma);
    arguments.silhouette = silhouette + first * pixels;
    arguments.transparency = transparency + first * pixels;
    RenderSlice(call, arguments);
  }
  return call.error();
}

template std::string SoftRasterizeForwardGpu<float>(
    const SoftRasterizeInputs<float>&, float*, float*, const GpuContext&);
template std::string SoftRasterizeForwardGpu<double>(
    const SoftRasterizeInputs<double>&, double*, double*, const GpuContext&);

}  // namespace tf_softras
