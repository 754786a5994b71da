// The shader's backward passes begin here: they read a tile's upstream gradient
// and compute each pixel's mean, which the gradient compares its faces with.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_MEAN_VISITOR_H_
#define TF_SOFTRAS_CC_CPU_SHADE_MEAN_VISITOR_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cc/cpu/lanes.h"
#include "cc/cpu/shade/shade_tile.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"
#include "cc/raster/local_view.h"
#include "cc/raster/shaded_item.h"

namespace tf_softras {

// The upstream gradient of a tile, a plane for each channel, 0 in the padding.
struct UpstreamPlanes {
  int64_t channels, blended;
  int64_t size;
  bool any = false;
  std::vector<double> values;

  template <typename T>
  TF_SOFTRAS_INLINE UpstreamPlanes(const ShadedItem<T>& item,
                                   const ShadedTile& tile, const T* upstream)
      : channels(item.channels),
        blended(item.blended),
        size(tile.size()),
        values(item.channels * tile.size(), 0.0) {
    for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
      for (int64_t column = tile.rect.column_begin;
           column < tile.rect.column_end; ++column) {
        const T* from = upstream + item.Pixel(row, column);
        const int64_t at = tile.offset(row, column);
        for (int64_t c = 0; c < channels; ++c) {
          values[c * size + at] = from[c];
          any |= from[c] != T(0);
        }
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

  // sums[k] = the upstream gradient of a group of pixels times corner k's
  // attributes [3, channels], summed over the channels [first, last).
  TF_SOFTRAS_INLINE void TimesCorners(const double* __restrict attributes,
                                      const double* __restrict group,
                                      int64_t first, int64_t last,
                                      double (&sums)[3][kLanes]) const {
    LaneVector corners[3] = {};
    for (int64_t c = first; c < last; ++c) {
      LaneVector g;
      std::memcpy(&g, group + c * kLanes, sizeof g);
      for (int k = 0; k < 3; ++k)
        corners[k] += attributes[k * channels + c] * g;
    }
    for (int k = 0; k < 3; ++k) {
      std::memcpy(sums[k], &corners[k], sizeof corners[k]);
    }
  }
};

// The attributes of a face's corners [3, channels], and room for the upstream
// gradient of a group of pixels [channels, kLanes].
template <typename T>
struct FaceValues {
  const ShadedItem<T>& item;
  std::vector<double> attributes, group;

  explicit FaceValues(const ShadedItem<T>& item)
      : item(item),
        attributes(3 * item.channels),
        group(item.channels * kLanes) {}

  TF_SOFTRAS_INLINE void Read(int64_t face) {
    for (int k = 0; k < 3; ++k) {
      const int64_t vertex = item.mesh.faces[3 * face + k];
      const T* from = item.attributes + vertex * item.channels;
      for (int64_t c = 0; c < item.channels; ++c) {
        attributes[k * item.channels + c] = from[c];
      }
    }
  }
};

// The first visit: blends the channels times the upstream gradient.
template <typename T>
struct MeanVisitor {
  const ShadedItem<T>& item;
  const ShadedTile& tile;
  const DepthBlend<double>& blend;
  const UpstreamPlanes& upstream;
  FaceValues<T> values;
  // Each pixel's nearest level so far, its sum of weights relative to that, and
  // the same sum of blended values.
  std::vector<double> level, total, mean;

  TF_SOFTRAS_INLINE MeanVisitor(const ShadedItem<T>& item,
                                const ShadedTile& tile,
                                const UpstreamPlanes& upstream)
      : item(item),
        tile(tile),
        blend(item.blend),
        upstream(upstream),
        values(item),
        level(tile.size(), item.blend.background_level),
        total(tile.size(), 1.0),
        mean(tile.size(), 0.0) {
    for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
      for (int64_t column = tile.rect.column_begin;
           column < tile.rect.column_end; ++column) {
        const T* background = item.Background(row, column);
        const int64_t at = tile.offset(row, column);
        for (int64_t c = 0; c < item.blended; ++c) {
          mean[at] += upstream.values[c * tile.size() + at] *
                      static_cast<double>(background[c]);
        }
      }
    }
  }

  TF_SOFTRAS_INLINE const double* levels() const { return level.data(); }

  TF_SOFTRAS_INLINE void BeginFace(const ShadedFace& face) {
    values.Read(face.index);
  }

  TF_SOFTRAS_INLINE void Pairs(const ShadedFace& face,
                               const LocalView<double>& view,
                               const PackedPixels& pixels) {
    for (int64_t first = 0; first < pixels.count; first += kLanes) {
      const PixelGroup group(pixels, first, tile, view);
      const int32_t* at = group.at;
      upstream.Read(at, values.group.data());
      double corners[3][kLanes];
      upstream.TimesCorners(values.attributes.data(), values.group.data(), 0,
                            item.blended, corners);
      double nearest[kLanes], parts[kLanes];
      GatherLanes(level.data(), at, nearest);
      GroupTerms terms;
      BlendGroup<false>(blend, face, view, group, nearest, terms);
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        parts[lane] = corners[0][lane] * terms.parts[0][lane] +
                      corners[1][lane] * terms.parts[1][lane] +
                      corners[2][lane] * terms.parts[2][lane];
      }
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const int64_t i = at[lane];
        level[i] = nearest[lane];
        total[i] = total[i] * terms.keep[lane] + terms.weight[lane];
        mean[i] = mean[i] * terms.keep[lane] + parts[lane];
      }
    }
  }

  TF_SOFTRAS_INLINE void EndFace(const ShadedFace&) {}

  // Divides the mean by the sum of weights, which then holds its inverse. Lanes
  // without a pixel then have no weight.
  TF_SOFTRAS_INLINE void Finish() {
    for (size_t at = 0; at < mean.size(); ++at) {
      total[at] = 1.0 / total[at];
      mean[at] *= total[at];
    }
    total.back() = mean.back() = 0.0;
  }

  TF_SOFTRAS_INLINE double BackgroundWeight(int64_t at) const {
    return blend.Falloff(level[at] - blend.background_level) * total[at];
  }

  // The same at kLanes pixels from `at` on.
  TF_SOFTRAS_INLINE void BackgroundWeights(int64_t at,
                                           double (&weights)[kLanes]) const {
    const DepthBlend<double> own = blend;
    const double* __restrict nearest = level.data() + at;
    const double* __restrict inverse = total.data() + at;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      weights[lane] =
          own.Falloff(nearest[lane] - own.background_level) * inverse[lane];
    }
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SHADE_MEAN_VISITOR_H_
