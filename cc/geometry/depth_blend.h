// Faces blended by coverage and depth, as in Liu, Li, Chen, Li, ICCV 2019
// (arXiv 1904.01786):
//   C = sum_j w_j C_j + w_b C_b,  w_j ~ D_j exp(l_j / gamma),
//   w_b ~ exp(epsilon / gamma),  l = (far - z) / (far - near),
// with D_j of eq. 1 (coverage.h), C_j and z at the face's point
// (interpolation.h) and weights that sum to 1.
//
// Pairs with D < min_coverage are left out of the sums. l / gamma reaches
// thousands, so without this any face, however far away, would beat the
// background: e^(l / gamma) against e^-x.
//
// Levels are compared before they are divided by gamma, and sums are relative
// to the nearest level so far. So nothing overflows however small gamma is; and
// since min_coverage <= D <= 1, the sum of weights is between min_coverage and
// the number of faces plus 1.
//
// Numbers may also be summed: sum_j D_j C_j over the pairs that count, whatever
// their depth, and without the background.
#ifndef TF_SOFTRAS_CC_GEOMETRY_DEPTH_BLEND_H_
#define TF_SOFTRAS_CC_GEOMETRY_DEPTH_BLEND_H_

#include <cmath>

#include "cc/geometry/coverage.h"
#include "cc/geometry/interpolation.h"
#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"

namespace tf_softras {

// A pair counts where x_j >= -CoverageCutoff. For min_coverage in (0, 1/2].
inline double CoverageCutoff(double min_coverage) {
  return std::log(1.0 / min_coverage - 1.0);
}

// The numbers that all pairs of a picture share.
template <typename C>
struct DepthBlend {
  C inverse_sigma;
  C cutoff;
  C far;
  C inverse_range;  // 1 / (far - near)
  C inverse_gamma;
  C background_level;  // epsilon

  // The level l at depth z; negative beyond `far`.
  TF_SOFTRAS_INLINE C Level(C depth) const {
    return (far - depth) * inverse_range;
  }

  // exp(-difference / gamma) for a difference of levels that is not negative,
  // clamped.
  TF_SOFTRAS_INLINE C Falloff(C difference) const {
    return ClampedExp(Max(-difference * inverse_gamma, Exponent<C>::kLowest));
  }
};

// One face as one pixel sees it.
template <typename C>
struct ShadedPair {
  bool inside;  // the pixel, of the face
  FacePoint<C> point;
  Interpolation<C> at;
  C coverage;  // 0 if the pair does not count
  C level;
  C transparency;  // 1 - D, with digits of its own
  bool counts;
};

template <typename C>
TF_SOFTRAS_INLINE bool Counts(const DepthBlend<C>& blend,
                              C signed_squared_distance) {
  return signed_squared_distance * blend.inverse_sigma >= -blend.cutoff;
}

template <typename C>
TF_SOFTRAS_INLINE ShadedPair<C> Shade(const DepthBlend<C>& blend,
                                      const LocalTriangle<C>& triangle,
                                      const EdgeShares<C>& shares,
                                      const FaceDepths<C>& depths, C qx, C qy) {
  const TriangleSample<C> sample = Sample(triangle, qx, qy);
  const C squared = SignedSquaredDistance(sample);
  ShadedPair<C> pair;
  pair.inside = sample.inside;
  PointOnFace(shares, sample, ClosestPoint(triangle, sample), &pair.point);
  pair.at = Interpolate(depths, pair.point.coordinates, pair.point.sum);
  const C odds = Odds(squared, blend.inverse_sigma);
  pair.transparency = C(1) / (C(1) + odds);
  pair.counts = Counts(blend, squared);
  pair.coverage = pair.counts ? odds * pair.transparency : C(0);
  pair.level = blend.Level(pair.at.depth);
  return pair;
}

// Adds a term to a pixel's sums, which are relative to its nearest level: the
// sums so far times `keep`, plus `weight` times the term.
template <typename C>
struct BlendStep {
  C keep;
  C weight;
  C level;  // the nearest one now
};

template <typename C>
TF_SOFTRAS_INLINE BlendStep<C> Step(const DepthBlend<C>& blend, C level_so_far,
                                    const ShadedPair<C>& pair) {
  const C level = pair.counts ? pair.level : level_so_far;
  const C falloff = blend.Falloff(std::fabs(level - level_so_far));
  const bool nearer = level > level_so_far;
  return {nearer ? falloff : C(1), pair.coverage * (nearer ? C(1) : falloff),
          Max(level, level_so_far)};
}

// A pixel's sums over some of its faces, relative to the nearest level of them
// or of the background.
template <typename C, int kCount>
struct BlendSums {
  C level;
  C total;         // of the weights
  C sums[kCount];  // of the weights times what is blended

  // The sums over no face.
  static TF_SOFTRAS_INLINE BlendSums Empty(const DepthBlend<C>& blend) {
    BlendSums sums = {};
    sums.level = blend.background_level;
    return sums;
  }
};

// The sums over two sets of faces together.
template <typename C, int kCount>
TF_SOFTRAS_INLINE BlendSums<C, kCount> JoinBlends(
    const DepthBlend<C>& blend, const BlendSums<C, kCount>& a,
    const BlendSums<C, kCount>& b) {
  BlendSums<C, kCount> joined;
  joined.level = Max(a.level, b.level);
  const C keep_a = blend.Falloff(joined.level - a.level);
  const C keep_b = blend.Falloff(joined.level - b.level);
  joined.total = a.total * keep_a + b.total * keep_b;
  for (int i = 0; i < kCount; ++i) {
    joined.sums[i] = a.sums[i] * keep_a + b.sums[i] * keep_b;
  }
  return joined;
}

// The derivatives of a loss for one pair: with respect to the logarithm of w_j,
// to that of D_j where it is no part of w_j, and to the corners' weights w_k
// less their mean.
template <typename C>
struct PairLoss {
  C log_weight;
  C log_coverage;
  C deviation[3];
};

// The loss through blended channels. `weight` is w_j; values[k] the upstream
// gradient times corner k's attributes, summed over channels; `mean` the same
// of the pixel. With G_j = sum_k w_k values[k], the loss falls by w_j (G_j -
// mean) as the pair's log-weight does.
template <typename C>
TF_SOFTRAS_INLINE PairLoss<C> BlendedLoss(const ShadedPair<C>& pair, C weight,
                                          const C (&values)[3], C mean) {
  const C* w = pair.at.weights;
  const C value = w[0] * values[0] + w[1] * values[1] + w[2] * values[2];
  return {weight * (value - mean),
          C(0),
          {weight * (values[0] - value), weight * (values[1] - value),
           weight * (values[2] - value)}};
}

// Adds the loss through summed channels; values as above.
template <typename C>
TF_SOFTRAS_INLINE void AddSummedLoss(const ShadedPair<C>& pair,
                                     const C (&values)[3], PairLoss<C>* loss) {
  const C* w = pair.at.weights;
  const C value = w[0] * values[0] + w[1] * values[1] + w[2] * values[2];
  loss->log_coverage += pair.coverage * value;
  for (int k = 0; k < 3; ++k) {
    loss->deviation[k] += pair.coverage * (values[k] - value);
  }
}

// The gradient of a loss through one pair, with respect to the corners.
template <typename C>
struct PairGradient {
  C x[3], y[3], z[3];
};

template <typename C>
TF_SOFTRAS_INLINE PairGradient<C> GradientOfPair(
    const DepthBlend<C>& blend, const LocalTriangle<C>& triangle,
    const EdgeShares<C>& shares, const FaceDepths<C>& depths,
    const ShadedPair<C>& pair, C qx, C qy, const PairLoss<C>& loss) {
  const InterpolationGradient<C> interpolation = GradientOfInterpolation(
      depths, pair.point.coordinates, pair.point.sum, pair.at, loss.deviation,
      -loss.log_weight * blend.inverse_range * blend.inverse_gamma);

  // Computed again: a pair that carried it would not stay in vector registers.
  const Closest<C> closest = ClosestPoint(triangle, Sample(triangle, qx, qy));
  const CornerGradient<C> corners = GradientOfPoint(
      triangle, shares, pair.point, closest, interpolation.coordinates);
  // d log D / d x = 1 - D; x = s d^2 / sigma, and d(d^2) / d corner k is
  // -2 closest.corners[k] (rx, ry).
  const C toward = C(-2) * blend.inverse_sigma *
                   (loss.log_weight + loss.log_coverage) * pair.transparency *
                   (pair.inside ? C(1) : C(-1));
  PairGradient<C> gradient;
  for (int k = 0; k < 3; ++k) {
    const C part = toward * closest.corners[k];
    gradient.x[k] = corners.x[k] + part * closest.rx;
    gradient.y[k] = corners.y[k] + part * closest.ry;
    gradient.z[k] = interpolation.depths[k];
  }
  return gradient;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_GEOMETRY_DEPTH_BLEND_H_
