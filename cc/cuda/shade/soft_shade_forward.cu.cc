// Soft aggregation on a GPU, the image: BlendTiles (blend_tiles.h) over the
// channels.
//
//   list the faces in the cells of a pyramid of 16 x 16 tiles      tiles.h
//   a block a tile and a group of four channels, a thread a pixel:
//     start with the background's channels and weight 1
//     for 64 faces of the tile's lists at a time:
//       set them up, a thread each; pack those that reach the tile
//       for each packed face, if the pair counts (min_coverage):
//         sums <- sums * keep + weight * attributes depth_blend.h
//     divide the sums by the sum of weights
//
// Summed channels start at 0, add coverage * attributes, and are not divided.
//
// alpha is the silhouette of cc/cuda/rasterize.
#include <cstdint>

#include "cc/cuda/launch.h"
#include "cc/cuda/rasterize/soft_rasterize.h"
#include "cc/cuda/shade/blend_tiles.h"
#include "cc/cuda/shade/soft_shade.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"
#include "cc/raster/tile_pyramid.h"

namespace tf_softras {
namespace {

// The channels of an image, four at a time. Each group blends all faces again.
template <typename T>
struct ImageTarget {
  static constexpr int kCount = 4;

  int64_t groups;
  int64_t channels, blended;
  T* image;  // [items, height, width, channels]

  ImageTarget(T* image, const SoftShadeInputs<T>& inputs)
      : groups((inputs.channels + kCount - 1) / kCount),
        channels(inputs.channels),
        blended(inputs.channels - inputs.summed_channels),
        image(image) {}

  __device__ bool IsSummed(int64_t group, int i) const {
    return group * kCount + i >= blended;
  }

  __device__ void Values(int64_t group, int64_t, const T* from,
                         double (&values)[kCount]) const {
    for (int i = 0; i < kCount; ++i) {
      const int64_t channel = group * kCount + i;
      values[i] = channel < channels ? static_cast<double>(from[channel]) : 0.0;
    }
  }

  __device__ void Write(int64_t group, int64_t pixel,
                        const BlendSums<double, kCount>& sums) const {
    const double inverse = 1.0 / sums.total;
    for (int i = 0; i < kCount; ++i) {
      const int64_t channel = group * kCount + i;
      if (channel >= channels) break;
      image[pixel * channels + channel] =
          static_cast<T>(sums.sums[i] * (channel < blended ? inverse : 1.0));
    }
  }
};

template <typename T>
std::string SoftShadeForwardGpu(const SoftShadeInputs<T>& inputs, T* image,
                                const GpuContext& context) {
  GpuCall call(context);
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const TilePyramid pyramid(mesh.height, mesh.width, kTile);
  const double radius = ShadeRadius(inputs);
  const int64_t values = mesh.height * mesh.width * inputs.channels;
  const int64_t slice = ShadedItemsPerSlice(inputs, pyramid, context);
  for (int64_t first = 0; first < mesh.batch && call.ok(); first += slice) {
    call.ReuseScratch();
    Blend(call,
          MakeShadedSlice(inputs, first, MinInt(slice, mesh.batch - first),
                          radius),
          pyramid, ImageTarget<T>(image + first * values, inputs));
  }
  return call.error();
}

}  // namespace

template <typename T>
std::string ShadeForwardGpu(const SoftShadeInputs<T>& inputs, bool is_hard,
                            T* image, T* alpha, T* transparency,
                            const GpuContext& context) {
  const std::string error =
      SoftRasterizeForwardGpu(inputs.mesh, alpha, transparency, context);
  if (!error.empty() || inputs.channels == 0) return error;
  return is_hard ? HardShadeForwardGpu(inputs, image, context)
                 : SoftShadeForwardGpu(inputs, image, context);
}

template std::string ShadeForwardGpu<float>(const SoftShadeInputs<float>&, bool,
                                            float*, float*, float*,
                                            const GpuContext&);
template std::string ShadeForwardGpu<double>(const SoftShadeInputs<double>&,
                                             bool, double*, double*, double*,
                                             const GpuContext&);

}  // namespace tf_softras
