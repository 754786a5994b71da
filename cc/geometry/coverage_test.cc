#include "cc/geometry/coverage.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tf_softras {
namespace {

TEST(CoverageTest, ExponentialIsWithinItsBoundOverTheWholeRange) {
  double worst = 0;
  for (double x = Exponent<float>::kLowest; x <= Exponent<float>::kHighest;
       x += 1e-4) {
    const float rounded = static_cast<float>(x);
    const double exact = std::exp(static_cast<double>(rounded));
    worst = std::max(worst, std::fabs(ClampedExp(rounded) / exact - 1));
  }
  EXPECT_LT(worst, 3e-7);
}

TEST(CoverageTest, DoubleExponentialIsTheLibrarysOverTheWholeRange) {
  double worst = 0;
  for (double x = Exponent<double>::kLowest; x <= Exponent<double>::kHighest;
       x += 1.7e-3) {
    worst = std::max(worst, std::fabs(ClampedExp(x) / std::exp(x) - 1));
  }
  EXPECT_LT(worst, 1e-15);
}

TEST(CoverageTest, PowerOfTwoIsWithinItsBoundOverTheWholeRange) {
  double worst = 0, worst_double = 0;
  for (double y = -116; y <= 116; y += 1e-4) {
    const float rounded = static_cast<float>(y);
    const double exact = std::exp2(static_cast<double>(rounded));
    worst = std::max(worst, std::fabs(PowerOfTwo(rounded) / exact - 1));
    worst_double =
        std::max(worst_double, std::fabs(PowerOfTwo(y) / std::exp2(y) - 1));
  }
  EXPECT_LT(worst, 3e-7);
  // y times ln 2 is rounded: 116 ln 2 2^-53.
  EXPECT_LT(worst_double, 1e-14);
}

template <typename T>
void ExpectOddsOfEquationOne(T sigma, double tolerance) {
  const DistanceOdds<T> odds(sigma);
  for (const bool inside : {false, true}) {
    for (const T squared : {T(0), T(0.3), T(2), T(1e30)}) {
      const T x = (inside ? squared : -squared) * InverseSigma(sigma);
      EXPECT_NEAR(Coverage(PowerOfTwo(odds.Log2(squared, inside))),
                  Coverage(Odds(x, T(1))), tolerance);
    }
  }
}

TEST(CoverageTest, DistanceOddsAreTheOddsOfEquationOne) {
  // Without overflow also where 1 / sigma is not finite.
  for (const float sigma : {1.0f, 0.05f, 1e-7f, 1e-45f}) {
    ExpectOddsOfEquationOne(sigma, 1e-6);
  }
  for (const double sigma : {1.0, 0.05, 1e-7, 5e-324}) {
    ExpectOddsOfEquationOne(sigma, 1e-14);
  }
}

TEST(CoverageTest, FactorsGiveEquationTwo) {
  const double x[] = {-3.0, 0.5, 2.0, -20.0};
  double excess = 0, transparency = 1;
  for (const double value : x) {
    excess = Aggregate(excess, Odds(value, 1.0));
    transparency *= 1 - 1 / (1 + std::exp(-value));
  }
  EXPECT_NEAR(SilhouetteFromExcess(excess), 1 - transparency, 1e-15);
  EXPECT_NEAR(TransparencyFromExcess(excess), transparency, 1e-15);
}

TEST(CoverageTest, ManySmallFactorsAreNotLost) {
  // 1 + 1e-9 is 1 in float; a million of them are not.
  float excess = 0;
  for (int i = 0; i < 1000000; ++i) excess = Aggregate(excess, 1e-9f);
  EXPECT_NEAR(excess, std::expm1(1e-3), 1e-5);
}

TEST(CoverageTest, OverflowSaturatesAndNeverBecomesNaN) {
  float excess = 0;
  for (int i = 0; i < 10; ++i) {
    excess = Aggregate(excess, Odds(1e6f, 1e6f));
    excess = Aggregate(excess, Odds(-1e30f, 1e30f));
  }
  EXPECT_TRUE(std::isinf(excess));
  EXPECT_EQ(SilhouetteFromExcess(excess), 1);
  EXPECT_EQ(TransparencyFromExcess(excess), 0);
  EXPECT_EQ(Coverage(Odds(1e6f, 1e6f)), 1);
}

TEST(CoverageTest, JoiningIsAggregatingAndSurvivesOverflow) {
  EXPECT_EQ(JoinExcess(0.25, 3.0), Aggregate(0.25, 3.0));
  for (const double other : {0.0, 1e-30, 5.0, HUGE_VAL}) {
    for (const double joined :
         {JoinExcess(HUGE_VAL, other), JoinExcess(other, HUGE_VAL)}) {
      EXPECT_EQ(SilhouetteFromExcess(joined), 1) << other;
      EXPECT_NEAR(TransparencyFromExcess(joined), 0, 1e-149) << other;
    }
  }
}

TEST(CoverageTest, CoverageIsTheSigmoid) {
  for (double x = -30; x < 30; x += 0.37) {
    EXPECT_NEAR(Coverage(Odds(x, 1.0)), 1 / (1 + std::exp(-x)), 1e-15);
    EXPECT_NEAR(Coverage(Odds(static_cast<float>(x), 1.0f)),
                1 / (1 + std::exp(-x)), 1e-6);
  }
}

TEST(CoverageTest, CutoffsKeepTheirShareOfTheBound) {
  for (const int64_t faces : {0, 1, 1280, 1300000}) {
    const double n = faces ? static_cast<double>(faces) : 1;
    EXPECT_LE(n * std::exp(-ForwardCutoff<float>(faces)), 5e-6 / 10);
    const double pixels = 1024.0 * 1024.0;
    const double cutoff = BackwardCutoff<float>(faces, 1024 * 1024);
    ASSERT_LT(cutoff, 128);  // which the closed form assumes
    EXPECT_LE(std::sqrt(pixels) * n * 2 * std::sqrt(cutoff) * std::exp(-cutoff),
              1e-3 * 1e-5 / 10);
  }
}

}  // namespace
}  // namespace tf_softras
