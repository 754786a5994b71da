#include "cc/geometry/soft_triangle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tf_softras {
namespace {

// Finds the distance to a segment by walking along it: slow, and unlike the
// code under test.
double WalkedDistance(Point2 p, Point2 a, Point2 b) {
  double best = INFINITY;
  double low = 0, high = 1;
  for (int round = 0; round < 60; ++round) {
    const double t1 = low + (high - low) / 3, t2 = high - (high - low) / 3;
    const auto distance = [&](double t) {
      return std::hypot(p.x - (a.x + t * (b.x - a.x)),
                        p.y - (a.y + t * (b.y - a.y)));
    };
    if (distance(t1) < distance(t2)) {
      high = t2;
    } else {
      low = t1;
    }
    best = std::min({best, distance(t1), distance(t2)});
  }
  return best;
}

// Decides by the winding angle whether a point is inside.
bool WindsAround(Point2 p, const Point2* v) {
  double total = 0;
  for (int k = 0; k < 3; ++k) {
    const Point2 a = {v[k].x - p.x, v[k].y - p.y};
    const Point2 b = {v[(k + 1) % 3].x - p.x, v[(k + 1) % 3].y - p.y};
    total += std::atan2(a.x * b.y - a.y * b.x, a.x * b.x + a.y * b.y);
  }
  return std::fabs(total) > M_PI;
}

template <typename T>
TriangleSample<T> SampleAt(Point2 p, const Point2* v, Point2 origin) {
  const Triangle triangle = MakeTriangle<T>(v[0], v[1], v[2]);
  return Sample(Localize<T>(triangle, origin), static_cast<T>(p.x - origin.x),
                static_cast<T>(p.y - origin.y));
}

TEST(SoftTriangleTest, AgreesWithWalkedDistanceAndWindingAngle) {
  std::mt19937 random(0);
  std::uniform_real_distribution<double> uniform(-2, 2);
  for (int trial = 0; trial < 2000; ++trial) {
    Point2 v[3];
    for (Point2& corner : v) corner = {uniform(random), uniform(random)};
    const Point2 p = {uniform(random), uniform(random)};
    const Point2 origin = {p.x + 0.1, p.y - 0.05};
    double distance = INFINITY;
    for (int k = 0; k < 3; ++k) {
      distance = std::min(distance, WalkedDistance(p, v[k], v[(k + 1) % 3]));
    }
    const auto sample = SampleAt<double>(p, v, origin);
    EXPECT_NEAR(std::sqrt(sample.squared_distance), distance, 1e-9);
    EXPECT_EQ(sample.inside, WindsAround(p, v));
    // Near the origin a float sample is as exact as its coordinates: |q| 2^-24
    // and a few more.
    const auto rounded = SampleAt<float>(p, v, origin);
    EXPECT_NEAR(std::sqrt(rounded.squared_distance), distance, 1e-6);
  }
}

TEST(SoftTriangleTest, OrientationDoesNotMatter) {
  const Point2 v[3] = {{0, 0}, {1, 0.2}, {0.3, 1}};
  const Point2 w[3] = {v[0], v[2], v[1]};
  for (const Point2 p : {Point2{0.3, 0.3}, Point2{-0.5, 0.2}}) {
    const auto a = SampleAt<double>(p, v, p), b = SampleAt<double>(p, w, p);
    EXPECT_EQ(SignedSquaredDistance(a), SignedSquaredDistance(b));
  }
}

TEST(SoftTriangleTest, PointOnAnEdgeIsAtDistanceZero) {
  const Point2 v[3] = {{0, 0}, {1, 0}, {0, 1}};
  EXPECT_EQ(SampleAt<double>({0.25, 0}, v, {0.25, 0}).squared_distance, 0);
  EXPECT_EQ(SampleAt<double>({1, 0}, v, {0.5, 0}).squared_distance, 0);
}

TEST(SoftTriangleTest, WithoutAreaItIsItsLongestEdge) {
  const Point2 v[3] = {{0, 0}, {1, 1}, {3, 3}};
  const auto sample = SampleAt<double>({3, 4}, v, {3, 4});
  EXPECT_FALSE(sample.inside);
  EXPECT_NEAR(sample.squared_distance, 1, 1e-15);
  const Triangle triangle = MakeTriangle<double>(v[0], v[1], v[2]);
  EXPECT_FALSE(triangle.has_area);
  EXPECT_FALSE(triangle.edges[0].present);
  EXPECT_FALSE(triangle.edges[1].present);
  EXPECT_TRUE(triangle.edges[2].present);
}

TEST(SoftTriangleTest, WithoutLengthItIsAPoint) {
  const Point2 v[3] = {{1, 1}, {1, 1}, {1, 1}};
  EXPECT_NEAR(SampleAt<double>({4, 5}, v, {4, 4}).squared_distance, 25, 1e-12);
  EXPECT_FALSE(SampleAt<double>({1, 1}, v, {1, 1}).inside);
}

TEST(SoftTriangleTest, TipOfASliverClaimsNothingBeyond) {
  const Point2 v[3] = {{-1, 0}, {-1, 1e-8}, {0, 5e-9}};
  for (double x = 0.01; x < 2; x += 0.01) {
    for (int k = -3; k <= 3; ++k) {
      const auto sample =
          SampleAt<float>({x, 5e-9 + k * 1e-9}, v, {x - 0.03, 0.02});
      EXPECT_FALSE(sample.inside) << x;
    }
  }
}

TEST(SoftTriangleTest, HugeAndTinyTrianglesStayFinite) {
  for (const double size : {1e-320, 1e-200, 1e-30, 1e30, 1e200, 1.7e308}) {
    const Point2 v[3] = {{-size, -size}, {size, -size}, {0, size}};
    const auto sample = SampleAt<double>({0, 0}, v, {0.1, 0.1});
    EXPECT_TRUE(std::isfinite(sample.squared_distance)) << size;
    const auto rounded = SampleAt<float>({0, 0}, v, {0.1, 0.1});
    EXPECT_TRUE(std::isfinite(rounded.squared_distance)) << size;
    EXPECT_EQ(rounded.inside, size >= 1e-7) << size;
  }
}

TEST(SoftTriangleTest, ClosestPointGivesTheDerivativeOfTheSquaredDistance) {
  const Point2 v[3] = {{-0.6, -0.5}, {0.8, -0.3}, {0.1, 0.9}};
  // Nearest to an edge from outside, to a corner, to an edge from inside.
  for (const Point2 p : {Point2{0.1, -0.7}, Point2{1.2, -0.4}, Point2{0, 0.1},
                         Point2{0.6, 0.5}, Point2{-0.5, 0.3}}) {
    const auto local =
        Localize<double>(MakeTriangle<double>(v[0], v[1], v[2]), p);
    const auto closest = ClosestPoint(local, Sample(local, 0.0, 0.0));
    EXPECT_NEAR(closest.corners[0] + closest.corners[1] + closest.corners[2], 1,
                1e-15);
    for (int corner = 0; corner < 3; ++corner) {
      for (double Point2::*axis : {&Point2::x, &Point2::y}) {
        Point2 moved[3] = {v[0], v[1], v[2]};
        moved[corner].*axis += 1e-6;
        const double above = SampleAt<double>(p, moved, p).squared_distance;
        moved[corner].*axis -= 2e-6;
        const double below = SampleAt<double>(p, moved, p).squared_distance;
        const double r = axis == &Point2::x ? closest.rx : closest.ry;
        EXPECT_NEAR((above - below) / 2e-6, -2 * closest.corners[corner] * r,
                    1e-8);
      }
    }
  }
}

// The corners lie up to 0.25 from the origin, so a function of them is off by a
// few units of 2^-24 of that.
TEST(NearTriangleTest, FloatAgreesWithDouble) {
  std::mt19937 random(0);
  std::uniform_real_distribution<float> uniform(-0.24f, 0.24f);
  for (int trial = 0; trial < 2000; ++trial) {
    const Point2 origin = {0.7 + 1.0 / 3, -0.3};
    float x[3], y[3];
    Point2 v[3];
    for (int k = 0; k < 3; ++k) {
      x[k] = static_cast<float>(origin.x) + uniform(random);
      y[k] = static_cast<float>(origin.y) + uniform(random);
      v[k] = {x[k], y[k]};
    }
    const NearTriangle<float> triangle(x, y, origin);
    EXPECT_TRUE(triangle.IsNear());
    const LocalTriangle<float> local = triangle.Localize();
    const LocalTriangle<double> truth =
        Localize<double>(MakeTriangle<double>(v[0], v[1], v[2]), origin);
    EXPECT_EQ(local.inside_above, 0);
    for (int k = 0; k < 3; ++k) {
      const LocalEdge<float>& a = local.edges[k];
      const LocalEdge<double>& b = truth.edges[k];
      EXPECT_NEAR(a.nx, b.nx, 0x1p-22);
      EXPECT_NEAR(a.ny, b.ny, 0x1p-22);
      EXPECT_NEAR(a.ux, b.ux, 0x1p-22);
      EXPECT_NEAR(a.uy, b.uy, 0x1p-22);
      EXPECT_NEAR(a.c, b.c, 0x1p-24);
      EXPECT_NEAR(a.ta, b.ta, 0x1p-23);
      EXPECT_NEAR(a.tb, b.tb, 0x1p-23);
      EXPECT_NEAR(a.inverse_length * 1e-7, b.inverse_length * 1e-7,
                  1e-7 * 0x1p-22 * b.inverse_length);
    }
  }
}

TEST(NearTriangleTest, LeavesFarAndDegenerateOnesToDouble) {
  const Point2 origin = {0, 0};
  const float y[] = {0.0f, 0.0f, 0.1f};
  EXPECT_TRUE(NearTriangle<float>({0.0f, 0.1f, 0.2f}, y, origin).IsNear());
  // A corner far away.
  EXPECT_FALSE(NearTriangle<float>({0.0f, 0.3f, 0.2f}, y, origin).IsNear());
  EXPECT_FALSE(NearTriangle<float>({0.0f, 3e38f, 0.2f}, y, origin).IsNear());
  // An edge whose square is denormal.
  EXPECT_FALSE(NearTriangle<float>({0.0f, 1e-20f, 0.2f}, y, origin).IsNear());
  // No area.
  EXPECT_FALSE(
      NearTriangle<float>({0.0f, 0.1f, 0.2f}, {0.0f, 0.0f, 0.0f}, origin)
          .IsNear());
}

}  // namespace
}  // namespace tf_softras
