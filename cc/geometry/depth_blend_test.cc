#include "cc/geometry/depth_blend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace tf_softras {
namespace {

DepthBlend<double> Blend(double sigma, double gamma, double min_coverage) {
  DepthBlend<double> blend;
  blend.inverse_sigma = 1 / sigma;
  blend.cutoff = CoverageCutoff(min_coverage);
  blend.far = 10;
  blend.inverse_range = 1 / (10 - 0.5);
  blend.inverse_gamma = 1 / gamma;
  blend.background_level = 1e-3;
  return blend;
}

struct Face {
  double position[3][3];  // x, y, z of each corner
  double value[3];
};

struct Seen {
  LocalTriangle<double> triangle;
  EdgeShares<double> shares;
  FaceDepths<double> depths;
  ShadedPair<double> pair;

  Seen(const Face& face, const DepthBlend<double>& blend)
      : triangle(Localize<double>(
            MakeTriangle<double>({face.position[0][0], face.position[0][1]},
                                 {face.position[1][0], face.position[1][1]},
                                 {face.position[2][0], face.position[2][1]}),
            {0, 0})),
        shares(MakeEdgeShares(triangle)),
        depths(MakeFaceDepths(face.position[0][2], face.position[1][2],
                              face.position[2][2])),
        pair(Shade(blend, triangle, shares, depths, 0.0, 0.0)) {}

  double Value(const Face& face) const {
    double sum = 0;
    for (int k = 0; k < 3; ++k) sum += pair.at.weights[k] * face.value[k];
    return sum;
  }
};

constexpr double kBackground = -0.25;

// The pixel at the origin: its value, nearest level and sum of weights.
struct Pixel {
  double value, level, total;
};

Pixel Shown(const std::vector<Face>& faces, const DepthBlend<double>& blend) {
  Pixel pixel = {kBackground, blend.background_level, 1};
  for (const Face& face : faces) {
    const Seen seen(face, blend);
    const BlendStep<double> step = Step(blend, pixel.level, seen.pair);
    pixel.value = pixel.value * step.keep + step.weight * seen.Value(face);
    pixel.total = pixel.total * step.keep + step.weight;
    pixel.level = step.level;
  }
  pixel.value /= pixel.total;
  return pixel;
}

std::vector<Face> RandomFaces(int count, std::mt19937& random) {
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<Face> faces(count);
  for (Face& face : faces) {
    for (int k = 0; k < 3; ++k) {
      face.position[k][0] = uniform(random);
      face.position[k][1] = uniform(random);
      face.position[k][2] = 3 + uniform(random);
      face.value[k] = uniform(random);
    }
  }
  return faces;
}

TEST(DepthBlendTest, CutoffIsWhereCoverageIsTheLeast) {
  for (const double coverage : {1e-30, 1e-4, 0.01, 0.5}) {
    const double x = -CoverageCutoff(coverage);
    EXPECT_NEAR(1 / (1 + std::exp(-x)) / coverage, 1, 1e-12);
  }
}

// The definition in long double, from logarithms, less the largest of them.
TEST(DepthBlendTest, StepsInAnyOrderAreTheSoftmax) {
  std::mt19937 random(0);
  for (const double gamma : {1e-9, 1e-6, 1e-4, 1e-1, 10.0}) {
    const DepthBlend<double> blend = Blend(0.1, gamma, 1e-4);
    std::vector<Face> faces = RandomFaces(12, random);
    std::vector<long double> logs = {1e-3L / gamma};
    std::vector<long double> values = {kBackground};
    for (const Face& face : faces) {
      const Seen seen(face, blend);
      const long double x =
          SignedSquaredDistance(Sample(seen.triangle, 0.0, 0.0)) * 1.0L / 0.1L;
      if (x < -blend.cutoff) continue;
      logs.push_back((10 - (long double)seen.pair.at.depth) / 9.5L / gamma -
                     std::log1p(std::exp(-x)));
      values.push_back(seen.Value(face));
    }
    EXPECT_GT(logs.size(), 4u);
    const long double most = *std::max_element(logs.begin(), logs.end());
    long double sum = 0, total = 0;
    for (size_t i = 0; i < logs.size(); ++i) {
      sum += std::exp(logs[i] - most) * values[i];
      total += std::exp(logs[i] - most);
    }
    for (int i = 0; i < 5; ++i) {
      std::shuffle(faces.begin(), faces.end(), random);
      EXPECT_NEAR(Shown(faces, blend).value, static_cast<double>(sum / total),
                  1e-13 + 1e-15 / gamma);
    }
  }
}

TEST(DepthBlendTest, PairsBelowTheLeastCoverageChangeNothing) {
  const DepthBlend<double> blend = Blend(1e-3, 1e-4, 1e-4);
  const Face far_away = {{{0.3, 0, 1}, {0.5, 0.1, 1}, {0.5, -0.1, 1}},
                         {1, 1, 1}};
  const Face near_by = {{{0.05, 0, 1}, {0.5, 0.1, 1}, {0.5, -0.1, 1}},
                        {1, 1, 1}};
  EXPECT_EQ(Shown({far_away}, blend).value, kBackground);
  EXPECT_EQ(Shown({far_away}, blend).total, 1);
  EXPECT_NEAR(Shown({near_by}, blend).value, 1, 1e-12);
}

TEST(DepthBlendTest, LevelsFallFromNearToFarAndBeyond) {
  const DepthBlend<double> blend = Blend(1, 1, 1e-4);
  EXPECT_DOUBLE_EQ(blend.Level(0.5), 1);
  EXPECT_DOUBLE_EQ(blend.Level(10), 0);
  EXPECT_DOUBLE_EQ(blend.Level(19.5), -1);
}

// Checks every coordinate of the first face, and the values of its corners.
TEST(DepthBlendTest, GradientOfAPairIsThatOfDifferences) {
  std::mt19937 random(1);
  const DepthBlend<double> blend = Blend(0.3, 0.05, 1e-4);
  for (int i = 0; i < 200; ++i) {
    const std::vector<Face> faces = RandomFaces(3, random);
    const Pixel pixel = Shown(faces, blend);
    const Seen seen(faces[0], blend);
    if (!seen.pair.counts) continue;
    const double weight = seen.pair.coverage *
                          blend.Falloff(pixel.level - seen.pair.level) /
                          pixel.total;
    const auto gradient = GradientOfPair(
        blend, seen.triangle, seen.shares, seen.depths, seen.pair, 0.0, 0.0,
        BlendedLoss(seen.pair, weight, faces[0].value, pixel.value));
    for (int k = 0; k < 3; ++k) {
      const double expected[3] = {gradient.x[k], gradient.y[k], gradient.z[k]};
      const double scale = 1 + std::fabs(expected[0]) + std::fabs(expected[1]);
      const double step = 1e-6;
      for (int axis = 0; axis < 3; ++axis) {
        std::vector<Face> more = faces, less = faces;
        more[0].position[k][axis] += step;
        less[0].position[k][axis] -= step;
        const double difference =
            (Shown(more, blend).value - Shown(less, blend).value) / (2 * step);
        EXPECT_NEAR(expected[axis], difference, 1e-5 * scale * scale);
      }
      std::vector<Face> more = faces;
      more[0].value[k] += 1;
      EXPECT_NEAR(weight * seen.pair.at.weights[k],
                  Shown(more, blend).value - pixel.value, 1e-12);
    }
  }
}

}  // namespace
}  // namespace tf_softras
