#include <cmath>
#include <limits>

#include "cc/geometry/coverage.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/kernels/face_batch.h"
#include "cc/kernels/gpu_launch.h"
#include "cc/kernels/gpu_lists.h"
#include "cc/kernels/gpu_slice.h"
#include "cc/kernels/local_view.h"
#include "cc/kernels/soft_rasterize_gpu.h"

namespace tf_softras {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kThreadsPerWarp;
// A block sets as many faces up at once, a thread of its first warp each.
constexpr int kFacesPerUnit = kThreadsPerWarp;
// A face's pixels are visited in square patches with a local origin each, by a
// warp. This bounds a lane's float sums to 32 terms.
constexpr int64_t kLongestPatch = 32;
// Faces of more patches are shared by the warps of a block, and by several
// blocks where there are too few faces to fill a device.
constexpr int64_t kMostPatchesOfAWarp = 16;
constexpr int64_t kMostParts = 32;
constexpr int kThreadsPerVertexBlock = 256;

template <typename T>
struct BackwardArguments {
  Slice<T> slice;
  const T* transparency;
  const T* upstream;
  T inverse_sigma;
  double factor;  // -2 / sigma: d(d^2) / d corner k is -2 corners[k] (rx, ry)
  // Pixels below it are left out (coverage.h).
  T smallest_transparency;
  int64_t patch_side;
  int64_t parts;
  double* corners;  // [parts, items, faces, 3, 2]
};

// The patches of a face.
struct Patches {
  PixelRect rect;
  int64_t side, columns, count;

  TF_SOFTRAS_INLINE Patches(const PixelRect& rect, int64_t side)
      : rect(rect), side(side), columns(0), count(0) {
    if (rect.empty()) return;
    columns = (rect.column_end - rect.column_begin + side - 1) / side;
    count = columns * ((rect.row_end - rect.row_begin + side - 1) / side);
  }

  TF_SOFTRAS_INLINE PixelRect operator[](int64_t i) const {
    const int64_t row = rect.row_begin + i / columns * side;
    const int64_t column = rect.column_begin + i % columns * side;
    return {row, MinInt(row + side, rect.row_end), column,
            MinInt(column + side, rect.column_end)};
  }
};

// A thread's sums over pixels of w corners[k] (rx, ry) (see ClosestPoint).
template <typename C>
struct PatchSums {
  C terms[6] = {};
  C gap = std::numeric_limits<C>::max();  // the smallest of a pixel that counts
};

// Adds a lane's pixels of a patch. C is the type to compute in.
template <typename C, typename T>
__device__ void AddPatch(const BackwardArguments<T>& arguments, int64_t index,
                         const LocalView<C>& view, const PixelRect& patch,
                         PatchSums<C>& sums) {
  const ImagePlane& plane = arguments.slice.first.plane;
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  const int columns = static_cast<int>(patch.column_end - patch.column_begin);
  const int pixels =
      columns * static_cast<int>(patch.row_end - patch.row_begin);
  for (int i = lane; i < pixels; i += kThreadsPerWarp) {
    const int64_t row = patch.row_begin + i / columns;
    const int64_t column = patch.column_begin + i % columns;
    const int64_t pixel = (index * plane.height + row) * plane.width + column;
    const T transparency = arguments.transparency[pixel];
    if (!(transparency > arguments.smallest_transparency)) continue;
    const T weight = transparency * arguments.upstream[pixel];
    if (weight == T(0)) continue;
    const TriangleSample<C> sample =
        Sample(view.triangle, view.qx(column), view.qy(row));
    const T coverage =
        Coverage(Odds(static_cast<T>(SignedSquaredDistance(sample)),
                      arguments.inverse_sigma));
    const C magnitude = static_cast<C>(weight * coverage);
    const C w = sample.inside ? magnitude : -magnitude;
    const bool counts = sample.inside & (w != C(0));
    sums.gap = counts ? Min(sums.gap, EdgeGap(sample)) : sums.gap;
    const Closest<C> closest = ClosestPoint(view.triangle, sample);
    const C wx = w * closest.rx;
    const C wy = w * closest.ry;
    for (int corner = 0; corner < 3; ++corner) {
      sums.terms[2 * corner] += closest.corners[corner] * wx;
      sums.terms[2 * corner + 1] += closest.corners[corner] * wy;
    }
  }
}

// A face about the middle of a patch, an edge a lane. For a whole warp.
template <typename C>
__device__ LocalView<C> MakeViewByWarp(const Triangle& triangle,
                                       const ImagePlane& plane,
                                       const PixelRect& patch,
                                       LocalTriangle<C>* shared) {
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  LocalView<C> view;
  view.middle_row = MiddleRow(patch);
  view.middle_column = MiddleColumn(patch);
  view.step = static_cast<C>(plane.step());
  __syncwarp();
  if (lane < 3) {
    shared->edges[lane] = Localize<C>(
        triangle.edges[lane], {plane.x(static_cast<double>(view.middle_column)),
                               plane.y(static_cast<double>(view.middle_row))});
  }
  __syncwarp();
  view.triangle = *shared;
  view.triangle.inside_above =
      triangle.has_area ? C(0) : std::numeric_limits<C>::max();
  return view;
}

// Scratch of a warp in shared memory.
template <typename T>
struct WarpScratch {
  LocalTriangle<T> triangle;
  LocalTriangle<double> exact_triangle;
};

template <typename C, typename T>
__device__ void AddPatchTo(const BackwardArguments<T>& arguments, int64_t index,
                           const LocalView<C>& view, const PixelRect& patch,
                           double* totals, C* gap) {
  PatchSums<C> sums;
  AddPatch(arguments, index, view, patch, sums);
  for (int i = 0; i < 6; ++i) totals[i] = static_cast<double>(sums.terms[i]);
  *gap = sums.gap;
}

// Adds the patches first, first + stride, ... of a face to a lane's totals. For
// a whole warp.
template <typename T>
__device__ void AddPatches(const BackwardArguments<T>& arguments, int64_t index,
                           const Triangle& triangle, const Patches& patches,
                           int64_t first, int64_t stride, WarpScratch<T>* warp,
                           double* totals) {
  const ImagePlane& plane = arguments.slice.first.plane;
  const double radius = arguments.slice.first.radius;
  constexpr bool kIsDouble = sizeof(T) == sizeof(double);
  const bool is_coarse = HasFewPixels(plane);
  // The error of a difference of two c: a few units of 2^-24 of the largest
  // |q|, half a patch's diagonal.
  const T smallest_gap = static_cast<T>(
      8 * 0x1p-24 * plane.step() * static_cast<double>(arguments.patch_side));
  for (int64_t i = first; i < patches.count; i += stride) {
    const PixelRect patch = patches[i];
    const LocalView<T> view =
        MakeViewByWarp(triangle, plane, patch, &warp->triangle);
    if (patches.count > 1 && OutOfReach(view, patch, radius)) continue;
    double terms[6];
    bool is_certain = kIsDouble || !(is_coarse || triangle.is_thin);
    if (is_certain) {
      T gap;
      AddPatchTo(arguments, index, view, patch, terms, &gap);
      // Which edge is the nearest one could not be told for some pixel.
      is_certain = kIsDouble || !__any_sync(kWholeWarp, !(gap > smallest_gap));
    }
    if (!is_certain) {
      double gap;
      AddPatchTo(arguments, index,
                 MakeViewByWarp(triangle, plane, patch, &warp->exact_triangle),
                 patch, terms, &gap);
    }
    for (int k = 0; k < 6; ++k) totals[k] += terms[k];
  }
}

// The sum over a warp's lanes of values[lane / 4]: halves of the lanes take
// halves of the values, so that 9 exchanges do instead of 30. `values` is
// spent.
__device__ inline double SumOverWarp(double (&values)[8]) {
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
#if defined(__CUDACC__)
#pragma unroll
#endif
  for (int half = 4; half > 0; half /= 2) {
    const int partner = 4 * half;
    const bool upper = (lane & partner) != 0;
    for (int i = 0; i < half; ++i) {
      const double given = upper ? values[i] : values[i + half];
      const double kept = upper ? values[i + half] : values[i];
      values[i] = kept + __shfl_xor_sync(kWholeWarp, given, partner);
    }
  }
  values[0] += __shfl_xor_sync(kWholeWarp, values[0], 2);
  values[0] += __shfl_xor_sync(kWholeWarp, values[0], 1);
  return values[0];
}

// Of the lanes, which term of a face's six it has after SumOverWarp; -1 for
// none.
__device__ inline int TermOfLane() {
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  return lane % 4 == 0 && lane < 24 ? lane / 4 : -1;
}

// The corner gradients of faces: small faces by a warp each, large ones by the
// whole block, and by several blocks where `parts` says so.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    FaceGradients(BackwardArguments<T> arguments, int64_t units) {
  __shared__ Triangle triangles[kFacesPerUnit];
  __shared__ PixelRect rects[kFacesPerUnit];
  __shared__ WarpScratch<T> scratch[kWarps];
  __shared__ double shared_sums[kWarps][6];
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / kThreadsPerWarp;
  const int lane = thread % kThreadsPerWarp;
  const int64_t faces = arguments.slice.num_faces;
  const int64_t groups = (faces + kFacesPerUnit - 1) / kFacesPerUnit;
  const double factor = arguments.factor;
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const int64_t part = unit % arguments.parts;
    const int64_t first_face = unit / arguments.parts % groups * kFacesPerUnit;
    const int64_t index = unit / arguments.parts / groups;
    const int count =
        static_cast<int>(MinInt(kFacesPerUnit, faces - first_face));
    double* corners =
        arguments.corners +
        6 * ((part * arguments.slice.num_items + index) * faces + first_face);

    __syncthreads();
    if (thread < count) {
      const Item<T> item = arguments.slice.item(index);
      rects[thread] = item.Reach(first_face + thread);
      triangles[thread] = item.MakeFace(first_face + thread);
    }
    __syncthreads();

    for (int i = warp; i < count; i += kWarps) {
      const Patches patches(rects[i], arguments.patch_side);
      if (patches.count > kMostPatchesOfAWarp) continue;
      if (part > 0) {
        if (lane < 6) corners[6 * i + lane] = 0.0;
        continue;
      }
      double totals[8] = {};
      AddPatches(arguments, index, triangles[i], patches, 0, 1, &scratch[warp],
                 totals);
      const double sum = SumOverWarp(totals);
      const int term = TermOfLane();
      if (term >= 0) corners[6 * i + term] = factor * sum;
    }
    for (int i = 0; i < count; ++i) {
      const Patches patches(rects[i], arguments.patch_side);
      if (patches.count <= kMostPatchesOfAWarp) continue;
      double totals[8] = {};
      AddPatches(arguments, index, triangles[i], patches, part * kWarps + warp,
                 arguments.parts * kWarps, &scratch[warp], totals);
      const double sum = SumOverWarp(totals);
      const int term = TermOfLane();
      if (term >= 0) shared_sums[warp][term] = sum;
      __syncthreads();
      if (thread < 6) {
        double total = 0.0;
        for (int w = 0; w < kWarps; ++w) total += shared_sums[w][thread];
        corners[6 * i + thread] = factor * total;
      }
      __syncthreads();
    }
  }
}

// The source of the vertices' lists (gpu_lists.h): which corners of faces meet
// in a vertex.
struct CornersOfVertices {
  const int32_t* faces;

  template <typename Emit>
  __device__ void ForEach(int64_t corner, const Emit& emit) const {
    emit(faces[corner], static_cast<uint32_t>(corner));
  }
};

// A warp a vertex: the sum of its corners, in an order that never changes.
template <typename T>
__global__ void __launch_bounds__(kThreadsPerVertexBlock)
    GatherVertices(BackwardArguments<T> arguments, GpuLists lists,
                   T* vertices_gradient) {
  const Slice<T>& slice = arguments.slice;
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  const int64_t num_corners = 3 * slice.num_faces;
  for (int64_t i = FirstItem() / kThreadsPerWarp;
       i < slice.num_items * slice.num_vertices;
       i += ItemStride() / kThreadsPerWarp) {
    const int64_t index = i / slice.num_vertices;
    const int64_t vertex = i % slice.num_vertices;
    double x = 0.0, y = 0.0;
    for (int64_t place = static_cast<int64_t>(lists.offsets[vertex]) + lane;
         place < static_cast<int64_t>(lists.offsets[vertex + 1]);
         place += kThreadsPerWarp) {
      for (int64_t part = 0; part < arguments.parts; ++part) {
        const double* corner =
            arguments.corners +
            2 * ((part * slice.num_items + index) * num_corners +
                 lists.entries[place]);
        x += corner[0];
        y += corner[1];
      }
    }
    for (int mask = kThreadsPerWarp / 2; mask > 0; mask /= 2) {
      x += __shfl_xor_sync(kWholeWarp, x, mask);
      y += __shfl_xor_sync(kWholeWarp, y, mask);
    }
    if (lane == 0) {
      vertices_gradient[3 * i] = static_cast<T>(x);
      vertices_gradient[3 * i + 1] = static_cast<T>(y);
      vertices_gradient[3 * i + 2] = T(0);
    }
  }
}

template <typename T>
void DifferentiateSlice(GpuCall& call, BackwardArguments<T> arguments,
                        const GpuLists& lists, T* vertices_gradient) {
  const Slice<T>& slice = arguments.slice;
  const int64_t groups =
      slice.num_items * ((slice.num_faces + kFacesPerUnit - 1) / kFacesPerUnit);
  const Patches whole(slice.first.plane.bounds(), arguments.patch_side);
  arguments.parts = PartsThatFillADevice(
      MaxInt(groups, 1), MinInt(kMostParts, whole.count / kMostPatchesOfAWarp));
  arguments.corners = call.Allocate<double>(arguments.parts * slice.num_items *
                                            slice.num_faces * 6);
  const int64_t units = groups * arguments.parts;
  call.Launch("FaceGradients", FaceGradients<T>, units, kThreads, arguments,
              units);
  call.LaunchPerItem("GatherVertices", GatherVertices<T>,
                     slice.num_items * slice.num_vertices * kThreadsPerWarp,
                     kThreadsPerVertexBlock, arguments, lists,
                     vertices_gradient);
}

}  // namespace

template <typename T>
std::string SoftRasterizeBackwardGpu(const SoftRasterizeInputs<T>& inputs,
                                     const T* transparency, const T* upstream,
                                     T* vertices_gradient,
                                     const GpuContext& context) {
  GpuCall call(context);
  const int64_t pixels = inputs.height * inputs.width;
  const double cutoff = BackwardCutoff<T>(inputs.num_faces, pixels);
  const double radius = Radius(cutoff, inputs);
  const GpuLists lists =
      BuildLists(call, CornersOfVertices{inputs.faces}, 3 * inputs.num_faces, 1,
                 inputs.num_vertices);
  const ImagePlane plane = {inputs.height, inputs.width};
  const int64_t slice =
      MaxInt(1, context.most_faces_at_once / MaxInt(inputs.num_faces, 1));
  call.KeepScratch();
  for (int64_t first = 0; first < inputs.batch && call.ok(); first += slice) {
    call.ReuseScratch();
    DifferentiateSlice<T>(
        call,
        {{MakeItem(inputs, first, radius), inputs.num_vertices,
          inputs.num_faces, MinInt(slice, inputs.batch - first)},
         transparency + first * pixels,
         upstream + first * pixels,
         InverseSigma(inputs.sigma),
         -2.0 * InverseSigma(static_cast<double>(inputs.sigma)),
         static_cast<T>(std::exp(-cutoff)),
         MinInt(kLongestPatch, BlockSide(plane)),
         1,
         nullptr},
        lists, vertices_gradient + first * inputs.num_vertices * 3);
  }
  return call.error();
}

template std::string SoftRasterizeBackwardGpu<float>(
    const SoftRasterizeInputs<float>&, const float*, const float*, float*,
    const GpuContext&);
template std::string SoftRasterizeBackwardGpu<double>(
    const SoftRasterizeInputs<double>&, const double*, const double*, double*,
    const GpuContext&);

}  // namespace tf_softras
