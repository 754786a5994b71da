// Blends the faces of a tile into its pixels, and finds the nearest face of
// each pixel. All passes of the shader on the device share this.
//
// A target says which numbers are blended: any that are linear in the
// attributes of a vertex, or of the background. Forward they are channels, as
// many as a thread keeps in registers. Backward it is one number, the upstream
// gradient times the channels. A target's IsSummed(group, i) says which of its
// numbers are summed instead, by coverage alone (depth_blend.h).
#ifndef TF_SOFTRAS_CC_CUDA_SHADE_BLEND_TILES_H_
#define TF_SOFTRAS_CC_CUDA_SHADE_BLEND_TILES_H_

#include <cstdint>
#include <string>

#include "cc/cuda/launch.h"
#include "cc/cuda/lists.h"
#include "cc/cuda/shade/soft_shade.h"
#include "cc/cuda/slice.h"
#include "cc/cuda/tiles.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/interpolation.h"
#include "cc/raster/mesh_item.h"
#include "cc/raster/shaded_item.h"
#include "cc/raster/tile_pyramid.h"

namespace tf_softras {

// The faces that are set up at once, 304 bytes each: as many blocks fit in
// shared memory as registers allow.
constexpr int kShadeStage = 64;
// The most pixels of a slice.
constexpr int64_t kMostPixelsAtOnce = int64_t{1} << 21;
constexpr int kThreadsPerPixelBlock = 256;

// The items of a batch that are on the device at once.
template <typename T>
struct ShadedSlice {
  Slice<T> meshes;
  ShadedItem<T> first;

  TF_SOFTRAS_INLINE int64_t pixels_of_an_item() const {
    return first.mesh.plane.height * first.mesh.plane.width;
  }
  TF_SOFTRAS_INLINE int64_t pixels() const {
    return meshes.num_items * pixels_of_an_item();
  }

  __device__ ShadedItem<T> item(int64_t i) const {
    ShadedItem<T> item = first;
    item.mesh = meshes.item(i);
    item.attributes += i * meshes.num_vertices * item.channels;
    if (item.background_is_image) {
      item.background += i * pixels_of_an_item() * item.channels;
    }
    return item;
  }

  // The background's channels at a pixel of the slice.
  __device__ const T* Background(int64_t pixel) const {
    return first.background +
           (first.background_is_image ? pixel * first.channels : 0);
  }
};

template <typename T>
ShadedSlice<T> MakeShadedSlice(const SoftShadeInputs<T>& inputs,
                               int64_t first_item, int64_t num_items,
                               double radius) {
  ShadedSlice<T> slice;
  slice.meshes = MakeSlice(inputs.mesh, first_item, num_items, radius);
  slice.first = MakeShadedItem(inputs, first_item, radius);
  return slice;
}

// The number of items that go through at once bounds the scratch of their
// pixels and of their faces' lists.
template <typename T>
int64_t ShadedItemsPerSlice(const SoftShadeInputs<T>& inputs,
                            const TilePyramid& pyramid,
                            const GpuContext& context) {
  return MaxInt(
      1, MinInt(ItemsPerSlice(context, pyramid, inputs.mesh.num_faces),
                kMostPixelsAtOnce / (inputs.mesh.height * inputs.mesh.width)));
}

// Aligned for loads of four words at once.
struct alignas(16) StagedShadedFace {
  LocalTriangle<double> triangle;  // about the tile's middle
  EdgeShares<double> shares;
  FaceDepths<double> depths;
  int32_t vertices[3];
  uint32_t warps;  // bit i: it reaches the pixels of warp i
};

template <typename T>
TF_SOFTRAS_INLINE FaceDepths<double> DepthsOfFace(const MeshItem<T>& item,
                                                  int64_t face) {
  return MakeFaceDepths<double>(item.vertex(face, 0)[2],
                                item.vertex(face, 1)[2],
                                item.vertex(face, 2)[2], item.is_linear);
}

template <typename T>
TF_SOFTRAS_INLINE StagedShadedFace
MakeStagedShadedFace(const MeshItem<T>& item, int64_t face,
                     const LocalTriangle<double>& local, uint32_t warps) {
  const int32_t* vertices = item.faces + 3 * face;
  return {local,
          MakeEdgeShares(local),
          DepthsOfFace(item, face),
          {vertices[0], vertices[1], vertices[2]},
          warps};
}

template <typename T, typename Target>
struct BlendArguments {
  ShadedSlice<T> slice;
  TilePyramid pyramid;
  Target target;
  GpuLists lists = {};  // of the cells of each item
  int64_t parts = 1;    // blocks that share a tile's faces
  // The sums of each part, [parts, groups, items, height, width]. For parts
  // > 1.
  BlendSums<double, Target::kCount>* partial = nullptr;
};

// Adds a face to a pixel's sums.
template <typename T, typename Target>
__device__ void BlendFace(const ShadedItem<T>& item, const Target& target,
                          int64_t group, int64_t pixel,
                          const StagedShadedFace& face, double qx, double qy,
                          BlendSums<double, Target::kCount>* sums) {
  const ShadedPair<double> pair =
      Shade(item.blend, face.triangle, face.shares, face.depths, qx, qy);
  const BlendStep<double> step = Step(item.blend, sums->level, pair);
  sums->level = step.level;
  sums->total = sums->total * step.keep + step.weight;
  for (int i = 0; i < Target::kCount; ++i) {
    if (!target.IsSummed(group, i)) sums->sums[i] *= step.keep;
  }
  for (int k = 0; k < 3; ++k) {
    const double part = step.weight * pair.at.weights[k];
    const double summed_part = pair.coverage * pair.at.weights[k];
    double values[Target::kCount];
    target.Values(group, pixel,
                  item.attributes + face.vertices[k] * item.channels, values);
    for (int i = 0; i < Target::kCount; ++i) {
      sums->sums[i] +=
          (target.IsSummed(group, i) ? summed_part : part) * values[i];
    }
  }
}

// Blends the faces of tiles into their pixels. A unit is a group of the
// target's numbers and a part of a tile's faces.
template <typename T, typename Target>
__global__ void __launch_bounds__(kThreadsPerTile)
    BlendTiles(BlendArguments<T, Target> arguments, int64_t units) {
  __shared__ StagedShadedFace staged[kShadeStage];
  __shared__ int counts[kShadeStage / kThreadsPerWarp];
  const Target& target = arguments.target;
  const int warp = static_cast<int>(threadIdx.x) / kThreadsPerWarp;
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const int64_t group = unit % target.groups;
    const TileOfBlock tile(unit / target.groups, arguments.parts,
                           arguments.pyramid);
    const ShadedItem<T> item = arguments.slice.item(tile.index);
    const ImagePlane& plane = item.mesh.plane;
    const bool is_drawn = IsInside(plane, tile.row, tile.column);
    const int64_t pixel =
        (tile.index * plane.height + tile.row) * plane.width + tile.column;
    const LocalView<double> view = EmptyView<double>(plane, tile.pixels);
    const double qx = view.qx(tile.column);
    const double qy = view.qy(tile.row);

    // The first part starts with the background.
    auto sums = BlendSums<double, Target::kCount>::Empty(item.blend);
    if (is_drawn && tile.part == 0) {
      sums.total = 1.0;
      target.Values(group, pixel, arguments.slice.Background(pixel), sums.sums);
      for (int i = 0; i < Target::kCount; ++i) {
        if (target.IsSummed(group, i)) sums.sums[i] = 0.0;
      }
    }
    // Blend this block's part of the tile's faces, a stage at a time.
    tile.ForEachStage(
        arguments.pyramid, arguments.lists, arguments.parts, kShadeStage,
        [&](int64_t first, int64_t listed) {
          const int count = Stage<kShadeStage, double>(
              item.mesh, tile.pixels, arguments.lists.entries + first, listed,
              staged, counts,
              [&](int64_t face, const LocalView<double>& local,
                  uint32_t warps) {
                return MakeStagedShadedFace(item.mesh, face, local.triangle,
                                            warps);
              });
          for (int i = 0; i < count; ++i) {
            const StagedShadedFace& face = staged[i];
            if (!is_drawn || (face.warps >> warp & 1u) == 0) continue;
            const double squared =
                SignedSquaredDistance(Sample(face.triangle, qx, qy));
            if (!Counts(item.blend, squared)) continue;
            BlendFace(item, target, group, pixel, face, qx, qy, &sums);
          }
        });
    // Hand the pixel over, or keep the part.
    if (!is_drawn) continue;
    if (arguments.parts == 1) {
      target.Write(group, pixel, sums);
    } else {
      arguments.partial[(tile.part * target.groups + group) *
                            arguments.slice.pixels() +
                        pixel] = sums;
    }
  }
}

// Joins the sums of the blocks that shared a tile.
template <typename T, typename Target>
__global__ void __launch_bounds__(kThreadsPerPixelBlock)
    JoinBlendedParts(BlendArguments<T, Target> arguments, int64_t count) {
  const int64_t pixels = arguments.slice.pixels();
  for (int64_t i = FirstIndex(); i < count; i += IndexStride()) {
    auto sums = arguments.partial[i];
    for (int64_t part = 1; part < arguments.parts; ++part) {
      const auto more = arguments.partial[part * count + i];
      auto joined = JoinBlends(arguments.slice.first.blend, sums, more);
      for (int k = 0; k < Target::kCount; ++k) {
        if (arguments.target.IsSummed(i / pixels, k)) {
          joined.sums[k] = sums.sums[k] + more.sums[k];
        }
      }
      sums = joined;
    }
    arguments.target.Write(i / pixels, i % pixels, sums);
  }
}

// Blends a slice into its pixels, and calls target.Write with the sums of each.
template <typename T, typename Target>
void Blend(GpuCall& call, const ShadedSlice<T>& slice,
           const TilePyramid& pyramid, const Target& target) {
  BlendArguments<T, Target> arguments = {slice, pyramid, target};
  arguments.lists = BuildCellLists(call, slice.meshes, pyramid);
  const int64_t tiles =
      slice.meshes.num_items * pyramid.num_tiles() * target.groups;
  const int64_t stages =
      (slice.meshes.num_faces + kShadeStage - 1) / kShadeStage;
  arguments.parts =
      PartsThatFillADevice(tiles, MinInt(kMostPartsOfATile, stages));
  const int64_t pixels = slice.pixels() * target.groups;
  if (arguments.parts > 1) {
    arguments.partial = call.Allocate<BlendSums<double, Target::kCount>>(
        arguments.parts * pixels);
  }
  const int64_t units = tiles * arguments.parts;
  call.Launch("BlendTiles", BlendTiles<T, Target>, units, kThreadsPerTile,
              arguments, units);
  if (arguments.parts > 1) {
    call.LaunchPerIndex("JoinBlendedParts", JoinBlendedParts<T, Target>, pixels,
                        kThreadsPerPixelBlock, arguments, pixels);
  }
}

// Writes the nearest face at each pixel of a slice, -1 for none. It is the one
// that HardRasterize finds on the CPU.
template <typename T>
void FindNearestFaces(GpuCall& call, const ShadedSlice<T>& slice,
                      const TilePyramid& pyramid, int32_t* nearest);

// Writes the image that the nearest face alone gives.
template <typename T>
std::string HardShadeForwardGpu(const SoftShadeInputs<T>& inputs, T* image,
                                const GpuContext& context);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_SHADE_BLEND_TILES_H_
