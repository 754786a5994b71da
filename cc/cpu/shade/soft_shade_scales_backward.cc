// The gradients of the image with respect to sigma and gamma, which are one sum
// each. A pair's log-weight is log D_j + l_j / gamma; with g_j the gradient
// with respect to it (GradientOfPair),
//   dL / dsigma = sum_j g_j (1 - D_j) (-x_j / sigma),
//   dL / dgamma = sum_j g_j (-l_j / gamma^2), the background among the j.
// Summed channels add D_j times theirs to the g_j of sigma alone. The blended
// g_j of a pixel sum to 0, so levels count from the pixel's nearest one:
// then no large numbers cancel.
#include <cstdint>
#include <vector>

#include "cc/cpu/lanes.h"
#include "cc/cpu/shade/found_parts.h"
#include "cc/cpu/shade/pixel_means.h"
#include "cc/cpu/shade/shade_tile.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/coverage.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {
namespace {

// Sums over found pairs.
template <typename T>
struct ScalesVisitor {
  const ShadedItem<T>& item;
  const ShadedTile& tile;
  const PixelMeans& pixels;
  const FoundParts& found;
  UpstreamOfParts<T> upstream;
  double sigma[kLanes] = {};  // sums of g_j (1 - D_j) (-x_j)
  double gamma[kLanes] = {};  // sums of g_j (nearest level - l_j)

  ScalesVisitor(const ShadedItem<T>& item, const ShadedTile& tile,
                const UpstreamPlanes& planes, const PixelMeans& pixels,
                const FoundParts& found)
      : item(item),
        tile(tile),
        pixels(pixels),
        found(found),
        upstream(item, planes) {}

  TF_SOFTRAS_INLINE void Parts(const PartLanes& parts) {
    upstream.ReadCorners(parts);
    for (int32_t i = 0; i < parts.most; ++i) {
      PixelGroup group;
      parts.Pixels(tile, found, item.mesh.plane.step(), i, &group);
      upstream.ReadPixels(group);
      AddGroup(parts, group);
    }
  }

  TF_SOFTRAS_INLINE void AddGroup(const PartLanes& parts, const PixelGroup& q) {
    double blended_values[3][kLanes], summed_values[3][kLanes];
    upstream.TimesCorners(0, item.blended, blended_values);
    upstream.TimesCorners(item.blended, item.channels, summed_values);
    const DepthBlend<double> own = pixels.blend;
    const FaceBatch<double>& batch = parts.batch;
    const ShadedBatch& depths = parts.depths;
    const int first = parts.first;
    double level[kLanes], inverse_total[kLanes], mean[kLanes];
    GatherLanes(pixels.level.data(), q.at, level);
    GatherLanes(pixels.inverse_total.data(), q.at, inverse_total);
    GatherLanes(pixels.mean.data(), q.at, mean);
    for (int lane = 0; lane < kLanes; ++lane) {
      const double qx = q.qx[lane], qy = q.qy[lane];
      const LocalTriangle<double> triangle = batch.triangle(first + lane);
      const ShadedPair<double> pair =
          Shade(own, triangle, depths.shares(first + lane),
                depths.depths(first + lane), qx, qy);
      const double x = Min(Max(SignedSquaredDistance(Sample(triangle, qx, qy)) *
                                   own.inverse_sigma,
                               Exponent<double>::kLowest),
                           Exponent<double>::kHighest);
      // A pair that does not count may be nearer than all that do.
      const double behind = Max(level[lane] - pair.level, 0.0);
      const double weight =
          pair.coverage * own.Falloff(behind) * inverse_total[lane];
      const double* w = pair.at.weights;
      const double value = w[0] * blended_values[0][lane] +
                           w[1] * blended_values[1][lane] +
                           w[2] * blended_values[2][lane];
      const double g = weight * (value - mean[lane]);
      const double summed = pair.coverage * (w[0] * summed_values[0][lane] +
                                             w[1] * summed_values[1][lane] +
                                             w[2] * summed_values[2][lane]);
      sigma[lane] -= (g + summed) * x * pair.transparency;
      gamma[lane] += g * behind;
    }
  }
};

// A tile's sums before they are divided: by sigma, and by gamma squared.
struct TileScales {
  double sigma = 0.0;
  double gamma = 0.0;
};

// The background's part of the second sum.
template <typename T>
TF_SOFTRAS_INLINE double BackgroundPart(const ShadedItem<T>& item,
                                        const ShadedTile& tile,
                                        const UpstreamPlanes& upstream,
                                        const PixelMeans& pixels) {
  double sum = 0.0;
  for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
    for (int64_t column = tile.rect.column_begin; column < tile.rect.column_end;
         column += kLanes) {
      double weights[kLanes];
      pixels.BackgroundWeights(tile.offset(row, column), weights);
      const int64_t left = MinInt(kLanes, tile.rect.column_end - column);
      for (int64_t lane = 0; lane < left; ++lane) {
        const int64_t at = tile.offset(row, column + lane);
        const T* background = item.Background(row, column + lane);
        double value = 0.0;
        for (int64_t c = 0; c < item.blended; ++c) {
          value += upstream.values[c * tile.size() + at] *
                   static_cast<double>(background[c]);
        }
        sum += weights[lane] * (value - pixels.mean[at]) *
               (pixels.level[at] - item.blend.background_level);
      }
    }
  }
  return sum;
}

template <typename T>
TF_SOFTRAS_INLINE TileScales SumTile(const ShadedItem<T>& item,
                                     const ShadedTile& tile,
                                     const ShadedImage<T>& shaded,
                                     const T* upstream_image) {
  const UpstreamPlanes upstream(item, tile, upstream_image);
  TileScales sums;
  if (!upstream.any) return sums;
  const PixelMeans pixels(item, tile, upstream, shaded);
  FoundParts found;
  ScalesVisitor<T> visitor(item, tile, upstream, pixels, found);
  VisitFound(
      item, tile, pixels.level.data(),
      found, [&]() __attribute__((always_inline)) {
        found.Sort();
        VisitParts(item, tile, found, visitor);
      });
  sums.sigma = SumLanes(visitor.sigma);
  sums.gamma =
      SumLanes(visitor.gamma) + BackgroundPart(item, tile, upstream, pixels);
  return sums;
}

#define TF_SOFTRAS_SUM_TILE(T)                           \
  TF_SOFTRAS_CLONES TileScales SumTileClone(             \
      const ShadedItem<T>& item, const ShadedTile& tile, \
      const ShadedImage<T>& shaded, const T* upstream) { \
    return SumTile(item, tile, shaded, upstream);        \
  }
TF_SOFTRAS_SUM_TILE(float)
TF_SOFTRAS_SUM_TILE(double)
#undef TF_SOFTRAS_SUM_TILE

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 1500;
constexpr int64_t kPixelCost = 40;

}  // namespace

template <typename T>
SoftShadeScales SoftShadeScalesBackward(const SoftShadeInputs<T>& inputs,
                                        const ShadedImage<T>& shaded,
                                        const T* upstream,
                                        const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const double radius = ShadeRadius(inputs);
  const Tiling tiling(mesh.batch, mesh.height, mesh.width);
  const int64_t tiles = tiling.count();
  const int64_t values = mesh.height * mesh.width * inputs.channels;
  std::vector<TileScales> parts(mesh.batch * tiles);
  const int64_t slice = MaxInt(1, 1024 / tiles);
  for (int64_t first = 0; first < mesh.batch; first += slice) {
    const int64_t items = MinInt(slice, mesh.batch - first);
    const std::vector<FaceBins> bins =
        BinFaces(mesh, tiling, first, items, radius, parallel_for);
    const int64_t cost = mesh.num_faces * kFaceCost / tiles +
                         tiling.side * tiling.side * kPixelCost;
    parallel_for(items * tiles, cost, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t i = unit / tiles;
        parts[first * tiles + unit] = SumTileClone(
            MakeShadedItem(inputs, first + i, radius),
            MakeShadedTile(tiling, unit % tiles,
                           bins.empty() ? nullptr : &bins[i]),
            shaded.Item(inputs, first + i), upstream + (first + i) * values);
      }
    });
  }
  SoftShadeScales gradient = {0.0, 0.0};
  for (const TileScales& part : parts) {
    gradient.sigma += part.sigma;
    gradient.gamma += part.gamma;
  }
  const double inverse_gamma = 1.0 / static_cast<double>(inputs.gamma);
  gradient.sigma /= static_cast<double>(mesh.sigma);
  gradient.gamma *= inverse_gamma * inverse_gamma;
  return gradient;
}

template SoftShadeScales SoftShadeScalesBackward<float>(
    const SoftShadeInputs<float>&, const ShadedImage<float>&, const float*,
    const ParallelFor&);
template SoftShadeScales SoftShadeScalesBackward<double>(
    const SoftShadeInputs<double>&, const ShadedImage<double>&, const double*,
    const ParallelFor&);

}  // namespace tf_softras
