// The shader's backward passes begin here: they read a tile's upstream gradient
// and find each pixel's mean, which the gradient compares its faces with.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_PIXEL_MEANS_H_
#define TF_SOFTRAS_CC_CPU_SHADE_PIXEL_MEANS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cc/cpu/lanes.h"
#include "cc/cpu/shade/found_parts.h"
#include "cc/cpu/shade/image_visitor.h"
#include "cc/cpu/shade/shade_state.h"
#include "cc/cpu/shade/shade_tile.h"
#include "cc/geometry/depth_blend.h"
#include "cc/raster/shaded_item.h"

namespace tf_softras {

// The upstream gradient of a tile, a plane for each channel, 0 in the padding.
struct UpstreamPlanes {
  int64_t channels;
  int64_t size;
  bool any = false;
  std::vector<double> values;

  template <typename T>
  TF_SOFTRAS_INLINE UpstreamPlanes(const ShadedItem<T>& item,
                                   const ShadedTile& tile, const T* upstream)
      : channels(item.channels),
        size(tile.size()),
        values(item.channels * tile.size(), 0.0) {
    const int64_t width = tile.rect.column_end - tile.rect.column_begin;
    for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
      const T* from = upstream + item.Pixel(row, tile.rect.column_begin);
      any = any || std::any_of(from, from + width * channels,
                               [](T value) { return value != T(0); });
      double* to = values.data() + tile.offset(row, tile.rect.column_begin);
      if (channels == 3) {
        Split<3>(from, width, to);
      } else {
        Split<0>(from, width, to);
      }
    }
  }

  // Writes a row's pixels. kChannels is their number of channels where the
  // compiler should know it, or 0.
  template <int kChannels, typename T>
  TF_SOFTRAS_INLINE void Split(const T* __restrict from, int64_t width,
                               double* __restrict to) const {
    const int64_t each = kChannels > 0 ? kChannels : channels;
    for (int64_t i = 0; i < width; ++i) {
      for (int64_t c = 0; c < each; ++c) to[c * size + i] = from[i * each + c];
    }
  }

  // Reads the kLanes pixels at these places, [channels, kLanes].
  TF_SOFTRAS_INLINE void Read(const int32_t* __restrict at,
                              double* __restrict group) const {
    for (int64_t c = 0; c < channels; ++c) {
      GatherLanes(values.data() + c * size, at, group + c * kLanes);
    }
  }
};

// A number for each pixel, ShadedTile::size() of them.
struct PixelMeans {
  DepthBlend<double> blend;
  std::vector<double> level;          // the nearest one
  std::vector<double> inverse_total;  // 1 / (the sum of weights)
  std::vector<double> mean;           // sum_j w_j G_j

  // From the results of the forward pass, or without a state from the faces.
  template <typename T>
  TF_SOFTRAS_INLINE PixelMeans(const ShadedItem<T>& item,
                               const ShadedTile& tile,
                               const UpstreamPlanes& upstream,
                               const ShadedImage<T>& shaded)
      : blend(item.blend),
        level(tile.size(), item.blend.background_level),
        inverse_total(tile.size()),
        mean(tile.size()) {
    if (shaded.state == nullptr) {
      Blend(item, tile, upstream);
    } else if (item.blended == 3) {
      Read<3>(item, tile, upstream, shaded);
    } else {
      Read<0>(item, tile, upstream, shaded);
    }
  }

  // kBlended is the number of channels where the compiler should know it, or 0.
  template <int kBlended, typename T>
  TF_SOFTRAS_INLINE void Read(const ShadedItem<T>& item, const ShadedTile& tile,
                              const UpstreamPlanes& upstream,
                              const ShadedImage<T>& shaded) {
    const int64_t blended = kBlended > 0 ? kBlended : item.blended;
    for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
      for (int64_t column = tile.rect.column_begin;
           column < tile.rect.column_end; ++column) {
        const int64_t at = tile.offset(row, column);
        const T* kept = shaded.state + StateAt(item, row, column);
        const T* pixel = shaded.image + item.Pixel(row, column);
        // The background is one of the levels.
        level[at] = Max(RoundedPair<T>::Sum(kept[StateNumber::kLevel],
                                            kept[StateNumber::kLevelLost]),
                        blend.background_level);
        const double total = RoundedPair<T>::Sum(kept[StateNumber::kTotal],
                                                 kept[StateNumber::kTotalLost]);
        inverse_total[at] = total > 0.0 ? 1.0 / total : 0.0;
        double sum = 0.0;
        for (int64_t c = 0; c < blended; ++c) {
          sum +=
              upstream.values[c * tile.size() + at] *
              RoundedPair<T>::Sum(pixel[c], kept[StateNumber::kImageLost + c]);
        }
        mean[at] = sum;
      }
    }
  }

  // Blends the faces again, in double: the image has too few digits.
  template <typename T>
  TF_SOFTRAS_INLINE void Blend(const ShadedItem<T>& item,
                               const ShadedTile& tile,
                               const UpstreamPlanes& upstream) {
    ImageVisitor<T, false> image(item, tile);
    if (upstream.any) VisitTile(item, tile, image);
    level.swap(image.level);
    const int64_t width = image.layout.width;
    // Lanes without a pixel have no weight.
    for (int64_t at = 0; at < tile.no_pixel(); ++at) {
      const double* sums = image.sums.data() + at * width;
      // 0 in the padding of rows, whose upstream gradient is 0 too.
      inverse_total[at] = sums[0] > 0.0 ? 1.0 / sums[0] : 0.0;
      double sum = 0.0;
      for (int64_t c = 0; c < item.blended; ++c) {
        sum += upstream.values[c * tile.size() + at] * sums[1 + c];
      }
      mean[at] = sum * inverse_total[at];
    }
  }

  // The background's weight at kLanes pixels from `at` on.
  TF_SOFTRAS_INLINE void BackgroundWeights(int64_t at,
                                           double (&weights)[kLanes]) const {
    const DepthBlend<double> own = blend;
    const double* __restrict nearest = level.data() + at;
    const double* __restrict inverse = inverse_total.data() + at;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      weights[lane] =
          own.Falloff(nearest[lane] - own.background_level) * inverse[lane];
    }
  }
};

// The upstream gradient times the attributes of kLanes faces, a face a lane.
template <typename T>
struct UpstreamOfParts {
  const ShadedItem<T>& item;
  const UpstreamPlanes& upstream;
  std::vector<double> corners;  // their attributes, [3, channels, kLanes]
  std::vector<double> group;    // upstream of a pixel each, [channels, kLanes]

  UpstreamOfParts(const ShadedItem<T>& item, const UpstreamPlanes& upstream)
      : item(item),
        upstream(upstream),
        corners(3 * item.channels * kLanes),
        group(item.channels * kLanes) {}

  TF_SOFTRAS_INLINE void ReadCorners(const PartLanes& parts) {
    for (int lane = 0; lane < kLanes; ++lane) {
      double* corner = corners.data() + lane;
      for (int k = 0; k < 3; ++k) {
        const int64_t vertex = item.mesh.faces[3 * parts.face[lane] + k];
        const T* from = item.attributes + vertex * item.channels;
        for (int64_t c = 0; c < item.channels; ++c, corner += kLanes) {
          *corner = from[c];
        }
      }
    }
  }

  TF_SOFTRAS_INLINE void ReadPixels(const PixelGroup& pixels) {
    upstream.Read(pixels.at, group.data());
  }

  // sums[k] = the upstream gradient times corner k's attributes, summed over
  // the channels [first, last).
  TF_SOFTRAS_INLINE void TimesCorners(int64_t first, int64_t last,
                                      double (&sums)[3][kLanes]) const {
    for (int k = 0; k < 3; ++k) {
      const double* corner = corners.data() + k * item.channels * kLanes;
      LaneVector sum = {};
      for (int64_t c = first; c < last; ++c) {
        LaneVector value, g;
        std::memcpy(&value, corner + c * kLanes, sizeof value);
        std::memcpy(&g, group.data() + c * kLanes, sizeof g);
        sum += value * g;
      }
      std::memcpy(sums[k], &sum, sizeof sum);
    }
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SHADE_PIXEL_MEANS_H_
