#include "cc/geometry/hard_triangle.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <random>

namespace tf_softras {
namespace {

TEST(HardTriangle, DepthIsLinearInItsInverse) {
  HardTriangle triangle({-1, 0, 1}, {1, 0, 3}, {0, 1, 2});
  ASSERT_TRUE(triangle.SetUp(0.0));
  double depth;
  ASSERT_TRUE(triangle.DepthAt(0.0, 0.0, &depth));
  // Half way along the edge from depth 1 to depth 3: 1 / mean(1, 1/3).
  EXPECT_DOUBLE_EQ(depth, 1.5);
  ASSERT_TRUE(triangle.DepthAt(0.0, 1.0, &depth));
  EXPECT_DOUBLE_EQ(depth, 2.0);
}

TEST(HardTriangle, UnderParallelProjectionDepthIsLinear) {
  HardTriangle triangle({-1, 0, 1}, {1, 0, 3}, {0, 1, 2.5});
  ASSERT_TRUE(triangle.SetUp(0.0, /*is_linear=*/true));
  double depth;
  ASSERT_TRUE(triangle.DepthAt(0.0, 0.0, &depth));
  EXPECT_DOUBLE_EQ(depth, 2.0);  // half way between 1 and 3
  ASSERT_TRUE(triangle.DepthAt(0.0, 0.5, &depth));
  EXPECT_DOUBLE_EQ(depth, 2.25);  // and from there half way to 2.5
}

TEST(HardTriangle, WeightsAreBarycentricAndTheirSlopesAreTheirDifferences) {
  // Clockwise, and so large that coordinates are scaled.
  for (const double size : {1.0, 0x1p+500}) {
    HardTriangle triangle({0, 0, 1}, {0, 2 * size, 1}, {4 * size, 0, 1});
    ASSERT_TRUE(triangle.SetUp(0.0));
    double weights[3], right[3], above[3];
    ASSERT_TRUE(triangle.WeightsAt(size, size, weights));
    ASSERT_TRUE(triangle.WeightsAt(1.125 * size, size, right));
    ASSERT_TRUE(triangle.WeightsAt(size, 1.125 * size, above));
    const double sum = weights[0] + weights[1] + weights[2];
    EXPECT_DOUBLE_EQ(weights[0] / sum, 0.25);
    EXPECT_DOUBLE_EQ(weights[1] / sum, 0.5);
    EXPECT_DOUBLE_EQ(weights[2] / sum, 0.25);
    for (int k = 0; k < 3; ++k) {
      EXPECT_DOUBLE_EQ(triangle.SlopeX(k) * 0.125 * size,
                       right[k] - weights[k]);
      EXPECT_DOUBLE_EQ(triangle.SlopeY(k) * 0.125 * size,
                       above[k] - weights[k]);
    }
    EXPECT_FALSE(triangle.WeightsAt(3 * size, size, weights));
  }
}

TEST(HardTriangle, CornersAndEdgesAreInside) {
  HardTriangle triangle({0, 0, 1}, {1, 0, 1}, {0, 1, 1});
  ASSERT_TRUE(triangle.SetUp(0.0));
  double depth;
  for (const auto& point : {ImageVertex{0, 0, 0},
                            {1, 0, 0},
                            {0, 1, 0},
                            {0.5, 0, 0},
                            {0.5, 0.5, 0}}) {
    EXPECT_TRUE(triangle.DepthAt(point.x, point.y, &depth));
  }
  for (const auto& point :
       {ImageVertex{-DBL_MIN, 0, 0}, {0.5, -DBL_MIN, 0}, {0.5, 0.5001, 0}}) {
    EXPECT_FALSE(triangle.DepthAt(point.x, point.y, &depth));
  }
}

TEST(HardTriangle, EveryPointNearASharedEdgeIsInOneOfTheFaces) {
  std::mt19937 generator(0);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  auto vertex = [&] {
    return ImageVertex{uniform(generator), uniform(generator), 1.0};
  };
  int on_both = 0;
  for (int i = 0; i < 20000; ++i) {
    const ImageVertex a = vertex(), b = vertex();
    // The opposite corners lie on either side of the edge.
    const double nx = -(b.y - a.y), ny = b.x - a.x;
    const double x = 0.5 * (a.x + b.x), y = 0.5 * (a.y + b.y);
    HardTriangle left(a, b, {x + nx, y + ny, 1.0});
    HardTriangle right(b, a, {x - nx, y - ny, 1.0});
    if (!left.SetUp(0.0) || !right.SetUp(0.0)) continue;
    // As near to the edge as a double can be.
    const double along = 0.5 + 0.4 * uniform(generator);
    double depth;
    const double px = a.x + along * (b.x - a.x);
    const double py = a.y + along * (b.y - a.y);
    const bool in_left = left.DepthAt(px, py, &depth);
    const bool in_right = right.DepthAt(px, py, &depth);
    EXPECT_TRUE(in_left || in_right);
    on_both += in_left && in_right;
  }
  EXPECT_LT(on_both, 20000);  // Both only where the edge function is exactly 0.
}

TEST(HardTriangle, FacesWithoutAreaOrTooNearAreLeftOut) {
  EXPECT_FALSE(HardTriangle({0, 0, 1}, {1, 1, 1}, {2, 2, 1}).SetUp(0.0));
  EXPECT_FALSE(HardTriangle({0, 0, 1}, {0, 0, 1}, {1, 0, 1}).SetUp(0.0));
  EXPECT_FALSE(HardTriangle({0, 0, 1}, {1, 0, 1}, {0, 1, 0}).SetUp(0.0));
  EXPECT_FALSE(HardTriangle({0, 0, 1}, {1, 0, 1}, {0, 1, 0.5}).SetUp(0.5));
  EXPECT_TRUE(HardTriangle({0, 0, 1}, {1, 0, 1}, {0, 1, 0.6}).SetUp(0.5));
}

TEST(HardTriangle, HugeCoordinatesKeepTheirInside) {
  HardTriangle triangle({-DBL_MAX, -DBL_MAX, 1}, {DBL_MAX, -DBL_MAX, 2},
                        {0, DBL_MAX, DBL_MAX});
  ASSERT_TRUE(triangle.SetUp(0.0));
  double depth;
  ASSERT_TRUE(triangle.DepthAt(0.25, -0.5, &depth));
  EXPECT_GE(depth, 1.0);
  EXPECT_TRUE(std::isfinite(depth));
}

TEST(HardTriangle, SliversCoverNothingBeyondTheirEnds) {
  // Corners on a line, except for rounding: the edge functions are noise all
  // along the line, and have equal signs at many of its points.
  std::mt19937 generator(0);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  int with_area = 0;
  for (int i = 0; i < 20000; ++i) {
    const double x = uniform(generator), y = uniform(generator);
    const double dx = uniform(generator), dy = uniform(generator);
    auto at = [&](double t) {
      return ImageVertex{x + t * dx, y + t * dy, 1.0};
    };
    HardTriangle sliver(at(0.0), at(0.3), at(0.7));
    if (!sliver.SetUp(0.0)) continue;
    ++with_area;
    double depth;
    for (const double t : {-0.4, 0.8, 1.5}) {
      EXPECT_FALSE(sliver.DepthAt(at(t).x, at(t).y, &depth));
    }
  }
  EXPECT_GT(with_area, 1000);
}

}  // namespace
}  // namespace tf_softras
