// The gradient of the soft silhouette on a GPU.
//
//   a warp a small face, a block (or several) a large one          face_sums.h
//     for each patch of its pixels, a pixel a lane:
//       skip the pixel if its transparency is too small to count (coverage.h)
//       sums of upstream (1 - S) D s corners[k] (rx, ry), in T
//     a patch's sums are added to double ones, lanes are added pairwise
//   a warp a vertex: add up the corners that meet there            lists.h
//
// The nearest edge decides which corners get a pixel's gradient. If T cannot
// tell it for some pixel of a patch (thin faces, close calls, small pictures),
// the warp sums the patch again in double.
#include <cmath>
#include <limits>

#include "cc/cuda/face_sums.h"
#include "cc/cuda/launch.h"
#include "cc/cuda/lists.h"
#include "cc/cuda/rasterize/soft_rasterize.h"
#include "cc/cuda/slice.h"
#include "cc/geometry/coverage.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/local_view.h"
#include "cc/raster/mesh_item.h"

namespace tf_softras {
namespace {

// x and y of three corners, padded to the eight that SumOverWarp takes.
constexpr int kTerms = 8;
constexpr int kCoordinates = 6;

template <typename T>
struct BackwardArguments {
  Slice<T> slice;
  const T* transparency = nullptr;
  const T* upstream = nullptr;
  T inverse_sigma = T(0);
  // -2 / sigma: d(d^2) / d corner k is -2 corners[k] (rx, ry).
  double factor = 0.0;
  // Pixels below it are left out (coverage.h).
  T smallest_transparency = T(0);
  int64_t patch_side = 1;
  int64_t parts = 1;
  double* corners = nullptr;  // [parts, items, faces, 3, 2]
};

// A thread's sums over pixels of w corners[k] (rx, ry) (see ClosestPoint).
template <typename C>
struct PatchSums {
  C terms[6] = {};
  // The smallest EdgeGap of a pixel that counts.
  C gap = std::numeric_limits<C>::max();
};

// Adds this lane's pixels of a patch. C is the type to compute in.
template <typename C, typename T>
__device__ void AddPatch(const BackwardArguments<T>& arguments, int64_t index,
                         const LocalView<C>& view, const PixelRect& patch,
                         PatchSums<C>& sums) {
  const ImagePlane& plane = arguments.slice.first.plane;
  ForEachPixelOfLane(patch, [&](int64_t row, int64_t column) {
    const int64_t pixel = (index * plane.height + row) * plane.width + column;
    const T transparency = arguments.transparency[pixel];
    if (!(transparency > arguments.smallest_transparency)) return;
    const T weight = transparency * arguments.upstream[pixel];
    if (weight == T(0)) return;
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
  });
}

// A warp's scratch in shared memory.
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

// Adds the patches first, first + stride, ... of a face to this lane's totals.
// The whole warp must call this.
template <typename T>
__device__ void AddPatches(const BackwardArguments<T>& arguments, int64_t index,
                           const Triangle& triangle, const Patches& patches,
                           int64_t first, int64_t stride, WarpScratch<T>* warp,
                           double* totals) {
  const ImagePlane& plane = arguments.slice.first.plane;
  const double radius = arguments.slice.first.radius;
  constexpr bool kIsDouble = sizeof(T) == sizeof(double);
  const bool is_coarse = HasFewPixels(plane);
  // The error of a difference of two c is a few units of 2^-24 of the largest
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
      // Not certain: for some pixel, T could not tell the nearest edge.
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

// Writes the gradients of faces' corners.
template <typename T>
__global__ void __launch_bounds__(kThreadsPerFaceBlock)
    FaceGradients(BackwardArguments<T> arguments, int64_t units) {
  __shared__ FaceSumsScratch<kTerms> shared;
  __shared__ WarpScratch<T> scratch[kWarpsPerFaceBlock];
  const int warp = static_cast<int>(threadIdx.x) / kThreadsPerWarp;
  const Slice<T>& slice = arguments.slice;
  const FacesOfUnit<T> faces = {slice, arguments.patch_side, arguments.parts};
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    SumOverFaces(
        faces, unit, shared,
        [&](int64_t index, int64_t, const Triangle& triangle,
            const Patches& patches, int64_t first, int64_t stride,
            double* totals) {
          AddPatches(arguments, index, triangle, patches, first, stride,
                     &scratch[warp], totals);
        },
        [&](int64_t part, int64_t index, int64_t face, int term, double sum) {
          if (term >= kCoordinates) return;
          arguments.corners[kCoordinates * ((part * slice.num_items + index) *
                                                slice.num_faces +
                                            face) +
                            term] = arguments.factor * sum;
        });
  }
}

// Writes the vertices' gradients, a warp a vertex.
template <typename T>
__global__ void __launch_bounds__(kThreadsPerVertexBlock)
    GatherVertices(CornerSums corners, int64_t num_vertices,
                   T* vertices_gradient) {
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  for (int64_t i = FirstIndex() / kThreadsPerWarp;
       i < corners.num_items * num_vertices;
       i += IndexStride() / kThreadsPerWarp) {
    const int64_t index = i / num_vertices;
    const int64_t vertex = i % num_vertices;
    const double x = corners.Gather(index, vertex, 0);
    const double y = corners.Gather(index, vertex, 1);
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
  FacesOfUnit<T> faces = {slice, arguments.patch_side, 1};
  arguments.parts = faces.parts =
      PartsOfFaces(slice, arguments.patch_side, faces.count());
  arguments.corners = call.Allocate<double>(arguments.parts * slice.num_items *
                                            slice.num_faces * kCoordinates);
  const int64_t units = faces.count();
  call.Launch("FaceGradients", FaceGradients<T>, units, kThreadsPerFaceBlock,
              arguments, units);
  CornerSums corners;
  corners.sums = arguments.corners;
  corners.parts = arguments.parts;
  corners.num_items = slice.num_items;
  corners.num_corners = 3 * slice.num_faces;
  corners.values = kCoordinates / 3;
  corners.vertices = lists;
  call.LaunchPerIndex("GatherVertices", GatherVertices<T>,
                      slice.num_items * slice.num_vertices * kThreadsPerWarp,
                      kThreadsPerVertexBlock, corners, slice.num_vertices,
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
  const GpuLists lists = BuildVertexLists(call, inputs.faces, inputs.num_faces,
                                          inputs.num_vertices);
  const ImagePlane plane = {inputs.height, inputs.width};
  const int64_t slice =
      MaxInt(1, context.most_faces_at_once / MaxInt(inputs.num_faces, 1));
  call.KeepScratch();
  for (int64_t first = 0; first < inputs.batch && call.ok(); first += slice) {
    call.ReuseScratch();
    BackwardArguments<T> arguments;
    arguments.slice =
        MakeSlice(inputs, first, MinInt(slice, inputs.batch - first), radius);
    arguments.transparency = transparency + first * pixels;
    arguments.upstream = upstream + first * pixels;
    arguments.inverse_sigma = InverseSigma(inputs.sigma);
    arguments.factor = -2.0 * InverseSigma(static_cast<double>(inputs.sigma));
    arguments.smallest_transparency = static_cast<T>(std::exp(-cutoff));
    arguments.patch_side = PatchSide(plane);
    DifferentiateSlice(call, arguments, lists,
                       vertices_gradient + first * inputs.num_vertices * 3);
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
