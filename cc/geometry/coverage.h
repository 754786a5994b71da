// Eqs. 1 and 2: the probability that a face covers a pixel, and the aggregate
// over faces.
//
// With x = s d^2 / sigma and D = sigmoid(x), 1 - D = 1 / (1 + e^x), so the
// transparency of a pixel is prod_j (1 - D_j) = 1 / prod_j (1 + e^{x_j}). The
// sum kept for a pixel is
//   excess = prod_j (1 + e^{x_j}) - 1,
// which neither loses many small e^x (it starts as their sum) nor needs a
// logarithm a pair:
//   S = excess / (1 + excess),  1 - S = 1 / (1 + excess).
// It may overflow to infinity, where S is 1 to the last digit.
#ifndef TF_SOFTRAS_CC_GEOMETRY_COVERAGE_H_
#define TF_SOFTRAS_CC_GEOMETRY_COVERAGE_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "cc/geometry/image_plane.h"
#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"

namespace tf_softras {

// The bounds at which x is clamped. At the upper one the pixel is opaque to the
// last digit (e^-80 against 2^-24, e^-300 against 2^-53) and a product of a few
// still saturates cleanly. At the lower one e^x is still a normal number, so an
// overflown excess times e^x is never infinity times zero.
template <typename T>
struct Exponent;
template <>
struct Exponent<float> {
  static constexpr float kLowest = -80.0f;
  static constexpr float kHighest = 80.0f;
};
template <>
struct Exponent<double> {
  static constexpr double kLowest = -700.0;
  static constexpr double kHighest = 300.0;
};

// p 2^n, for shifted = n + 1.5 * 2^23: its low bits are n (mod 2^22), and moved
// into the exponent field they scale p.
TF_SOFTRAS_INLINE float ScaledByLowBits(float p, float shifted) {
  int32_t bits;
  std::memcpy(&bits, &p, sizeof bits);
  int32_t shifted_bits;
  std::memcpy(&shifted_bits, &shifted, sizeof shifted_bits);
  bits = static_cast<int32_t>(static_cast<uint32_t>(bits) +
                              (static_cast<uint32_t>(shifted_bits) << 23));
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}
// The same in double, for shifted = n + 1.5 * 2^52.
TF_SOFTRAS_INLINE double ScaledByLowBits(double p, double shifted) {
  int64_t bits;
  std::memcpy(&bits, &p, sizeof bits);
  int64_t shifted_bits;
  std::memcpy(&shifted_bits, &shifted, sizeof shifted_bits);
  bits = static_cast<int64_t>(static_cast<uint64_t>(bits) +
                              (static_cast<uint64_t>(shifted_bits) << 52));
  double result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// e^x for x in [kLowest, kHighest]; relative error below 3e-7
// (cc/geometry/coverage_test.cc walks the range). Written so that compilers
// vectorise it.
TF_SOFTRAS_INLINE float ClampedExp(float x) {
  // e^x = 2^n e^r with n the nearest integer to x / ln 2, |r| <= ln 2 / 2.
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  constexpr float kRound = 12582912.0f;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  // ln 2 in two parts: the first has trailing zeros, so n times it is exact.
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  // Taylor to degree 6: the first term left out is r^7/5040 < 1.2e-7 at |r| =
  // 0.347.
  float p = 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return ScaledByLowBits(p, shifted);
}
// The same in double, to a few units of the last digit.
TF_SOFTRAS_INLINE double ClampedExp(double x) {
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  const double shifted = x * 1.4426950408889634 + kRound;
  const double n = shifted - kRound;
  const double r =
      (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
  // Taylor to degree 13: the first term left out is r^14/14! < 5e-18.
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return ScaledByLowBits(p, shifted);
}

// 1 / sigma, finite in T also where sigma is denormal.
template <typename T>
inline double BoundedInverse(double sigma) {
  return Min(1.0 / sigma, Far<T>::kDistance * Far<T>::kDistance);
}
template <typename T>
inline T InverseSigma(T sigma) {
  return static_cast<T>(BoundedInverse<T>(static_cast<double>(sigma)));
}

// e^x with x = (signed squared distance) / sigma, clamped.
template <typename T>
TF_SOFTRAS_INLINE T Odds(T signed_squared_distance, T inverse_sigma) {
  const T x = signed_squared_distance * inverse_sigma;
  return ClampedExp(Min(Max(x, Exponent<T>::kLowest), Exponent<T>::kHighest));
}

// 2^y for |y| at most kHighest / ln 2; relative error below 3e-7. Cheaper than
// ClampedExp: the reduction to |r| <= 1/2 is exact, and fewer steps wait for
// one another.
TF_SOFTRAS_INLINE float PowerOfTwo(float y) {
  constexpr float kRound = 12582912.0f;  // as in ClampedExp
  const float shifted = y + kRound;
  const float r = y - (shifted - kRound);
  // The polynomial of degree 5 whose largest relative error is smallest, 9e-8,
  // among those that are 1 at 0.
  const float square = r * r;
  const float low = 1.0f + r * 0.693147004f;
  const float middle = 0.240222305f + r * 0.0555068329f;
  const float high = 0.00967208575f + r * 0.00132775248f;
  const float p = low + square * (middle + square * high);
  return ScaledByLowBits(p, shifted);
}
// The same in double: what is rounded is y, to 2^-53 of itself.
TF_SOFTRAS_INLINE double PowerOfTwo(double y) {
  return ClampedExp(y * 0.6931471805599453);
}

// The odds of eq. 1, e^x with x = s d^2 / sigma, for one sigma. |x| is bounded
// by kHighest on both sides. The bound is one of d^2 here, and a variable: for
// a constant, GCC makes cases of the exponential.
template <typename T>
class DistanceOdds {
 public:
  explicit DistanceOdds(T sigma)
      : scale_(static_cast<T>(1.4426950408889634 *
                              BoundedInverse<T>(static_cast<double>(sigma)))),
        most_(Exponent<T>::kHighest / InverseSigma(sigma)) {}

  // The logarithm of the odds. PowerOfTwo is left to the caller, who
  // may have several to compute.
  TF_SOFTRAS_INLINE T Log2(T squared_distance, bool inside) const {
    return Min(squared_distance, most_) * (inside ? scale_ : -scale_);
  }

 private:
  T scale_;  // log2(e) / sigma
  T most_;
};

// Eq. 1: D = sigmoid(x) from the odds e^x.
template <typename T>
TF_SOFTRAS_INLINE T Coverage(T odds) {
  return odds / (T(1) + odds);
}

// Eq. 2, one more factor.
template <typename A, typename T>
TF_SOFTRAS_INLINE A Aggregate(A excess, T odds) {
  return excess + (odds + excess * odds);
}

// The excess of two sets of faces together, from that of each. Either may have
// overflowed, and infinity times zero is not a number: beyond 1e150 a pixel is
// opaque to the last digit of its transparency that anything uses.
TF_SOFTRAS_INLINE double JoinExcess(double a, double b) {
  return Aggregate(Min(a, 1e150), Min(b, 1e150));
}

// Eq. 2's results from a pixel's excess. They share the division.
TF_SOFTRAS_INLINE double TransparencyFromExcess(double excess) {
  return 1.0 / (1.0 + excess);
}
TF_SOFTRAS_INLINE double SilhouetteFromExcess(double excess) {
  // The product has the digits of a small excess; infinity times zero is not 1.
  const double transparency = TransparencyFromExcess(excess);
  return excess < 1.0 ? excess * transparency : 1.0 - transparency;
}

// The cutoffs of the rasteriser: pairs with x < -cutoff are left out. Both are
// derived here.
//
// Forward. The N faces left out at a pixel add at most N e^-X to -log(1 - S),
// hence at most that to S. A twentieth of the promised bound is granted: X =
// log(N / share).
//
// Backward. A pair's gradient is at most (1 - S) D 2 d / sigma <= 2 e^-x
// sqrt(x) / sqrt(sigma), falling in x for x > 1/2. Over P pixels and N faces,
// with Cauchy-Schwarz over the upstream g, the omitted part has a norm of at
// most |g| sqrt(P) N 2 sqrt(X) e^-X / sqrt(sigma). It has to stay below a tenth
// of the promised relative error of the smallest true gradient that the promise
// covers, 1e-3 |g| / sqrt(sigma): X = log(N / share) + log(4 X P) / 2 with
// share = 0.1 * 1e-3 * (1e-5 or 1e-8). The same bound lets the backward pass
// leave out pixels whose transparency is below e^-X: an inner pair there has
// d^2 / sigma <= -log(1 - S), an outer one D <= 1/2.
template <typename T>
struct ErrorShare;
template <>
struct ErrorShare<float> {
  static constexpr double kForward = 5e-6 / 20.0;
  static constexpr double kBackward = 0.1 * 1e-3 * 1e-5;
};
template <>
struct ErrorShare<double> {
  static constexpr double kForward = 1e-10 / 20.0;
  static constexpr double kBackward = 0.1 * 1e-3 * 1e-8;
};

template <typename T>
inline double ForwardCutoff(int64_t num_faces) {
  return std::log(static_cast<double>(MaxInt(num_faces, 1)) /
                  ErrorShare<T>::kForward);
}

template <typename T>
inline double BackwardCutoff(int64_t num_faces, int64_t num_pixels) {
  const double faces = std::log(static_cast<double>(MaxInt(num_faces, 1)) /
                                ErrorShare<T>::kBackward);
  // X <= 128 for any mesh and image that fit in memory, which makes the
  // equation explicit.
  return faces + 0.5 * std::log(4.0 * 128.0 *
                                static_cast<double>(MaxInt(num_pixels, 1)));
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_GEOMETRY_COVERAGE_H_
