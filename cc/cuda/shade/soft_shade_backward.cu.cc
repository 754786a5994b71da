// The gradient of the shader on a GPU.
//
//   soft: blend each tile again (blend_tiles.h): each pixel's nearest level,
//   sum
//     of weights, and the mean of upstream times attributes
//   hard: find each pixel's nearest face (hard_shade.cu.cc)
//   a warp a small face, a block (or several) a large one          face_sums.h
//     for each patch of its pixels, a pixel a lane, if the pair counts:
//       sum d/d(x, y, z) and d/d(four channels) of its corners depth_blend.h
//   a warp a vertex: add up the corners that meet there            lists.h
//   the background: weight times upstream, a thread a pixel or summed by blocks
//
// cc/cpu/shade/soft_shade_backward.cc says why blending is repeated, in double.
#include <cstdint>

#include "cc/cuda/face_sums.h"
#include "cc/cuda/launch.h"
#include "cc/cuda/rasterize/soft_rasterize.h"
#include "cc/cuda/shade/blend_tiles.h"
#include "cc/cuda/shade/soft_shade.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/interpolation.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/face_at_pixel.h"
#include "cc/raster/local_view.h"
#include "cc/raster/saturate.h"
#include "cc/raster/tile_pyramid.h"

namespace tf_softras {
namespace {

// The channels whose gradients a thread keeps in registers. If there are more,
// each group of them visits all pairs again.
constexpr int kChannelGroup = 4;
// The terms of a face: x, y, z of three corners, then their channels of a
// group; padded to a multiple of the eight that SumOverWarp takes.
constexpr int kPositions = 9;
constexpr int kFaceTerms = kPositions + 3 * kChannelGroup;
constexpr int kTerms = (kFaceTerms + 7) / 8 * 8;
// The pixels of an item that a block sums for a background [channels].
constexpr int64_t kPixelsPerBackgroundSum = 4096;

// The values that a pixel's weights are computed from.
struct PixelBlend {
  double level;          // the nearest one
  double inverse_total;  // of the weights
  double mean;           // the image times the upstream gradient
};

// The upstream gradient times an attribute, summed over the channels [first,
// last).
template <typename T>
TF_SOFTRAS_INLINE double TimesUpstream(const T* upstream, const T* values,
                                       int64_t first, int64_t last) {
  double sum = 0.0;
  for (int64_t c = first; c < last; ++c) {
    sum += static_cast<double>(upstream[c]) * static_cast<double>(values[c]);
  }
  return sum;
}

// Makes Blend write a PixelBlend for each pixel, of the blended channels.
template <typename T>
struct MeanTarget {
  static constexpr int kCount = 1;

  int64_t groups;
  int64_t channels, blended;
  const T* upstream;  // [items, height, width, channels]
  PixelBlend* pixels;

  __device__ bool IsSummed(int64_t, int) const { return false; }
  __device__ void Values(int64_t, int64_t pixel, const T* from,
                         double (&values)[kCount]) const {
    values[0] = TimesUpstream(upstream + pixel * channels, from, 0, blended);
  }
  __device__ void Write(int64_t, int64_t pixel,
                        const BlendSums<double, kCount>& sums) const {
    const double inverse = 1.0 / sums.total;
    pixels[pixel] = {sums.level, inverse, sums.sums[0] * inverse};
  }
};

// The gradient through one pair.
struct PairTerms {
  PairGradient<double> corners;
  // The shares of corner k's attributes in the pixel, blended and summed.
  double weights[3], summed_weights[3];
};

// The pairs of a face and the pixels of a patch with soft aggregation: all that
// count.
struct BlendedPairs {
  const PixelBlend* pixels;

  // A face as the pixels of a patch see it.
  struct Face {
    LocalView<double> view;
    EdgeShares<double> shares;
    FaceDepths<double> depths;
  };

  // Returns false if the face reaches none of them. The whole warp must call
  // this.
  template <typename T>
  __device__ bool See(const MeshItem<T>& item, int64_t face,
                      const Triangle& triangle, const PixelRect& patch,
                      LocalTriangle<double>* shared, Face* seen) const {
    seen->view = MakeViewByWarp(triangle, item.plane, patch, shared);
    seen->shares = MakeEdgeShares(seen->view.triangle);
    seen->depths = DepthsOfFace(item, face);
    return !OutOfReach(seen->view, patch, item.radius);
  }

  // Returns false if the pixel has no part in the face's gradient. values(k) is
  // the upstream gradient there times corner k's attributes, summed_values(k)
  // the same of the summed channels.
  template <typename T, typename Values, typename SummedValues>
  __device__ bool Gradient(const ShadedItem<T>& item, int64_t, const Face& face,
                           int64_t pixel, int64_t row, int64_t column,
                           const Values& values,
                           const SummedValues& summed_values,
                           PairTerms* terms) const {
    const DepthBlend<double>& blend = item.blend;
    const double qx = face.view.qx(column);
    const double qy = face.view.qy(row);
    const LocalTriangle<double>& triangle = face.view.triangle;
    if (!Counts(blend, SignedSquaredDistance(Sample(triangle, qx, qy)))) {
      return false;
    }
    const ShadedPair<double> pair =
        Shade(blend, triangle, face.shares, face.depths, qx, qy);
    const PixelBlend own = pixels[pixel];
    // By rounding, it may be nearer here than when it was blended.
    const double behind = Max(own.level - pair.level, 0.0);
    const double weight =
        pair.coverage * blend.Falloff(behind) * own.inverse_total;
    const double corner_values[3] = {values(0), values(1), values(2)};
    PairLoss<double> loss = BlendedLoss(pair, weight, corner_values, own.mean);
    if (item.blended < item.channels) {
      const double corner_sums[3] = {summed_values(0), summed_values(1),
                                     summed_values(2)};
      AddSummedLoss(pair, corner_sums, &loss);
    }
    terms->corners = GradientOfPair(blend, triangle, face.shares, face.depths,
                                    pair, qx, qy, loss);
    for (int k = 0; k < 3; ++k) {
      terms->weights[k] = weight * pair.at.weights[k];
      terms->summed_weights[k] = pair.coverage * pair.at.weights[k];
    }
    return true;
  }

  __device__ double BackgroundWeight(const DepthBlend<double>& blend,
                                     int64_t pixel) const {
    return blend.Falloff(pixels[pixel].level - blend.background_level) *
           pixels[pixel].inverse_total;
  }
};

// The pairs with hard aggregation: a pixel and its nearest face.
struct NearestPairs {
  const int32_t* nearest;

  struct Face {};

  template <typename T>
  __device__ bool See(const MeshItem<T>&, int64_t, const Triangle&,
                      const PixelRect&, LocalTriangle<double>*, Face*) const {
    return true;
  }

  template <typename T, typename Values, typename SummedValues>
  __device__ bool Gradient(const ShadedItem<T>& item, int64_t index,
                           const Face&, int64_t pixel, int64_t row,
                           int64_t column, const Values& values,
                           const SummedValues&, PairTerms* terms) const {
    if (nearest[pixel] != index) return false;
    const double corner_values[3] = {values(0), values(1), values(2)};
    const FaceAtPixel seen(item.mesh, index, row, column);
    terms->corners = GradientAtPixel(seen, corner_values);
    for (int k = 0; k < 3; ++k) {
      terms->weights[k] = seen.at.weights[k];
      terms->summed_weights[k] = 0.0;
    }
    return true;
  }

  __device__ double BackgroundWeight(const DepthBlend<double>&,
                                     int64_t pixel) const {
    return nearest[pixel] < 0 ? 1.0 : 0.0;
  }
};

template <typename T, typename Pairs>
struct GradientArguments {
  ShadedSlice<T> slice;
  Pairs pairs;
  const T* upstream;  // [items, height, width, channels]
  int64_t groups;     // of channels
  int64_t patch_side;
  int64_t parts;
  double* corners;  // [parts, items, faces, 3, 3 + channels]
};

// Adds a pair's gradient to this lane's totals.
template <typename T>
TF_SOFTRAS_INLINE void AddPair(const PairTerms& terms, const T* upstream,
                               int64_t first_channel, int64_t channels,
                               int64_t blended, double* totals) {
  for (int k = 0; k < 3; ++k) {
    totals[3 * k] += terms.corners.x[k];
    totals[3 * k + 1] += terms.corners.y[k];
    totals[3 * k + 2] += terms.corners.z[k];
  }
  for (int c = 0; c < kChannelGroup; ++c) {
    const int64_t channel = first_channel + c;
    const double g =
        channel < channels ? static_cast<double>(upstream[channel]) : 0.0;
    for (int k = 0; k < 3; ++k) {
      totals[kPositions + k * kChannelGroup + c] +=
          (channel < blended ? terms.weights[k] : terms.summed_weights[k]) * g;
    }
  }
}

// Adds this lane's pixels of the patches first, first + stride, ... of a face
// to its totals. The whole warp must call this.
template <typename T, typename Pairs>
__device__ void AddShadedPatches(const GradientArguments<T, Pairs>& arguments,
                                 int64_t group, int64_t index, int64_t face,
                                 const Triangle& triangle,
                                 const Patches& patches, int64_t first,
                                 int64_t stride, LocalTriangle<double>* shared,
                                 double* totals) {
  const ShadedItem<T> item = arguments.slice.item(index);
  const int64_t channels = item.channels;
  const int32_t* vertices = item.mesh.faces + 3 * face;
  for (int64_t i = first; i < patches.count; i += stride) {
    const PixelRect patch = patches[i];
    typename Pairs::Face seen;
    if (!arguments.pairs.See(item.mesh, face, triangle, patch, shared, &seen)) {
      continue;
    }
    ForEachPixelOfLane(patch, [&](int64_t row, int64_t column) {
      const int64_t pixel = index * arguments.slice.pixels_of_an_item() +
                            row * item.mesh.plane.width + column;
      const T* upstream = arguments.upstream + pixel * channels;
      const auto values = [&](int k) {
        return TimesUpstream(upstream, item.attributes + vertices[k] * channels,
                             0, item.blended);
      };
      const auto summed_values = [&](int k) {
        return TimesUpstream(upstream, item.attributes + vertices[k] * channels,
                             item.blended, channels);
      };
      PairTerms terms;
      if (!arguments.pairs.Gradient(item, face, seen, pixel, row, column,
                                    values, summed_values, &terms)) {
        return;
      }
      AddPair(terms, upstream, group * kChannelGroup, channels, item.blended,
              totals);
    });
  }
}

// Returns where a face's term lies among the values [3, 3 + channels] of its
// corners. -1: the term is dropped, because another group has the positions or
// there are fewer channels.
TF_SOFTRAS_INLINE int64_t PlaceOfTerm(int term, int64_t group,
                                      int64_t channels) {
  if (term < kPositions) {
    return group == 0 ? term / 3 * (3 + channels) + term % 3 : -1;
  }
  const int corner = (term - kPositions) / kChannelGroup;
  const int64_t channel =
      group * kChannelGroup + (term - kPositions) % kChannelGroup;
  return term < kFaceTerms && channel < channels
             ? corner * (3 + channels) + 3 + channel
             : -1;
}

// Writes the gradients of faces' corners. A unit is a group of channels of a
// unit of faces.
template <typename T, typename Pairs>
__global__ void __launch_bounds__(kThreadsPerFaceBlock)
    ShadedFaceGradients(GradientArguments<T, Pairs> arguments, int64_t units) {
  __shared__ FaceSumsScratch<kTerms> shared;
  __shared__ LocalTriangle<double> triangles[kWarpsPerFaceBlock];
  const int warp = static_cast<int>(threadIdx.x) / kThreadsPerWarp;
  const Slice<T>& meshes = arguments.slice.meshes;
  const int64_t channels = arguments.slice.first.channels;
  const FacesOfUnit<T> faces = {meshes, arguments.patch_side, arguments.parts};
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const int64_t group = unit % arguments.groups;
    SumOverFaces(
        faces, unit / arguments.groups, shared,
        [&](int64_t index, int64_t face, const Triangle& triangle,
            const Patches& patches, int64_t first, int64_t stride,
            double* totals) {
          AddShadedPatches(arguments, group, index, face, triangle, patches,
                           first, stride, &triangles[warp], totals);
        },
        [&](int64_t part, int64_t index, int64_t face, int term, double sum) {
          const int64_t place = PlaceOfTerm(term, group, channels);
          if (place < 0) return;
          arguments.corners[3 * (3 + channels) *
                                ((part * meshes.num_items + index) *
                                     meshes.num_faces +
                                 face) +
                            place] = sum;
        });
  }
}

// Adds to the vertices' gradients, which hold the gradient through alpha, and
// writes the attributes' gradients. A warp a vertex.
template <typename T>
__global__ void __launch_bounds__(kThreadsPerVertexBlock)
    GatherShadedVertices(CornerSums corners, int64_t num_vertices,
                         T* vertices_gradient, T* attributes_gradient) {
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  const int64_t channels = corners.values - 3;
  for (int64_t i = FirstIndex() / kThreadsPerWarp;
       i < corners.num_items * num_vertices;
       i += IndexStride() / kThreadsPerWarp) {
    for (int64_t value = 0; value < corners.values; ++value) {
      const T sum = Saturate<T>(
          corners.Gather(i / num_vertices, i % num_vertices, value));
      if (lane > 0) continue;
      if (value < 3) {
        vertices_gradient[3 * i + value] += sum;
      } else {
        attributes_gradient[i * channels + value - 3] = sum;
      }
    }
  }
}

// Writes the gradient of a background that is an image.
template <typename T, typename Pairs>
__global__ void __launch_bounds__(kThreadsPerPixelBlock)
    WriteBackgroundGradient(GradientArguments<T, Pairs> arguments, T* gradient,
                            int64_t count) {
  const ShadedItem<T>& first = arguments.slice.first;
  for (int64_t i = FirstIndex(); i < count; i += IndexStride()) {
    const bool is_blended = i % first.channels < first.blended;
    const double weight = is_blended ? arguments.pairs.BackgroundWeight(
                                           first.blend, i / first.channels)
                                     : 0.0;
    gradient[i] =
        static_cast<T>(weight * static_cast<double>(arguments.upstream[i]));
  }
}

// Returns the sum over the block's threads. The whole block must call this.
__device__ inline double SumOverBlock(double value, double* warp_sums) {
  constexpr int kWarps = kThreadsPerPixelBlock / kThreadsPerWarp;
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  for (int mask = kThreadsPerWarp / 2; mask > 0; mask /= 2) {
    value += __shfl_xor_sync(kWholeWarp, value, mask);
  }
  if (lane == 0) warp_sums[threadIdx.x / kThreadsPerWarp] = value;
  __syncthreads();
  double sum = 0.0;
  for (int w = 0; w < kWarps; ++w) sum += warp_sums[w];
  __syncthreads();
  return sum;
}

// Writes sums [items, stretches, channels] for a background [channels]. A unit
// is a stretch of an item's pixels.
template <typename T, typename Pairs>
__global__ void __launch_bounds__(kThreadsPerPixelBlock)
    SumBackgroundGradient(GradientArguments<T, Pairs> arguments,
                          int64_t stretches, double* sums, int64_t units) {
  __shared__ double warp_sums[kThreadsPerPixelBlock / kThreadsPerWarp];
  const ShadedItem<T>& first = arguments.slice.first;
  const int64_t pixels = arguments.slice.pixels_of_an_item();
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const int64_t begin = unit % stretches * kPixelsPerBackgroundSum;
    const int64_t end = MinInt(begin + kPixelsPerBackgroundSum, pixels);
    for (int64_t c = 0; c < first.channels; ++c) {
      double sum = 0.0;
      for (int64_t own = begin + threadIdx.x; own < end && c < first.blended;
           own += blockDim.x) {
        const int64_t pixel = unit / stretches * pixels + own;
        sum +=
            arguments.pairs.BackgroundWeight(first.blend, pixel) *
            static_cast<double>(arguments.upstream[pixel * first.channels + c]);
      }
      sum = SumOverBlock(sum, warp_sums);
      if (threadIdx.x == 0) sums[unit * first.channels + c] = sum;
    }
  }
}

// Adds up sums [count, channels], a block a channel.
template <typename T>
__global__ void __launch_bounds__(kThreadsPerPixelBlock)
    JoinBackgroundSums(const double* sums, int64_t count, int64_t channels,
                       T* gradient) {
  __shared__ double warp_sums[kThreadsPerPixelBlock / kThreadsPerWarp];
  for (int64_t c = blockIdx.x; c < channels; c += gridDim.x) {
    double sum = 0.0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
      sum += sums[i * channels + c];
    }
    sum = SumOverBlock(sum, warp_sums);
    if (threadIdx.x == 0) gradient[c] = Saturate<T>(sum);
  }
}

// The gradient of the image for one batch.
template <typename T>
class ImageGradient {
 public:
  ImageGradient(const SoftShadeInputs<T>& inputs, bool is_hard,
                const T* upstream, const SoftShadeGradients<T>& gradients,
                const GpuContext& context)
      : inputs_(inputs),
        is_hard_(is_hard),
        upstream_(upstream),
        gradients_(gradients),
        context_(context),
        call_(context),
        pyramid_(inputs.mesh.height, inputs.mesh.width, kTile),
        pixels_(inputs.mesh.height * inputs.mesh.width),
        stretches_((pixels_ + kPixelsPerBackgroundSum - 1) /
                   kPixelsPerBackgroundSum) {}

  std::string Run() {
    const SoftRasterizeInputs<T>& mesh = inputs_.mesh;
    vertices_ =
        BuildVertexLists(call_, mesh.faces, mesh.num_faces, mesh.num_vertices);
    const int64_t sums = mesh.batch * stretches_;
    if (!inputs_.background_is_image) {
      background_sums_ = call_.Allocate<double>(sums * inputs_.channels);
    }
    call_.KeepScratch();
    const int64_t slice = ItemsAtOnce();
    for (int64_t first = 0; first < mesh.batch && call_.ok(); first += slice) {
      call_.ReuseScratch();
      DifferentiateSlice(first, MinInt(slice, mesh.batch - first));
    }
    if (!inputs_.background_is_image) {
      call_.Launch("JoinBackgroundSums", JoinBackgroundSums<T>,
                   inputs_.channels, kThreadsPerPixelBlock, background_sums_,
                   sums, inputs_.channels, gradients_.background);
    }
    return call_.error();
  }

 private:
  // A face's corners need 3 (3 + channels) numbers. most_faces_at_once is meant
  // for 6.
  int64_t ItemsAtOnce() const {
    const int64_t faces =
        MaxInt(inputs_.mesh.num_faces, 1) * (3 + inputs_.channels);
    return MaxInt(1, MinInt(ShadedItemsPerSlice(inputs_, pyramid_, context_),
                            2 * context_.most_faces_at_once / faces));
  }

  void DifferentiateSlice(int64_t first, int64_t items) {
    const T* upstream = upstream_ + first * pixels_ * inputs_.channels;
    const ShadedSlice<T> slice = MakeShadedSlice(
        inputs_, first, items, is_hard_ ? 0.0 : ShadeRadius(inputs_));
    if (is_hard_) {
      int32_t* nearest = call_.Allocate<int32_t>(slice.pixels());
      FindNearestFaces(call_, slice, pyramid_, nearest);
      DifferentiatePairs(first, slice, upstream, NearestPairs{nearest});
    } else {
      PixelBlend* blends = call_.Allocate<PixelBlend>(slice.pixels());
      Blend(call_, slice, pyramid_,
            MeanTarget<T>{1, inputs_.channels,
                          inputs_.channels - inputs_.summed_channels, upstream,
                          blends});
      DifferentiatePairs(first, slice, upstream, BlendedPairs{blends});
    }
  }

  template <typename Pairs>
  void DifferentiatePairs(int64_t first, const ShadedSlice<T>& slice,
                          const T* upstream, const Pairs& pairs) {
    const Slice<T>& meshes = slice.meshes;
    const int64_t channels = inputs_.channels;
    const int64_t groups = (channels + kChannelGroup - 1) / kChannelGroup;
    FacesOfUnit<T> faces = {meshes, PatchSide(slice.first.mesh.plane), 1};
    faces.parts =
        PartsOfFaces(meshes, faces.patch_side, faces.count() * groups);
    GradientArguments<T, Pairs> arguments;
    arguments.slice = slice;
    arguments.pairs = pairs;
    arguments.upstream = upstream;
    arguments.groups = groups;
    arguments.patch_side = faces.patch_side;
    arguments.parts = faces.parts;
    arguments.corners = call_.Allocate<double>(
        faces.parts * meshes.num_items * meshes.num_faces * 3 * (3 + channels));
    const int64_t units = faces.count() * groups;
    call_.Launch("ShadedFaceGradients", ShadedFaceGradients<T, Pairs>, units,
                 kThreadsPerFaceBlock, arguments, units);
    CornerSums corners;
    corners.sums = arguments.corners;
    corners.parts = faces.parts;
    corners.num_items = meshes.num_items;
    corners.num_corners = 3 * meshes.num_faces;
    corners.values = 3 + channels;
    corners.vertices = vertices_;
    call_.LaunchPerIndex(
        "GatherShadedVertices", GatherShadedVertices<T>,
        meshes.num_items * meshes.num_vertices * kThreadsPerWarp,
        kThreadsPerVertexBlock, corners, meshes.num_vertices,
        gradients_.vertices + first * meshes.num_vertices * 3,
        gradients_.attributes + first * meshes.num_vertices * channels);
    DifferentiateBackground(first, arguments);
  }

  template <typename Pairs>
  void DifferentiateBackground(int64_t first,
                               const GradientArguments<T, Pairs>& arguments) {
    const int64_t channels = inputs_.channels;
    if (inputs_.background_is_image) {
      const int64_t values = arguments.slice.pixels() * channels;
      call_.LaunchPerIndex(
          "WriteBackgroundGradient", WriteBackgroundGradient<T, Pairs>, values,
          kThreadsPerPixelBlock, arguments,
          gradients_.background + first * pixels_ * channels, values);
    } else {
      const int64_t units = arguments.slice.meshes.num_items * stretches_;
      call_.Launch("SumBackgroundGradient", SumBackgroundGradient<T, Pairs>,
                   units, kThreadsPerPixelBlock, arguments, stretches_,
                   background_sums_ + first * stretches_ * channels, units);
    }
  }

  const SoftShadeInputs<T>& inputs_;
  const bool is_hard_;
  const T* upstream_;
  const SoftShadeGradients<T> gradients_;
  const GpuContext& context_;
  GpuCall call_;
  const TilePyramid pyramid_;
  const int64_t pixels_;     // of an item
  const int64_t stretches_;  // of an item's pixels
  GpuLists vertices_ = {};
  double* background_sums_ = nullptr;  // [batch, stretches, channels]
};

}  // namespace

template <typename T>
std::string ShadeBackwardGpu(const SoftShadeInputs<T>& inputs, bool is_hard,
                             const T* transparency, const T* upstream,
                             const T* alpha_upstream,
                             const SoftShadeGradients<T>& gradients,
                             const GpuContext& context) {
  const std::string error = SoftRasterizeBackwardGpu(
      inputs.mesh, transparency, alpha_upstream, gradients.vertices, context);
  if (!error.empty() || inputs.channels == 0) return error;
  return ImageGradient<T>(inputs, is_hard, upstream, gradients, context).Run();
}

#define TF_SOFTRAS_INSTANTIATE(T)                                    \
  template std::string ShadeBackwardGpu<T>(                          \
      const SoftShadeInputs<T>&, bool, const T*, const T*, const T*, \
      const SoftShadeGradients<T>&, const GpuContext&);
TF_SOFTRAS_INSTANTIATE(float)
TF_SOFTRAS_INSTANTIATE(double)
#undef TF_SOFTRAS_INSTANTIATE

}  // namespace tf_softras
