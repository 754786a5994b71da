// What the shader's backward passes begin with: the upstream gradient of a
// tile, and each pixel's mean, which the gradient compares its faces with.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_MEAN_VISITOR_H_
#define TF_SOFTRAS_CC_CPU_SHADE_MEAN_VISITOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

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

  // sums[k] = the upstream gradient times corner k's attributes, summed over
  // the channels [first, last), at the kLanes pixels from `at` on.
  TF_SOFTRAS_INLINE void TimesCorners(const ShadedFace& face, int64_t at,
                                      int64_t first, int64_t last,
                                      double (&sums)[3][kLanes]) const {
    for (auto& corner : sums) {
      for (double& lane : corner) lane = 0.0;
    }
    for (int64_t c = first; c < last; ++c) {
      const double* g = values.data() + c * size + at;
      for (int k = 0; k < 3; ++k) {
        const double attribute = face.attributes[k * channels + c];
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          sums[k][lane] += attribute * g[lane];
        }
      }
    }
  }
};

// The first visit: what is blended times the upstream gradient.
struct MeanVisitor {
  const DepthBlend<double>& blend;
  const ShadedTile& tile;
  const UpstreamPlanes& upstream;
  BlendPlanes planes;
  std::vector<double> mean;

  template <typename T>
  TF_SOFTRAS_INLINE MeanVisitor(const ShadedItem<T>& item,
                                const ShadedTile& tile,
                                const UpstreamPlanes& upstream)
      : blend(item.blend),
        tile(tile),
        upstream(upstream),
        planes(tile.size(), item.blend),
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

  TF_SOFTRAS_INLINE void Block(const ShadedFace& face,
                               const LocalView<double>& view,
                               const PixelRect& block) {
    for (int64_t row = block.row_begin; row < block.row_end; ++row) {
      const double qy = view.qy(row);
      for (int64_t column = block.column_begin; column < block.column_end;
           column += kLanes) {
        if (!AnyPairCounts(blend, view, column, qy)) continue;
        const int64_t at = tile.offset(row, column);
        double values[3][kLanes];
        upstream.TimesCorners(face, at, 0, upstream.blended, values);
        GroupTerms terms;
        BlendGroup(blend, face, view, column, qy, planes.level.data() + at,
                   planes.total.data() + at, terms);
        double* sum = mean.data() + at;
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          sum[lane] = sum[lane] * terms.keep[lane] +
                      values[0][lane] * terms.parts[0][lane] +
                      values[1][lane] * terms.parts[1][lane] +
                      values[2][lane] * terms.parts[2][lane];
        }
      }
    }
  }

  TF_SOFTRAS_INLINE void EndFace(const ShadedFace&) {}

  // Divides the mean by the sum of weights, which then holds its inverse.
  TF_SOFTRAS_INLINE void Finish() {
    for (size_t at = 0; at < mean.size(); ++at) {
      planes.total[at] = 1.0 / planes.total[at];
      mean[at] *= planes.total[at];
    }
  }

  TF_SOFTRAS_INLINE double BackgroundWeight(int64_t at) const {
    return blend.Falloff(planes.level[at] - blend.background_level) *
           planes.total[at];
  }
};

// Sums kLanes numbers.
TF_SOFTRAS_INLINE double SumLanes(const double* lanes) {
  double sums[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) sums[lane] = lanes[lane];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SHADE_MEAN_VISITOR_H_
