#include "cc/cpu/rasterize/hard_rasterize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "cc/reference/schedules.h"

namespace tf_softras {
namespace {

struct Images {
  std::vector<int32_t> face_index;
  std::vector<float> depth;
};

// Random triangles in three batch items.
class HardRasterizeTest : public ::testing::Test {
 protected:
  HardRasterizeTest() {
    std::mt19937 generator(0);
    std::uniform_real_distribution<float> xy(-1.3f, 1.3f), z(0.5f, 3.0f);
    for (int i = 0; i < kBatch * kVertices; ++i) {
      vertices_.insert(vertices_.end(),
                       {xy(generator), xy(generator), z(generator)});
    }
    std::uniform_int_distribution<int32_t> index(0, kVertices - 1);
    for (int i = 0; i < 3 * kFaces; ++i) faces_.push_back(index(generator));
  }

  Images Draw(int64_t height, int64_t width,
              const ParallelFor& parallel_for) const {
    // Stale values, which must all be overwritten.
    Images images = {std::vector<int32_t>(kBatch * height * width, -77),
                     std::vector<float>(kBatch * height * width, -77.0f)};
    RasterizeInputs<float> inputs;
    inputs.vertices = vertices_.data();
    inputs.faces = faces_.data();
    inputs.batch = kBatch;
    inputs.num_vertices = kVertices;
    inputs.num_faces = kFaces;
    inputs.height = height;
    inputs.width = width;

    HardRasterize(inputs, images.face_index.data(), images.depth.data(),
                  parallel_for);
    return images;
  }

  static constexpr int kBatch = 3, kVertices = 30, kFaces = 50;
  std::vector<float> vertices_;
  std::vector<int32_t> faces_;
};

TEST_F(HardRasterizeTest, TheScheduleChangesNoBit) {
  for (const auto& [height, width] : {std::pair{33, 47}, {1, 1}, {2, 90}}) {
    const Images once = Draw(height, width, Serial);
    const Images backwards = Draw(height, width, Backwards);
    EXPECT_EQ(once.face_index, backwards.face_index);
    EXPECT_EQ(once.depth, backwards.depth);
  }
}

TEST_F(HardRasterizeTest, EveryPixelIsWritten) {
  const Images images = Draw(40, 24, Serial);
  for (size_t i = 0; i < images.depth.size(); ++i) {
    if (images.face_index[i] < 0) {
      EXPECT_EQ(images.face_index[i], -1);
      EXPECT_EQ(images.depth[i], 0.0f);
    } else {
      EXPECT_LT(images.face_index[i], kFaces);
      EXPECT_GT(images.depth[i], 0.0f);
    }
  }
}

}  // namespace
}  // namespace tf_softras
