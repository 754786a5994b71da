#include "cc/geometry/image_plane.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tf_softras {
namespace {

TEST(ImagePlaneTest, CornersOfASquareImage) {
  const ImagePlane plane = {4, 4};
  EXPECT_DOUBLE_EQ(plane.x(0), -0.75);
  EXPECT_DOUBLE_EQ(plane.x(3), 0.75);
  EXPECT_DOUBLE_EQ(plane.y(0), 0.75);  // row 0 is the top
  EXPECT_DOUBLE_EQ(plane.y(3), -0.75);
}

TEST(ImagePlaneTest, TheShorterSideSpansTwo) {
  const ImagePlane wide = {2, 6}, tall = {6, 2};
  EXPECT_DOUBLE_EQ(wide.y(0), 0.5);
  EXPECT_DOUBLE_EQ(wide.x(5), 2.5);
  EXPECT_DOUBLE_EQ(tall.x(0), -0.5);
  EXPECT_DOUBLE_EQ(tall.y(0), 2.5);
  EXPECT_DOUBLE_EQ(wide.step(), 1.0);
}

// Every pixel of every small image against every rectangle of a grid.
TEST(ImagePlaneTest, PixelsInsideAreThoseWhoseCentresAre) {
  for (const ImagePlane plane : {ImagePlane{5, 5}, {3, 7}, {7, 3}, {1, 1}}) {
    for (double low = -3; low < 3; low += 0.31) {
      for (double high = low; high < 3.5; high += 0.43) {
        const PixelRect rect =
            PixelsInside(plane, plane.bounds(), low, high, low, high)
                .ToPixels();
        for (int64_t row = 0; row < plane.height; ++row) {
          for (int64_t column = 0; column < plane.width; ++column) {
            const double x = plane.x(column), y = plane.y(row);
            const bool inside = x >= low && x <= high && y >= low && y <= high;
            const bool listed = row >= rect.row_begin && row < rect.row_end &&
                                column >= rect.column_begin &&
                                column < rect.column_end;
            ASSERT_EQ(inside, listed) << x << " " << y << " " << low << high;
          }
        }
      }
    }
  }
}

TEST(ImagePlaneTest, EndlessRectanglesAreTheWholeImage) {
  const ImagePlane plane = {3, 5};
  for (const double far : {1e30, 1e300, static_cast<double>(INFINITY)}) {
    const PixelRect rect =
        PixelsInside(plane, plane.bounds(), -far, far, -far, far).ToPixels();
    EXPECT_EQ(rect.row_begin, 0);
    EXPECT_EQ(rect.row_end, 3);
    EXPECT_EQ(rect.column_begin, 0);
    EXPECT_EQ(rect.column_end, 5);
    EXPECT_TRUE(PixelsInside(plane, plane.bounds(), far, far, far, far)
                    .ToPixels()
                    .empty());
    EXPECT_TRUE(PixelsInside(plane, plane.bounds(), -far, -far, -far, -far)
                    .ToPixels()
                    .empty());
  }
}

}  // namespace
}  // namespace tf_softras
