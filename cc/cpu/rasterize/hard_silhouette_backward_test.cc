#include "cc/cpu/rasterize/hard_silhouette_backward.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "cc/cpu/rasterize/hard_rasterize.h"
#include "cc/geometry/edge_sweep.h"
#include "cc/reference/schedules.h"

namespace tf_softras {
namespace {

// Random triangles in three batch items.
class HardSilhouetteBackwardTest : public ::testing::Test {
 protected:
  std::vector<float> Gradient(float size, const ParallelFor& parallel_for) {
    std::mt19937 generator(0);
    std::uniform_real_distribution<float> xy(-size, size), z(0.5f, 3.0f);
    std::vector<float> vertices;
    for (int i = 0; i < kBatch * kVertices; ++i) {
      vertices.insert(vertices.end(),
                      {xy(generator), xy(generator), z(generator)});
    }
    std::uniform_int_distribution<int32_t> index(0, kVertices - 1);
    std::vector<int32_t> faces;
    for (int i = 0; i < 3 * kFaces; ++i) faces.push_back(index(generator));
    RasterizeInputs<float> inputs;
    inputs.vertices = vertices.data();
    inputs.faces = faces.data();
    inputs.batch = kBatch;
    inputs.num_vertices = kVertices;
    inputs.num_faces = kFaces;
    inputs.height = kHeight;
    inputs.width = kWidth;

    const int64_t pixels = kBatch * kHeight * kWidth;
    std::vector<int32_t> face_index(pixels);
    std::vector<float> depth(pixels), upstream(pixels);
    HardRasterize(inputs, face_index.data(), depth.data(), Serial);
    std::normal_distribution<float> normal;
    for (float& value : upstream) value = normal(generator);
    // Stale values, which must all be overwritten.
    std::vector<float> gradient(vertices.size(), -77.0f);
    HardSilhouetteBackward(inputs, face_index.data(), upstream.data(),
                           gradient.data(), parallel_for);
    return gradient;
  }

  static constexpr int kBatch = 3, kVertices = 30, kFaces = 50;
  static constexpr int kHeight = 33, kWidth = 47;
};

TEST_F(HardSilhouetteBackwardTest, TheScheduleChangesNoBit) {
  const std::vector<float> serial = Gradient(1.3f, Serial);
  EXPECT_TRUE(SameBits(serial, Gradient(1.3f, Backwards)));
  EXPECT_TRUE(SameBits(serial, Gradient(1.3f, FourThreads)));
}

TEST_F(HardSilhouetteBackwardTest, EveryFiniteVertexGivesAFiniteGradient) {
  for (const float size : {1e-30f, 1e-3f, 1.0f, 1e5f, 3e38f}) {
    for (const float value : Gradient(size, Serial)) {
      ASSERT_TRUE(std::isfinite(value)) << size;
    }
  }
}

TEST(EdgeSweepTest, PassesAPointOnceAVertexHasMovedByItsShare) {
  const LineVertex from = {2.0, 1.0}, to = {5.0, 9.0}, opposite = {0.0, 6.0};
  const EdgeSweep edge(from, to, opposite);
  ASSERT_TRUE(edge.crossed());
  EXPECT_EQ(edge.outward(), 1);  // The triangle lies before the edge.
  EXPECT_EQ(EdgeSweep(to, from, opposite).outward(), 1);
  EXPECT_EQ(EdgeSweep(from, to, {9.0, 6.0}).outward(), -1);
  EXPECT_DOUBLE_EQ(edge.Crossing(5.0), 3.5);
  for (const double line : {1.0, 3.0, 5.0, 9.0}) {
    const double move = 0.75;
    const EdgeSweep moved({from.along + move, from.line}, to, opposite);
    EXPECT_DOUBLE_EQ(moved.Crossing(line) - edge.Crossing(line),
                     move * edge.share_of_from(line));
    EXPECT_DOUBLE_EQ(edge.share_of_from(line) + edge.share_of_to(line), 1.0);
  }
}

TEST(EdgeSweepTest, IsNotCrossedAlongALineOrWithoutAnArea) {
  EXPECT_FALSE(EdgeSweep({0.0, 1.0}, {5.0, 1.0}, {2.0, 3.0}).crossed());
  EXPECT_FALSE(EdgeSweep({0.0, 0.0}, {2.0, 2.0}, {1.0, 1.0}).crossed());
}

}  // namespace
}  // namespace tf_softras
