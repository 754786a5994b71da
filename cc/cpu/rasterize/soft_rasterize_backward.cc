// The gradient of the soft silhouette on the CPU.
//
//   weigh each pixel by w = upstream (1 - S)
//   for 16 faces at a time:                             64 faces a unit of work
//     set them up, one a lane (face_batch.h)
//     faces that reach few pixels: one a lane, each lane walks its own pixels
//     other faces: one by one, 8 pixels of two rows at a time
//       sums of w D s corners[k] (rx, ry) over the pixels
//   add the corners' gradients to the vertices, in the order of the faces
//
// Sums are kept in T for 64 groups of pixels, then added to double ones. Which
// edge is nearest decides which corners get a pixel's gradient: where T cannot
// tell (thin faces, close calls, small pictures), the face is summed in double.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "cc/cpu/face_batch.h"
#include "cc/cpu/lanes.h"
#include "cc/cpu/pixel_walk.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/cpu/simd.h"
#include "cc/geometry/coverage.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/local_view.h"

namespace tf_softras {
namespace {

// Sums in T are added to double ones after this many groups of pixels.
constexpr int64_t kGroupsPerStretch = 64;

// A unit of work.
constexpr int64_t kFacesPerUnit = 64;

// The weight of each pixel of an item, upstream times transparency, in padded
// rows. It is 0 where the bound of coverage.h allows to leave the pixel out.
template <typename T>
struct PixelWeights {
  int64_t stride;
  std::vector<T> weight;

  explicit PixelWeights(const ImagePlane& plane)
      : stride(plane.width + kLanes), weight(stride * plane.height, T(0)) {}

  TF_SOFTRAS_INLINE const T* pixel(int64_t row, int64_t column) const {
    return weight.data() + row * stride + column;
  }

  TF_SOFTRAS_INLINE void Fill(const ImagePlane& plane, const T* transparency,
                              const T* upstream, T smallest_transparency,
                              int64_t row_begin, int64_t row_end) {
    for (int64_t row = row_begin; row < row_end; ++row) {
      T* line = weight.data() + row * stride;
      const int64_t first = row * plane.width;
      for (int64_t column = 0; column < plane.width; ++column) {
        const T t = transparency[first + column];
        const T w = t * upstream[first + column];
        line[column] = t > smallest_transparency ? w : T(0);
      }
    }
  }
};

// True if any of `count` weights is not 0. Most groups of pixels inside an
// object, and all groups outside, have none. Bits are compared, because GCC
// carries comparisons of floats over into the following loop, as branches. They
// are halved as vectors: GCC takes a loop over lanes apart.
template <int count, typename T>
TF_SOFTRAS_INLINE bool AnyWeight(const T* weight) {
  constexpr int kWords = count * sizeof(T) / sizeof(uint64_t);
  uint64_t any[kWords];
  std::memcpy(any, weight, sizeof any);
  for (int half = kWords / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) any[i] |= any[i + half];
  }
  // The signs are dropped: -0 counts as 0.
  return (any[0] & (sizeof(T) == 4 ? 0x7fffffff7fffffff : ~0ull >> 1)) != 0;
}

// Sums over pixels of w corners[k] (rx, ry) (see ClosestPoint), in lanes: the
// gradient up to its factor. And the smallest EdgeGap of a pixel that counted,
// which tells whether T could choose the nearest edge (see CertainGap). C is
// the type to compute in: T, or double for thin faces.
//
// Pairs wait until several groups of them have come. A processor looks a
// hundred instructions ahead, and finds little to do at once in the chain of
// one group, from its distance over the exponential and the division to its
// terms.
template <typename C, typename T, int num_lanes>
class PairSums {
 public:
  C terms[6][num_lanes] = {};
  C gap[num_lanes];

  TF_SOFTRAS_INLINE PairSums() {
    for (C& lane : gap) lane = std::numeric_limits<C>::max();
  }

  // Adds one pair a lane. GCC vectorises the loop only if it stands here, not
  // at the callers.
  template <typename TriangleOf, typename OffsetX, typename OffsetY>
  TF_SOFTRAS_INLINE void Add(const TriangleOf& triangle, const OffsetX& qx,
                             const OffsetY& qy, const DistanceOdds<T>& odds,
                             const T* weight) {
    Group& group = groups_[count_];
    for (int lane = 0; lane < num_lanes; ++lane) {
      const TriangleSample<C> sample =
          Sample(triangle(lane), qx(lane), qy(lane));
      group.log2_odds[lane] =
          odds.Log2(static_cast<T>(sample.squared_distance), sample.inside);
      group.weight[lane] = sample.inside ? weight[lane] : -weight[lane];
      const bool counts = sample.inside & (weight[lane] != T(0));
      const C smaller = Min(gap[lane], EdgeGap(sample));
      gap[lane] = counts ? smaller : gap[lane];
      const Closest<C> closest = ClosestPoint(triangle(lane), sample);
      group.rx[lane] = closest.rx;
      group.ry[lane] = closest.ry;
      for (int corner = 0; corner < 3; ++corner) {
        group.corners[corner][lane] = closest.corners[corner];
      }
    }
    if (++count_ == kMostGroups) Flush();
  }

  // Adds the pairs that wait to the terms.
  TF_SOFTRAS_INLINE void Flush() {
    for (int i = 0; i < count_; ++i) {
      const Group& group = groups_[i];
      for (int lane = 0; lane < num_lanes; ++lane) {
        const T coverage = Coverage(PowerOfTwo(group.log2_odds[lane]));
        const C w = static_cast<C>(group.weight[lane] * coverage);
        const C wx = w * group.rx[lane];
        const C wy = w * group.ry[lane];
        for (int corner = 0; corner < 3; ++corner) {
          terms[2 * corner][lane] += group.corners[corner][lane] * wx;
          terms[2 * corner + 1][lane] += group.corners[corner][lane] * wy;
        }
      }
    }
    count_ = 0;
  }

 private:
  static constexpr int kMostGroups = 16;

  // A pair a lane that waits. Its w is the product of its weight, negative
  // outside the face, and its coverage, of odds 2^log2_odds.
  struct alignas(64) Group {
    T log2_odds[num_lanes], weight[num_lanes];
    C rx[num_lanes], ry[num_lanes], corners[3][num_lanes];
  };

  int count_ = 0;
  Group groups_[kMostGroups];
};

// The sums of one face over groups of kLanes pixels of two rows: in C for a
// stretch, in double for the total.
template <typename C, typename T>
struct FaceSums {
  static constexpr int64_t kGroup = 2 * kLanes;

  PairSums<C, T, kGroup> stretch;
  double total[6] = {};
  int64_t groups = 0;

  TF_SOFTRAS_INLINE void EndStretch() {
    stretch.Flush();
    for (int i = 0; i < 6; ++i) {
      auto& term = stretch.terms[i];
      for (int64_t half = kGroup / 2; half > 0; half /= 2) {
        for (int64_t lane = 0; lane < half; ++lane) {
          term[lane] += term[lane + half];
        }
      }
      total[i] += term[0];
      for (C& lane : term) lane = C(0);
    }
    groups = 0;
  }

  C gap() const { return *std::min_element(stretch.gap, stretch.gap + kGroup); }
};

template <typename C, typename T>
TF_SOFTRAS_INLINE void AddBlock(const LocalView<C>& view,
                                const DistanceOdds<T>& odds,
                                const PixelRect& block,
                                const PixelWeights<T>& weights,
                                FaceSums<C, T>& sums) {
  constexpr int64_t kGroup = FaceSums<C, T>::kGroup;
  static constexpr T kNone[kLanes] = {};
  for (int64_t row = block.row_begin; row < block.row_end; row += 2) {
    const bool has_second = row + 1 < block.row_end;
    for (int64_t column = block.column_begin; column < block.column_end;
         column += kLanes) {
      const T* first = weights.pixel(row, column);
      const T* second = has_second ? first + weights.stride : kNone;
      if (!AnyWeight<kLanes>(first) && !AnyWeight<kLanes>(second)) continue;
      T weight[kGroup];
      C qx[kGroup], qy[kGroup];
      std::memcpy(weight, first, kLanes * sizeof(T));
      std::memcpy(weight + kLanes, second, kLanes * sizeof(T));
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        qx[lane] = qx[kLanes + lane] = view.qx(column + lane);
        qy[lane] = view.qy(row);
        qy[kLanes + lane] = view.qy(row + 1);
      }
      Settle(weight);
      Settle(qx);
      Settle(qy);
      sums.stretch.Add(
          [&view](int) __attribute__((always_inline)) { return view.triangle; },
          [&qx](int lane) __attribute__((always_inline)) { return qx[lane]; },
          [&qy](int lane) __attribute__((always_inline)) { return qy[lane]; },
          odds, weight);
      if (++sums.groups == kGroupsPerStretch) sums.EndStretch();
    }
  }
}

// Sums one face over the pixels of `rect`, in C.
template <typename C, typename T>
TF_SOFTRAS_INLINE void FaceSumsByBlocks(const MeshItem<T>& item, int64_t face,
                                        const PixelRect& rect,
                                        const DistanceOdds<T>& odds,
                                        const PixelWeights<T>& weights,
                                        FaceSums<C, T>& sums) {
  ForEachBlock<C>(
      item, item.MakeFace(face), rect,
      [&](const LocalView<C>& view, const PixelRect& block) __attribute__((
          always_inline)) { AddBlock(view, odds, block, weights, sums); });
  sums.EndStretch();
}

// d loss / d (x, y) of the three corners: d(d^2) / d corner k is -2 corners[k]
// (rx, ry).
TF_SOFTRAS_INLINE void WriteCorners(const double* sums, double sigma,
                                    double* corners) {
  for (int i = 0; i < 6; ++i) corners[i] = -2.0 * InverseSigma(sigma) * sums[i];
}

// T can tell the nearest edge at each pixel if the smallest gap between the
// nearest two exceeds this, the error of a difference of two c. Double always
// can.
template <typename T>
T CertainGap(const ImagePlane& plane) {
  return sizeof(T) == sizeof(double) ? T(-1) : Rounding<T>(plane);
}

// Whether a face is to be summed in double from the start.
template <typename T>
TF_SOFTRAS_INLINE bool NeedsDouble(const FaceBatch<T>& batch, int lane,
                                   const ImagePlane& plane) {
  return sizeof(T) < sizeof(double) &&
         (batch.is_thin[lane] || HasFewPixels(plane));
}

// The faces of a FaceBatch that reach few pixels. Each lane walks the pixels of
// its own face, so the set-up stays in its lanes and no lane idles because a
// row is short.
template <typename T>
struct SmallFaces {
  static constexpr int kFaces = FaceBatch<T>::kFaces;
  static constexpr int32_t kMostPixels = 512;

  // 1 where the lane has such a face, else 0.
  int32_t is_in[kFaces];
  double total[6][kFaces] = {};
  PairSums<T, T, kFaces> stretch;

  TF_SOFTRAS_INLINE bool has(int lane) const { return is_in[lane] != 0; }

  TF_SOFTRAS_INLINE void Choose(const FaceBatch<T>& batch, int lanes,
                                const ImagePlane& plane) {
    // Places in the weights are 32 bits wide.
    const bool fits = (plane.width + kLanes) * plane.height < (1 << 30);
    for (int lane = 0; lane < kFaces; ++lane) {
      const PixelRect rect = batch.rect(lane);
      const int64_t pixels = (rect.row_end - rect.row_begin) *
                             (rect.column_end - rect.column_begin);
      is_in[lane] = fits & (lane < lanes) & !rect.empty() &
                    (pixels <= kMostPixels) & IsOneBlock(rect, plane) &
                    !NeedsDouble(batch, lane, plane);
    }
  }

  TF_SOFTRAS_INLINE void Add(const FaceBatch<T>& batch, const ImagePlane& plane,
                             double radius, const DistanceOdds<T>& odds,
                             const PixelWeights<T>& weights) {
    const T* weight = weights.weight.data();
    // Lanes that are done read the first row's padding, a weight of 0.
    PixelWalk<T> walk;
    walk.Start(batch, is_in, plane, radius,
               static_cast<int32_t>(weights.stride),
               static_cast<int32_t>(plane.width));
    for (int32_t pixel = 0; pixel < walk.most(); ++pixel) {
      T w[kFaces], qx[kFaces], qy[kFaces];
      walk.Next(
          pixel, [&](int lane, int32_t place, T x, T y)
                     __attribute__((always_inline)) {
                       w[lane] = weight[place];
                       qx[lane] = x;
                       qy[lane] = y;
                     });
      // Add the pairs, if any of them counts.
      if (AnyWeight<kFaces>(w)) {
        stretch.Add(
            [&batch](int lane)
                __attribute__((always_inline)) { return batch.triangle(lane); },
            [&qx](int lane) __attribute__((always_inline)) { return qx[lane]; },
            [&qy](int lane) __attribute__((always_inline)) { return qy[lane]; },
            odds, w);
      }
      if (pixel % kGroupsPerStretch == kGroupsPerStretch - 1) EndStretch();
    }
    EndStretch();
  }

 private:
  TF_SOFTRAS_INLINE void EndStretch() {
    stretch.Flush();
    for (int i = 0; i < 6; ++i) {
      for (int lane = 0; lane < kFaces; ++lane) {
        total[i][lane] += static_cast<double>(stretch.terms[i][lane]);
        stretch.terms[i][lane] = T(0);
      }
    }
  }
};

// The sums [3, 2] of one face of a batch: in T if T can tell its edges apart,
// else in double.
template <typename T>
TF_SOFTRAS_INLINE void SumFace(const MeshItem<T>& item, int64_t face,
                               const FaceBatch<T>& batch, int lane,
                               const SmallFaces<T>& small, T certain_gap,
                               const DistanceOdds<T>& odds,
                               const PixelWeights<T>& weights, double* sums) {
  if (small.has(lane) && small.stretch.gap[lane] > certain_gap) {
    for (int i = 0; i < 6; ++i) sums[i] = small.total[i][lane];
    return;
  }
  const PixelRect rect = batch.rect(lane);
  if (!small.has(lane) && !NeedsDouble(batch, lane, item.plane)) {
    FaceSums<T, T> in_t;
    FaceSumsByBlocks(item, face, rect, odds, weights, in_t);
    if (in_t.gap() > certain_gap) {
      std::copy(in_t.total, in_t.total + 6, sums);
      return;
    }
  }
  FaceSums<double, T> in_double;
  FaceSumsByBlocks(item, face, rect, odds, weights, in_double);
  std::copy(in_double.total, in_double.total + 6, sums);
}

// Writes the corner gradients [end - begin, 3, 2] of faces [begin, end), over
// the pixels of a band of the image.
template <typename T>
TF_SOFTRAS_INLINE void FaceGradients(const MeshItem<T>& item, T sigma,
                                     const PixelWeights<T>& weights,
                                     const PixelRect& band, int64_t begin,
                                     int64_t end, double* corners) {
  const DistanceOdds<T> odds(sigma);
  const T certain_gap = CertainGap<T>(item.plane);
  FaceBatch<T> batch;
  for (int64_t first = begin; first < end; first += batch.kFaces) {
    const int count = static_cast<int>(MinInt(batch.kFaces, end - first));
    batch.SetUp(
        item, count,
        [first](int lane)
            __attribute__((always_inline)) { return first + lane; },
        band);
    SmallFaces<T> small;
    small.Choose(batch, count, item.plane);
    small.Add(batch, item.plane, item.radius, odds, weights);
    for (int lane = 0; lane < count; ++lane, corners += 6) {
      double sums[6] = {};
      if (!batch.rect(lane).empty()) {
        SumFace(item, first + lane, batch, lane, small, certain_gap, odds,
                weights, sums);
      }
      WriteCorners(sums, static_cast<double>(sigma), corners);
    }
  }
}

#define TF_SOFTRAS_CLONES_FOR(T)                                            \
  TF_SOFTRAS_CLONES void FillClone(                                         \
      const ImagePlane& plane, const T* transparency, const T* upstream,    \
      T smallest_transparency, int64_t row_begin, int64_t row_end,          \
      PixelWeights<T>& weights) {                                           \
    weights.Fill(plane, transparency, upstream, smallest_transparency,      \
                 row_begin, row_end);                                       \
  }                                                                         \
  TF_SOFTRAS_CLONES void FaceGradientsClone(                                \
      const MeshItem<T>& item, T sigma, const PixelWeights<T>& weights,     \
      const PixelRect& band, int64_t begin, int64_t end, double* corners) { \
    FaceGradients(item, sigma, weights, band, begin, end, corners);         \
  }
TF_SOFTRAS_CLONES_FOR(float)
TF_SOFTRAS_CLONES_FOR(double)
#undef TF_SOFTRAS_CLONES_FOR

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 200;
constexpr int64_t kScatterCost = 3;
constexpr int64_t kPixelCost = 2;

// The division of the work of a slice of the batch. It depends on shapes alone,
// so that results do not depend on threads.
template <typename T>
struct Cut {
  int64_t items;
  int64_t units;     // of an item's faces
  int64_t bands;     // of an image, for the faces
  int64_t row_sets;  // of an image, for the weights
  int64_t ranges;    // of an item's vertices

  Cut(const SoftRasterizeInputs<T>& inputs, int64_t items) : items(items) {
    constexpr int64_t kEnough = 16;
    const int64_t pixels = inputs.height * inputs.width;
    units = (inputs.num_faces + kFacesPerUnit - 1) / kFacesPerUnit;
    // Few faces, which may be huge, on an image of many pixels: each band sets
    // them up again.
    const bool bands_pay = pixels >= 1 << 16 && units * items < kEnough;
    bands = bands_pay ? MinInt(kEnough, inputs.height) : 1;
    row_sets = MinInt(inputs.height, MaxInt(1, pixels >> 14));
    ranges = items < kEnough && inputs.num_vertices > 4096 ? kEnough : 1;
  }

  static int64_t At(int64_t total, int64_t part, int64_t parts) {
    return total * part / parts;
  }
};

// Adds the corner gradients of an item's faces to the vertices [begin, end), in
// the order of the faces and of the bands of each.
template <typename T>
void ScatterToVertices(const SoftRasterizeInputs<T>& inputs, int64_t bands,
                       const double* corners, int64_t begin, int64_t end,
                       T* vertices_gradient) {
  std::vector<double> sums(2 * (end - begin), 0.0);
  for (int64_t i = 0; i < 3 * inputs.num_faces; ++i) {
    const int64_t vertex = inputs.faces[i];
    if (vertex < begin || vertex >= end) continue;
    double* sum = sums.data() + 2 * (vertex - begin);
    for (int64_t band = 0; band < bands; ++band) {
      const double* corner = corners + band * inputs.num_faces * 6 + 2 * i;
      // Both are read before one is written: a vector of two.
      const double x = sum[0] + corner[0], y = sum[1] + corner[1];
      sum[0] = x;
      sum[1] = y;
    }
  }
  for (int64_t v = begin; v < end; ++v) {
    vertices_gradient[3 * v] = static_cast<T>(sums[2 * (v - begin)]);
    vertices_gradient[3 * v + 1] = static_cast<T>(sums[2 * (v - begin) + 1]);
    vertices_gradient[3 * v + 2] = T(0);
  }
}

// One slice of the batch; pointers are those of its first item.
template <typename T>
void BackwardSlice(const SoftRasterizeInputs<T>& inputs, int64_t items,
                   const T* transparency, const T* upstream,
                   T* vertices_gradient, const ParallelFor& parallel_for) {
  const ImagePlane plane = {inputs.height, inputs.width};
  const int64_t pixels = inputs.height * inputs.width;
  const double cutoff = BackwardCutoff<T>(inputs.num_faces, pixels);
  const double radius = Radius(cutoff, inputs);
  const T smallest_transparency = static_cast<T>(std::exp(-cutoff));
  const Cut<T> cut(inputs, items);
  // Weigh the pixels, a set of rows a unit.
  std::vector<PixelWeights<T>> weights(items, PixelWeights<T>(plane));
  parallel_for(
      items * cut.row_sets, pixels * kPixelCost / cut.row_sets,
      [&](int64_t begin, int64_t end) {
        for (int64_t unit = begin; unit < end; ++unit) {
          const int64_t i = unit / cut.row_sets, set = unit % cut.row_sets;
          FillClone(plane, transparency + i * pixels, upstream + i * pixels,
                    smallest_transparency,
                    cut.At(plane.height, set, cut.row_sets),
                    cut.At(plane.height, set + 1, cut.row_sets), weights[i]);
        }
      });
  // Sum the faces, 64 faces in a band of the image a unit.
  // All are written below, so they are not cleared.
  const std::unique_ptr<double[]> corners(
      new double[items * cut.bands * inputs.num_faces * 6]);
  parallel_for(
      items * cut.bands * cut.units, kFacesPerUnit * kFaceCost,
      [&](int64_t begin, int64_t end) {
        for (int64_t unit = begin; unit < end; ++unit) {
          const int64_t image_band = unit / cut.units;
          const int64_t i = image_band / cut.bands;
          const int64_t band = image_band % cut.bands;
          const PixelRect rows = {cut.At(plane.height, band, cut.bands),
                                  cut.At(plane.height, band + 1, cut.bands), 0,
                                  plane.width};
          const int64_t face = unit % cut.units * kFacesPerUnit;
          FaceGradientsClone(
              MakeMeshItem(inputs, i, radius), inputs.sigma, weights[i], rows,
              face, MinInt(face + kFacesPerUnit, inputs.num_faces),
              corners.get() + (image_band * inputs.num_faces + face) * 6);
        }
      });
  // Gather the corners in the vertices, a range of vertices a unit.
  parallel_for(items * cut.ranges,
               (inputs.num_faces + inputs.num_vertices) * kScatterCost,
               [&](int64_t begin, int64_t end) {
                 for (int64_t unit = begin; unit < end; ++unit) {
                   const int64_t i = unit / cut.ranges,
                                 range = unit % cut.ranges;
                   ScatterToVertices(
                       inputs, cut.bands,
                       corners.get() + i * cut.bands * inputs.num_faces * 6,
                       cut.At(inputs.num_vertices, range, cut.ranges),
                       cut.At(inputs.num_vertices, range + 1, cut.ranges),
                       vertices_gradient + i * inputs.num_vertices * 3);
                 }
               });
}

}  // namespace

template <typename T>
void SoftRasterizeBackward(const SoftRasterizeInputs<T>& inputs,
                           const T* transparency, const T* upstream,
                           T* vertices_gradient,
                           const ParallelFor& parallel_for) {
  const int64_t pixels = inputs.height * inputs.width;
  // Items go through in slices, so that the scratch stays at a few megabytes
  // for any batch.
  const int64_t most =
      MaxInt(1, (int64_t{1} << 18) / MaxInt(1, inputs.num_faces * 6 + pixels));
  SoftRasterizeInputs<T> slice = inputs;
  for (int64_t first = 0; first < inputs.batch; first += most) {
    slice.vertices = inputs.vertices + first * inputs.num_vertices * 3;
    BackwardSlice(slice, MinInt(most, inputs.batch - first),
                  transparency + first * pixels, upstream + first * pixels,
                  vertices_gradient + first * inputs.num_vertices * 3,
                  parallel_for);
  }
}

template void SoftRasterizeBackward<float>(const SoftRasterizeInputs<float>&,
                                           const float*, const float*, float*,
                                           const ParallelFor&);
template void SoftRasterizeBackward<double>(const SoftRasterizeInputs<double>&,
                                            const double*, const double*,
                                            double*, const ParallelFor&);

}  // namespace tf_softras
