#include "cc/geometry/interpolation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace tf_softras {
namespace {

struct Face {
  double x[3], y[3], z[3];
};

// A face as the pixel at the origin sees it.
struct Seen {
  LocalTriangle<double> triangle;
  TriangleSample<double> sample;
  Closest<double> closest;
  EdgeShares<double> shares;
  FacePoint<double> point;
  FaceDepths<double> depths;
  Interpolation<double> at;

  explicit Seen(const Face& f, bool is_linear = false)
      : triangle(Localize<double>(
            MakeTriangle<double>({f.x[0], f.y[0]}, {f.x[1], f.y[1]},
                                 {f.x[2], f.y[2]}),
            {0, 0})),
        sample(Sample(triangle, 0.0, 0.0)),
        closest(ClosestPoint(triangle, sample)),
        shares(MakeEdgeShares(triangle)),
        depths(MakeFaceDepths(f.z[0], f.z[1], f.z[2], is_linear)) {
    PointOnFace(shares, sample, closest, &point);
    at = Interpolate(depths, point.coordinates, point.sum);
  }
};

Face RandomFace(std::mt19937& random) {
  std::uniform_real_distribution<double> uniform(-1, 1);
  Face face;
  for (int k = 0; k < 3; ++k) {
    face.x[k] = uniform(random);
    face.y[k] = uniform(random);
    face.z[k] = 3 + uniform(random);
  }
  return face;
}

TEST(InterpolationTest, CoordinatesGiveThePixelOrTheClosestPoint) {
  std::mt19937 random(0);
  int inside = 0, ends = 0;
  for (int i = 0; i < 1000; ++i) {
    const Face face = RandomFace(random);
    const Seen seen(face);
    double x = 0, y = 0, sum = 0, smallest = 1;
    for (int k = 0; k < 3; ++k) {
      const double b = seen.point.coordinates[k] / seen.point.sum;
      x += b * face.x[k];
      y += b * face.y[k];
      sum += b;
      smallest = std::min(smallest, b);
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_GE(smallest, 0);
    EXPECT_NEAR(x, seen.point.inside ? 0 : -seen.closest.rx, 1e-9);
    EXPECT_NEAR(y, seen.point.inside ? 0 : -seen.closest.ry, 1e-9);
    inside += seen.point.inside;
    ends += !seen.point.inside && seen.closest.inverse_length == 0;
  }
  EXPECT_GT(inside, 50);
  EXPECT_GT(ends, 50);
}

TEST(InterpolationTest, FacesWithoutAreaHaveAPoint) {
  const Seen segment({{-1, 1, 0}, {0.5, 0.5, 0.5}, {1, 2, 3}});
  EXPECT_FALSE(segment.point.inside);
  EXPECT_NEAR(segment.point.coordinates[0], 0.5, 1e-15);
  EXPECT_NEAR(segment.point.coordinates[1], 0.5, 1e-15);
  EXPECT_EQ(segment.point.coordinates[2], 0);
  // 1/z halfway between 1 and 1/2.
  EXPECT_NEAR(segment.at.depth, 4.0 / 3, 1e-15);
  const Seen point({{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}, {1, 2, 3}});
  EXPECT_EQ(point.point.coordinates[0], 1);
  EXPECT_EQ(point.at.depth, 1);
}

// The ray (0, 0, z) meets the plane through the corners (x z, y z, z).
TEST(InterpolationTest, DepthAndWeightsAreThoseOfTheRayInSpace) {
  std::mt19937 random(1);
  int inside = 0;
  for (int i = 0; i < 1000; ++i) {
    const Face f = RandomFace(random);
    const Seen seen(f);
    if (!seen.point.inside) continue;
    ++inside;
    double space[3] = {0, 0, 0};
    for (int k = 0; k < 3; ++k) {
      space[0] += seen.at.weights[k] * f.x[k] * f.z[k];
      space[1] += seen.at.weights[k] * f.y[k] * f.z[k];
      space[2] += seen.at.weights[k] * f.z[k];
    }
    EXPECT_NEAR(space[0], 0, 1e-9);
    EXPECT_NEAR(space[1], 0, 1e-9);
    EXPECT_NEAR(space[2], seen.at.depth, 1e-9);
  }
  EXPECT_GT(inside, 50);
}

// Parallel projection: the point (0, 0, z) of the plane through the corners.
TEST(InterpolationTest, LinearDepthAndWeightsAreThoseOfThePlane) {
  std::mt19937 random(3);
  int inside = 0;
  for (int i = 0; i < 1000; ++i) {
    const Face f = RandomFace(random);
    const Seen seen(f, /*is_linear=*/true);
    if (!seen.point.inside) continue;
    ++inside;
    double space[3] = {0, 0, 0};
    for (int k = 0; k < 3; ++k) {
      space[0] += seen.at.weights[k] * f.x[k];
      space[1] += seen.at.weights[k] * f.y[k];
      space[2] += seen.at.weights[k] * f.z[k];
    }
    EXPECT_NEAR(space[0], 0, 1e-9);
    EXPECT_NEAR(space[1], 0, 1e-9);
    EXPECT_NEAR(space[2], seen.at.depth, 1e-9);
  }
  EXPECT_GT(inside, 50);
}

TEST(InterpolationTest, AnyPositiveDepthsAreFinite) {
  for (const double z : {1e-300, 1e-40, 1.0, 1e38, 1e300}) {
    const FaceDepths<double> depths = MakeFaceDepths(z, 1.0, 1 / z);
    const double corner[3] = {0, 0, 1};
    const Interpolation<double> at = Interpolate(depths, corner, 1.0);
    EXPECT_TRUE(std::isfinite(at.depth));
    EXPECT_EQ(at.weights[2], 1);
    EXPECT_GT(at.depth, 0);
  }
}

// Every coordinate of every corner, for points inside, on edges and at ends:
// of a loss of weights and depth.
void CheckGradients(bool is_linear) {
  const double by_weight[3] = {0.3, -1.1, 0.7};
  const double by_depth = 0.4;
  const auto loss = [&](const Face& face) {
    const Seen seen(face, is_linear);
    double sum = by_depth * seen.at.depth;
    for (int k = 0; k < 3; ++k) sum += by_weight[k] * seen.at.weights[k];
    return sum;
  };
  std::mt19937 random(2);
  for (int i = 0; i < 300; ++i) {
    const Face face = RandomFace(random);
    const Seen seen(face, is_linear);
    const double* w = seen.at.weights;
    double mean = 0;
    for (int k = 0; k < 3; ++k) mean += w[k] * by_weight[k];
    const double deviation[3] = {by_weight[0] - mean, by_weight[1] - mean,
                                 by_weight[2] - mean};
    const auto gradient =
        GradientOfInterpolation(seen.depths, seen.point.coordinates,
                                seen.point.sum, seen.at, deviation, by_depth);
    const auto corners = GradientOfPoint(seen.triangle, seen.shares, seen.point,
                                         seen.closest, gradient.coordinates);
    const double step = 1e-6;
    for (int k = 0; k < 3; ++k) {
      Face more = face, less = face;
      more.x[k] += step, less.x[k] -= step;
      const double dx = (loss(more) - loss(less)) / (2 * step);
      more = less = face;
      more.y[k] += step, less.y[k] -= step;
      const double dy = (loss(more) - loss(less)) / (2 * step);
      more = less = face;
      more.z[k] += step, less.z[k] -= step;
      const double dz = (loss(more) - loss(less)) / (2 * step);
      const double scale =
          1 + std::fabs(corners.x[k]) + std::fabs(corners.y[k]);
      EXPECT_NEAR(corners.x[k], dx, 1e-5 * scale * scale);
      EXPECT_NEAR(corners.y[k], dy, 1e-5 * scale * scale);
      EXPECT_NEAR(gradient.depths[k], dz, 1e-8);
    }
  }
}

TEST(InterpolationTest, GradientsAreThoseOfDifferences) {
  CheckGradients(/*is_linear=*/false);
}

TEST(InterpolationTest, LinearGradientsAreThoseOfDifferences) {
  CheckGradients(/*is_linear=*/true);
}

}  // namespace
}  // namespace tf_softras
