#include "cc/cpu/pixel_walk.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

namespace tf_softras {
namespace {

constexpr int kFaces = PixelWalk<double>::kFaces;

// kFaces faces, each of them with three vertices of its own.
template <typename T>
struct Faces {
  std::vector<T> vertices;
  std::vector<int32_t> indices;
  MeshItem<T> item;

  Faces(T size, double radius, std::mt19937& random) {
    std::uniform_real_distribution<T> uniform(-1, 1);
    for (int face = 0; face < kFaces; ++face) {
      const T x = uniform(random), y = uniform(random);
      for (int corner = 0; corner < 3; ++corner) {
        vertices.push_back(x + size * uniform(random));
        // Some have a horizontal edge.
        vertices.push_back(face % 4 < 2 - corner ? y
                                                 : y + size * uniform(random));
        vertices.push_back(T(1));
        indices.push_back(3 * face + corner);
      }
    }
    // The first one has no area.
    for (int corner = 0; corner < 3; ++corner) {
      vertices[3 * corner + 1] = vertices[1];
    }
    item.vertices = vertices.data();
    item.faces = indices.data();
    item.plane = {64, 72};
    item.near = T(0);
    item.radius = radius;
  }
};

template <typename T>
class PixelWalkTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(PixelWalkTest, Types);

// Walks all faces but the last, which is left out.
TYPED_TEST(PixelWalkTest, VisitsEachPixelWithinReachOnce) {
  constexpr int32_t kStride = 100, kNoPixel = 100000;
  std::mt19937 random(0);
  int64_t visited = 0, in_rectangles = 0;
  for (int trial = 0; trial < 100; ++trial) {
    const double radius = trial % 4 * 0.03;
    const Faces<TypeParam> faces(TypeParam(0.02) * (1 + trial % 7), radius,
                                 random);
    const ImagePlane plane = faces.item.plane;
    FaceBatch<TypeParam> batch;
    batch.SetUp(
        faces.item, kFaces, [](int lane) { return lane; }, plane.bounds());
    int32_t is_in[kFaces];
    for (int lane = 0; lane < kFaces; ++lane) {
      is_in[lane] = lane < kFaces - 1 && !batch.rect(lane).empty();
    }
    PixelWalk<TypeParam> walk;
    walk.Start(batch, is_in, plane, radius, kStride, kNoPixel);
    std::map<int32_t, int> visits[kFaces];
    for (int32_t pixel = 0; pixel < walk.most(); ++pixel) {
      walk.Next(pixel, [&](int lane, int32_t place, TypeParam qx,
                           TypeParam qy) {
        if (place >= kNoPixel) return;
        ++visits[lane][place];
        const PixelRect rect = batch.rect(lane);
        EXPECT_NEAR(qx, plane.step() * (place % kStride - MiddleColumn(rect)),
                    1e-6);
        EXPECT_NEAR(qy, plane.step() * (MiddleRow(rect) - place / kStride),
                    1e-6);
      });
    }
    for (int lane = 0; lane < kFaces; ++lane) {
      for (const auto& [place, times] : visits[lane]) EXPECT_EQ(times, 1);
      visited += static_cast<int64_t>(visits[lane].size());
      if (!is_in[lane]) {
        EXPECT_TRUE(visits[lane].empty());
        continue;
      }
      const PixelRect rect = batch.rect(lane);
      const Triangle triangle = faces.item.MakeFace(lane);
      for (int64_t row = rect.row_begin; row < rect.row_end; ++row) {
        for (int64_t column = rect.column_begin; column < rect.column_end;
             ++column) {
          ++in_rectangles;
          const Point2 p = {plane.x(static_cast<double>(column)),
                            plane.y(static_cast<double>(row))};
          const auto sample = Sample(Localize<double>(triangle, p), 0.0, 0.0);
          if (sample.inside || sample.squared_distance <= radius * radius) {
            EXPECT_EQ(visits[lane].count(
                          static_cast<int32_t>(row * kStride + column)),
                      1u)
                << row << " " << column << " of face " << lane;
          }
        }
      }
    }
  }
  EXPECT_GT(visited, 10000);
  EXPECT_LT(visited, 0.8 * static_cast<double>(in_rectangles));
}

}  // namespace
}  // namespace tf_softras
