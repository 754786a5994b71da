// Soft aggregation on the CPU, the gradient of the image.
//
//   for each tile:                                      parts of an item a unit
//     read each pixel's sum of weights, and the mean sum_j w_j G_j, where G_j
//       is upstream times the face's attributes       pixel_means.h
//     for 8 faces at a time, for a pixel of each:       found_parts.h
//       sum d/d(x, y, z) and d/d(attributes) of their corners   depth_blend.h
//     add the faces' sums to their vertices             gradient_sums.h
//     add the background's weight times upstream to its gradient
//   add up the units of an item, in order
#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/cpu/gradient_sums.h"
#include "cc/cpu/lanes.h"
#include "cc/cpu/shade/found_parts.h"
#include "cc/cpu/shade/pixel_means.h"
#include "cc/cpu/shade/shade_tile.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {
namespace {

// Adds the gradients of found pairs.
template <typename T>
struct GradientVisitor {
  const ShadedItem<T>& item;
  const ShadedTile& tile;
  const PixelMeans& pixels;
  const FoundParts& found;
  UnitSums sums;
  UpstreamOfParts<T> upstream;
  // The sums of kLanes parts: x, y, z of each corner, and the attributes'.
  double positions[9][kLanes];
  std::vector<double> attributes;  // [3, channels, kLanes]

  GradientVisitor(const ShadedItem<T>& item, const ShadedTile& tile,
                  const UpstreamPlanes& planes, const PixelMeans& pixels,
                  const FoundParts& found, const UnitSums& sums)
      : item(item),
        tile(tile),
        pixels(pixels),
        found(found),
        sums(sums),
        upstream(item, planes),
        attributes(3 * item.channels * kLanes) {}

  TF_SOFTRAS_INLINE void Parts(const PartLanes& parts) {
    for (auto& position : positions) {
      for (double& lane : position) lane = 0.0;
    }
    for (double& lane : attributes) lane = 0.0;
    upstream.ReadCorners(parts);
    // Without summed channels, what only they need is left out.
    if (item.blended < item.channels) {
      AddPixels<true>(parts);
    } else {
      AddPixels<false>(parts);
    }
    Write(parts);
  }

  template <bool has_sums>
  TF_SOFTRAS_INLINE void AddPixels(const PartLanes& parts) {
    const int64_t channels = item.channels, blended = item.blended;
    for (int32_t i = 0; i < parts.most; ++i) {
      PixelGroup group;
      parts.Pixels(tile, found, item.mesh.plane.step(), i, &group);
      upstream.ReadPixels(group);
      double blended_values[3][kLanes], summed_values[3][kLanes];
      upstream.TimesCorners(0, blended, blended_values);
      if (has_sums) upstream.TimesCorners(blended, channels, summed_values);
      double weights[3][kLanes], summed_weights[3][kLanes];
      AddPositions<has_sums>(parts, group, blended_values, summed_values,
                             weights, summed_weights);
      double* attribute = attributes.data();
      for (int k = 0; k < 3; ++k) {
        for (int64_t c = 0; c < channels; ++c, attribute += kLanes) {
          AddTimes(has_sums && c >= blended ? summed_weights[k] : weights[k],
                   upstream.group.data() + c * kLanes, attribute);
        }
      }
    }
  }

  // weights[k] is what corner k's attributes count at each pixel, blended or
  // summed.
  template <bool has_sums>
  TF_SOFTRAS_INLINE void AddPositions(const PartLanes& parts,
                                      const PixelGroup& q,
                                      const double (&blended_values)[3][kLanes],
                                      const double (&summed_values)[3][kLanes],
                                      double (&weights)[3][kLanes],
                                      double (&summed_weights)[3][kLanes]) {
    const DepthBlend<double> own = pixels.blend;
    const FaceBatch<double>& batch = parts.batch;
    const ShadedBatch& depths_of = parts.depths;
    const int first = parts.first;
    double level[kLanes], inverse_total[kLanes], mean[kLanes];
    GatherLanes(pixels.level.data(), q.at, level);
    GatherLanes(pixels.inverse_total.data(), q.at, inverse_total);
    GatherLanes(pixels.mean.data(), q.at, mean);
    double gradients[9][kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
      const LocalTriangle<double> triangle = batch.triangle(first + lane);
      const EdgeShares<double> shares = depths_of.shares(first + lane);
      const FaceDepths<double> depths = depths_of.depths(first + lane);
      const double qx = q.qx[lane], qy = q.qy[lane];
      const ShadedPair<double> pair =
          Shade(own, triangle, shares, depths, qx, qy);
      // A pair that does not count may be nearer than all that do.
      const double behind = Max(level[lane] - pair.level, 0.0);
      const double weight =
          pair.coverage * own.Falloff(behind) * inverse_total[lane];
      const double corner_values[3] = {blended_values[0][lane],
                                       blended_values[1][lane],
                                       blended_values[2][lane]};
      PairLoss<double> loss =
          BlendedLoss(pair, weight, corner_values, mean[lane]);
      if (has_sums) {
        const double corner_sums[3] = {summed_values[0][lane],
                                       summed_values[1][lane],
                                       summed_values[2][lane]};
        AddSummedLoss(pair, corner_sums, &loss);
      }
      const PairGradient<double> gradient =
          GradientOfPair(own, triangle, shares, depths, pair, qx, qy, loss);
      for (int k = 0; k < 3; ++k) {
        gradients[3 * k][lane] = gradient.x[k];
        gradients[3 * k + 1][lane] = gradient.y[k];
        gradients[3 * k + 2][lane] = gradient.z[k];
        weights[k][lane] = weight * pair.at.weights[k];
        if (has_sums) {
          summed_weights[k][lane] = pair.coverage * pair.at.weights[k];
        }
      }
    }
    for (int i = 0; i < 9; ++i) AddLanes(gradients[i], positions[i]);
  }

  // Adds the parts' sums to their vertices.
  TF_SOFTRAS_INLINE void Write(const PartLanes& parts) {
    const int64_t channels = item.channels;
    for (int lane = 0; lane < kLanes; ++lane) {
      if (parts.count[lane] == 0) continue;
      const double* attribute = attributes.data() + lane;
      for (int k = 0; k < 3; ++k) {
        const int64_t vertex = item.mesh.faces[3 * parts.face[lane] + k];
        for (int i = 0; i < 3; ++i) {
          sums.vertices[3 * vertex + i] += positions[3 * k + i][lane];
        }
        for (int64_t c = 0; c < channels; ++c, attribute += kLanes) {
          sums.attributes[vertex * channels + c] += *attribute;
        }
      }
    }
  }
};

// The background's gradient in a tile: into the image, or added up in lanes.
// Upstream is 0 in the padding of rows.
template <typename T>
TF_SOFTRAS_INLINE void AddBackground(const ShadedItem<T>& item,
                                     const ShadedTile& tile,
                                     const UpstreamPlanes& upstream,
                                     const PixelMeans& pixels,
                                     T* background_image, double* sums) {
  std::vector<double> sums_in_lanes(item.blended * kLanes, 0.0);
  for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
    for (int64_t column = tile.rect.column_begin; column < tile.rect.column_end;
         column += kLanes) {
      const int64_t at = tile.offset(row, column);
      double weights[kLanes];
      pixels.BackgroundWeights(at, weights);
      for (int64_t c = 0; c < item.blended; ++c) {
        const double* g = upstream.values.data() + c * tile.size() + at;
        if (item.background_is_image) {
          T* pixel = background_image + item.Pixel(row, column) + c;
          const int64_t left = MinInt(kLanes, tile.rect.column_end - column);
          for (int64_t lane = 0; lane < left; ++lane) {
            pixel[lane * item.channels] =
                static_cast<T>(weights[lane] * g[lane]);
          }
        } else {
          AddTimes(weights, g, sums_in_lanes.data() + c * kLanes);
        }
      }
    }
  }
  if (item.background_is_image) return;
  for (int64_t c = 0; c < item.blended; ++c) {
    sums[c] += SumLanes(sums_in_lanes.data() + c * kLanes);
  }
}

// The arguments of AddParts.
template <typename T>
struct TilePairs {
  const ShadedItem<T>& item;
  const ShadedTile& tile;
  const UpstreamPlanes& upstream;
  const PixelMeans& pixels;
  FoundParts& found;
  const UnitSums& sums;
};

template <typename T>
TF_SOFTRAS_INLINE void AddParts(const TilePairs<T>& of) {
  of.found.Sort();
  GradientVisitor<T> visitor(of.item, of.tile, of.upstream, of.pixels, of.found,
                             of.sums);
  VisitParts(of.item, of.tile, of.found, visitor);
}

// Not inlined, because it is called in two places.
TF_SOFTRAS_CLONES void AddPartsClone(const TilePairs<float>& of) {
  AddParts(of);
}
TF_SOFTRAS_CLONES void AddPartsClone(const TilePairs<double>& of) {
  AddParts(of);
}

// One tile's part. `upstream` and `background_image` are those of the item.
template <typename T>
TF_SOFTRAS_INLINE void AddTile(const ShadedItem<T>& item,
                               const ShadedTile& tile,
                               const ShadedImage<T>& shaded,
                               const T* upstream_image, T* background_image,
                               const UnitSums& sums) {
  const UpstreamPlanes upstream(item, tile, upstream_image);
  const PixelMeans pixels(item, tile, upstream, shaded);
  AddBackground(item, tile, upstream, pixels, background_image,
                sums.background);
  if (!upstream.any) return;
  FoundParts found;
  const TilePairs<T> pairs = {item, tile, upstream, pixels, found, sums};
  VisitFound(item, tile, pixels.level.data(), found,
             [&pairs]() { AddPartsClone(pairs); });
}

#define TF_SOFTRAS_ADD_TILE(T)                                              \
  TF_SOFTRAS_CLONES void AddTileClone(                                      \
      const ShadedItem<T>& item, const ShadedTile& tile,                    \
      const ShadedImage<T>& shaded, const T* upstream, T* background_image, \
      const UnitSums& sums) {                                               \
    AddTile(item, tile, shaded, upstream, background_image, sums);          \
  }
TF_SOFTRAS_ADD_TILE(float)
TF_SOFTRAS_ADD_TILE(double)
#undef TF_SOFTRAS_ADD_TILE

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 2000;
constexpr int64_t kPixelCost = 40;

}  // namespace

template <typename T>
void SoftShadeBackward(const SoftShadeInputs<T>& inputs,
                       const ShadedImage<T>& shaded, const T* upstream,
                       const SoftShadeGradients<T>& gradients,
                       const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const double radius = ShadeRadius(inputs);
  const Tiling tiling(mesh.batch, mesh.height, mesh.width);
  const int64_t values = mesh.height * mesh.width * inputs.channels;
  GradientSums<T> sums(inputs, tiling.count());
  const int64_t units = sums.units();
  const int64_t cost =
      (mesh.num_faces * kFaceCost + mesh.height * mesh.width * kPixelCost) /
      units;
  const int64_t slice = MinInt(sums.slice(), MaxInt(1, 1024 / tiling.count()));
  for (int64_t first = 0; first < mesh.batch; first += slice) {
    const int64_t items = MinInt(slice, mesh.batch - first);
    const std::vector<FaceBins> bins =
        BinFaces(mesh, tiling, first, items, radius, parallel_for);
    sums.Begin(first, items);
    parallel_for(items * units, cost, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        const int64_t i = at / units, unit = at % units;
        const ShadedItem<T> item = MakeShadedItem(inputs, first + i, radius);
        T* background_image = inputs.background_is_image
                                  ? gradients.background + (first + i) * values
                                  : nullptr;
        for (int64_t tile = unit * tiling.count() / units;
             tile < (unit + 1) * tiling.count() / units; ++tile) {
          AddTileClone(
              item,
              MakeShadedTile(tiling, tile, bins.empty() ? nullptr : &bins[i]),
              shaded.Item(inputs, first + i), upstream + (first + i) * values,
              background_image, sums.unit(i, unit));
        }
      }
    });
    sums.Write(gradients, parallel_for);
  }
  if (!inputs.background_is_image) sums.WriteBackground(gradients.background);
}

template void SoftShadeBackward<float>(const SoftShadeInputs<float>&,
                                       const ShadedImage<float>&, const float*,
                                       const SoftShadeGradients<float>&,
                                       const ParallelFor&);
template void SoftShadeBackward<double>(const SoftShadeInputs<double>&,
                                        const ShadedImage<double>&,
                                        const double*,
                                        const SoftShadeGradients<double>&,
                                        const ParallelFor&);

}  // namespace tf_softras
