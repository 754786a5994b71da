// The shader's backward passes begin here: they read a tile's upstream gradient
// and compute each pixel's mean, which the gradient compares its faces with.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_PIXEL_MEANS_H_
#define TF_SOFTRAS_CC_CPU_SHADE_PIXEL_MEANS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cc/cpu/lanes.h"
#include "cc/cpu/shade/found_parts.h"
#include "cc/cpu/shade/image_visitor.h"
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
    for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
      for (int64_t column = tile.rect.column_begin;
           column < tile.rect.column_end; ++column) {
        const T* from = upstream + item.Pixel(row, column);
        const int64_t at = tile.offset(row, column);
        for (int64_t c = 0; c < channels; ++c) values[c * size + at] = from[c];
        any = any || std::any_of(from, from + channels,
                                 [](T value) { return value != T(0); });
      }
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

  // Visits the faces for the first time, and keeps the pairs in `found`.
  template <typename T>
  TF_SOFTRAS_INLINE PixelMeans(const ShadedItem<T>& item,
                               const ShadedTile& tile,
                               const UpstreamPlanes& upstream,
                               FoundParts& found)
      : blend(item.blend), inverse_total(tile.size()), mean(tile.size()) {
    ImageVisitor<T, false> image(item, tile);
    if (upstream.any) {
      FindingVisitor<ImageVisitor<T, false>> visitor = {image, found};
      VisitTile(item, tile, visitor);
    }
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
