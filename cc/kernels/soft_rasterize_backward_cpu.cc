#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "cc/geometry/coverage.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/kernels/face_batch.h"
#include "cc/kernels/local_view.h"
#include "cc/kernels/simd.h"
#include "cc/kernels/soft_rasterize_cpu.h"

namespace tf_softras {
namespace {

// Sums in T are handed over to double ones after at most this many groups of
// pixels.
constexpr int64_t kGroupsPerStretch = 64;

// A unit of work.
constexpr int64_t kFacesPerUnit = 64;

// Upstream times transparency at each pixel of an item, 0 where the pair bound
// of coverage.h lets it be left out, in padded rows; and where the next kLanes
// pixels hold anything at all.
template <typename T>
struct PixelWeights {
  int64_t stride;
  std::vector<T> weight;
  std::vector<uint8_t> any;

  explicit PixelWeights(const ImagePlane& plane)
      : stride(plane.width + kLanes),
        weight(stride * plane.height, T(0)),
        any(weight.size() + kLanes, 0) {}

  TF_SOFTRAS_INLINE void Fill(const ImagePlane& plane, const T* transparency,
                              const T* upstream, T smallest_transparency) {
    for (int64_t row = 0; row < plane.height; ++row) {
      T* line = weight.data() + row * stride;
      uint8_t* here = any.data() + row * stride;
      const int64_t first = row * plane.width;
      for (int64_t column = 0; column < plane.width; ++column) {
        const T t = transparency[first + column];
        const T w = t * upstream[first + column];
        line[column] = t > smallest_transparency ? w : T(0);
        here[column] = line[column] != T(0);
      }
    }
    // Whether any of the next 2, 4, then 8 pixels counts. A row's last groups
    // see its padding.
    static_assert(kLanes == 8, "three doublings");
    uint8_t* here = any.data();
    const int64_t count = static_cast<int64_t>(weight.size());
    for (const int64_t ahead : {1, 2, 4}) {
      for (int64_t i = 0; i < count; ++i) here[i] |= here[i + ahead];
    }
  }
};

// The sums over pixels of w corners[k] (rx, ry) (see ClosestPoint) of a face,
// in lanes of T for a stretch and in double for the total: the gradient up to
// its factor.
template <typename T>
struct FaceSums {
  T lanes[6][kLanes] = {};
  double total[6] = {};
  // The smallest EdgeGap of a pixel that counted.
  T gap[kLanes];
  int64_t groups = 0;

  TF_SOFTRAS_INLINE FaceSums() {
    for (T& lane : gap) lane = std::numeric_limits<T>::max();
  }

  TF_SOFTRAS_INLINE void EndStretch() {
    for (int64_t half = kLanes / 2; half > 0; half /= 2) {
      for (auto& term : lanes) {
        for (int64_t lane = 0; lane < half; ++lane) {
          term[lane] += term[lane + half];
        }
      }
    }
    for (int i = 0; i < 6; ++i) {
      total[i] += lanes[i][0];
      for (T& lane : lanes[i]) lane = T(0);
    }
    groups = 0;
  }
};

// C is the type to compute in: T, or double for thin faces.
template <typename C, typename T>
TF_SOFTRAS_INLINE void AddGroup(const LocalView<C>& view, T inverse_sigma, C qy,
                                int64_t column, const T* weight,
                                FaceSums<C>& sums) {
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    const TriangleSample<C> sample =
        Sample(view.triangle, view.qx(column + lane), qy);
    const T coverage = Coverage(
        Odds(static_cast<T>(SignedSquaredDistance(sample)), inverse_sigma));
    const C magnitude = static_cast<C>(weight[lane] * coverage);
    const C w = sample.inside ? magnitude : -magnitude;
    // A face's rounding shows in `gap`; see FaceGradient.
    const bool counts = sample.inside & (w != C(0));
    const C gap = Min(sums.gap[lane], EdgeGap(sample));
    sums.gap[lane] = counts ? gap : sums.gap[lane];
    const Closest<C> closest = ClosestPoint(view.triangle, sample);
    const C wx = w * closest.rx;
    const C wy = w * closest.ry;
    for (int corner = 0; corner < 3; ++corner) {
      sums.lanes[2 * corner][lane] += closest.corners[corner] * wx;
      sums.lanes[2 * corner + 1][lane] += closest.corners[corner] * wy;
    }
  }
}

template <typename C, typename T>
TF_SOFTRAS_INLINE void AddBlock(const LocalView<C>& view, T inverse_sigma,
                                const PixelRect& block,
                                const PixelWeights<T>& weights,
                                FaceSums<C>& sums) {
  for (int64_t row = block.row_begin; row < block.row_end; ++row) {
    const int64_t line = row * weights.stride;
    const C qy = view.qy(row);
    for (int64_t column = block.column_begin; column < block.column_end;
         column += kLanes) {
      if (!weights.any[line + column]) continue;
      AddGroup(view, inverse_sigma, qy, column,
               weights.weight.data() + line + column, sums);
      if (++sums.groups == kGroupsPerStretch) sums.EndStretch();
    }
  }
}

// d loss / d (x, y) of the three corners: d(d^2) / d corner k is -2 corners[k]
// (rx, ry).
template <typename C>
TF_SOFTRAS_INLINE void WriteCorners(FaceSums<C>& sums, double sigma,
                                    double* corners) {
  sums.EndStretch();
  for (int i = 0; i < 6; ++i) corners[i] = -2.0 / sigma * sums.total[i];
}

// Whether in C it could be told for each pixel which edge it is nearest to.
template <typename C>
TF_SOFTRAS_INLINE bool IsCertain(const FaceSums<C>& sums,
                                 const ImagePlane& plane) {
  // The error of a difference of two c: a few units of 2^-24 of the largest
  // |q|, half a block's diagonal.
  const double side = plane.step() * static_cast<double>(BlockSide(plane));
  C smallest = sums.gap[0];
  for (const C gap : sums.gap) smallest = Min(smallest, gap);
  return smallest > 8 * 0x1p-24 * side;
}

// The corner gradients [3, 2] of one face over the pixels of `rect`, computed
// in C.
template <typename C, typename T>
TF_SOFTRAS_INLINE void FaceSumsByBlocks(const Item<T>& item, int64_t face,
                                        const PixelRect& rect, T inverse_sigma,
                                        const PixelWeights<T>& weights,
                                        FaceSums<C>& sums) {
  ForEachBlock<C>(
      item, item.MakeFace(face), rect,
      [&](const LocalView<C>& view, const PixelRect& block)
          __attribute__((always_inline)) {
            AddBlock(view, inverse_sigma, block, weights, sums);
          });
}

// Writes the corner gradients [end - begin, 3, 2] of faces [begin, end).
template <typename T>
TF_SOFTRAS_INLINE void FaceGradients(const Item<T>& item, T sigma,
                                     const PixelWeights<T>& weights,
                                     int64_t begin, int64_t end,
                                     double* corners) {
  const T inverse_sigma = InverseSigma(sigma);
  FaceBatch<T> batch;
  for (int64_t first = begin; first < end; first += batch.kFaces) {
    const int lanes = static_cast<int>(MinInt(batch.kFaces, end - first));
    batch.SetUp(
        item, lanes,
        [first](int lane)
            __attribute__((always_inline)) { return first + lane; },
        item.plane.bounds());
    for (int lane = 0; lane < lanes; ++lane, corners += 6) {
      const PixelRect rect = batch.rect(lane);
      if (rect.empty()) {
        std::fill(corners, corners + 6, 0.0);
        continue;
      }
      if (!batch.is_thin[lane] || sizeof(T) == sizeof(double)) {
        FaceSums<T> sums;
        if (IsOneBlock(rect, item.plane)) {
          AddBlock(MakeLocalView(batch, lane, item.plane, rect), inverse_sigma,
                   rect, weights, sums);
        } else {
          FaceSumsByBlocks(item, first + lane, rect, inverse_sigma, weights,
                           sums);
        }
        WriteCorners(sums, static_cast<double>(sigma), corners);
        if (sizeof(T) == sizeof(double) || IsCertain(sums, item.plane)) {
          continue;
        }
      }
      FaceSums<double> sums;
      FaceSumsByBlocks(item, first + lane, rect, inverse_sigma, weights, sums);
      WriteCorners(sums, static_cast<double>(sigma), corners);
    }
  }
}

#define TF_SOFTRAS_CLONES_FOR(T)                                         \
  TF_SOFTRAS_CLONES void FillClone(                                      \
      const ImagePlane& plane, const T* transparency, const T* upstream, \
      T smallest_transparency, PixelWeights<T>& weights) {               \
    weights.Fill(plane, transparency, upstream, smallest_transparency);  \
  }                                                                      \
  TF_SOFTRAS_CLONES void FaceGradientsClone(                             \
      const Item<T>& item, T sigma, const PixelWeights<T>& weights,      \
      int64_t begin, int64_t end, double* corners) {                     \
    FaceGradients(item, sigma, weights, begin, end, corners);            \
  }
TF_SOFTRAS_CLONES_FOR(float)
TF_SOFTRAS_CLONES_FOR(double)
#undef TF_SOFTRAS_CLONES_FOR

// Adds the corner gradients of an item's faces to their vertices, in the order
// of the faces.
template <typename T>
void ScatterToVertices(const SoftRasterizeInputs<T>& inputs,
                       const double* corners, T* vertices_gradient) {
  std::vector<double> sums(2 * inputs.num_vertices, 0.0);
  for (int64_t i = 0; i < 3 * inputs.num_faces; ++i) {
    const int64_t vertex = inputs.faces[i];
    sums[2 * vertex] += corners[2 * i];
    sums[2 * vertex + 1] += corners[2 * i + 1];
  }
  for (int64_t v = 0; v < inputs.num_vertices; ++v) {
    vertices_gradient[3 * v] = static_cast<T>(sums[2 * v]);
    vertices_gradient[3 * v + 1] = static_cast<T>(sums[2 * v + 1]);
    vertices_gradient[3 * v + 2] = T(0);
  }
}

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 200;
constexpr int64_t kScatterCost = 10;
constexpr int64_t kPixelCost = 2;

}  // namespace

template <typename T>
void SoftRasterizeBackward(const SoftRasterizeInputs<T>& inputs,
                           const T* transparency, const T* upstream,
                           T* vertices_gradient,
                           const ParallelFor& parallel_for) {
  const ImagePlane plane = {inputs.height, inputs.width};
  const int64_t pixels = inputs.height * inputs.width;
  const double cutoff = BackwardCutoff<T>(inputs.num_faces, pixels);
  const double radius = Radius(cutoff, inputs);
  const T smallest_transparency = static_cast<T>(std::exp(-cutoff));
  const int64_t units = (inputs.num_faces + kFacesPerUnit - 1) / kFacesPerUnit;

  // Items go through in slices, so that the scratch stays a few megabytes for
  // any batch.
  const int64_t slice =
      MaxInt(1, (int64_t{1} << 18) / MaxInt(1, inputs.num_faces * 6 + pixels));
  for (int64_t first = 0; first < inputs.batch; first += slice) {
    const int64_t items = MinInt(slice, inputs.batch - first);
    std::vector<std::unique_ptr<PixelWeights<T>>> weights(items);
    parallel_for(items, pixels * kPixelCost, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        weights[i] = std::make_unique<PixelWeights<T>>(plane);
        FillClone(plane, transparency + (first + i) * pixels,
                  upstream + (first + i) * pixels, smallest_transparency,
                  *weights[i]);
      }
    });
    std::vector<double> corners(items * inputs.num_faces * 6);
    parallel_for(items * units, kFacesPerUnit * kFaceCost,
                 [&](int64_t begin, int64_t end) {
                   for (int64_t unit = begin; unit < end; ++unit) {
                     const int64_t i = unit / units;
                     const int64_t face = unit % units * kFacesPerUnit;
                     FaceGradientsClone(
                         MakeItem(inputs, first + i, radius), inputs.sigma,
                         *weights[i], face,
                         MinInt(face + kFacesPerUnit, inputs.num_faces),
                         corners.data() + (i * inputs.num_faces + face) * 6);
                   }
                 });
    parallel_for(
        items, (inputs.num_faces + inputs.num_vertices) * kScatterCost,
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            ScatterToVertices(
                inputs, corners.data() + i * inputs.num_faces * 6,
                vertices_gradient + (first + i) * inputs.num_vertices * 3);
          }
        });
  }
}

template void SoftRasterizeBackward<float>(const SoftRasterizeInputs<float>&,
                                           const float*, const float*, float*,
                                           const ParallelFor&);
template void SoftRasterizeBackward<double>(const SoftRasterizeInputs<double>&,
                                            const double*, const double*,
                                            double*, const ParallelFor&);

}  // namespace tf_softras
