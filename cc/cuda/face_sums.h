// Sums over the pixels that a face reaches, then over the corners that meet in
// a vertex, for the backward passes: in an order that depends on shapes alone,
// without atomics.
#ifndef TF_SOFTRAS_CC_CUDA_FACE_SUMS_H_
#define TF_SOFTRAS_CC_CUDA_FACE_SUMS_H_

#include <cstdint>
#include <limits>

#include "cc/cuda/launch.h"
#include "cc/cuda/lists.h"
#include "cc/cuda/slice.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/local_view.h"
#include "cc/raster/mesh_item.h"

namespace tf_softras {

constexpr int kThreadsPerFaceBlock = 128;
constexpr int kWarpsPerFaceBlock = kThreadsPerFaceBlock / kThreadsPerWarp;
// The faces that a block sets up at once, each by a thread of its first warp.
constexpr int kFacesPerUnit = kThreadsPerWarp;
// A face's pixels are visited in square patches with a local origin each, by a
// warp. This bounds a lane's float sums to 32 terms.
constexpr int64_t kLongestPatch = 32;
// A face of more patches is shared by the warps of a block, and by several
// blocks where there are too few faces to fill a device.
constexpr int64_t kMostPatchesOfAWarp = 16;
constexpr int64_t kMostPartsOfAFace = 32;
constexpr int kThreadsPerVertexBlock = 256;

inline int64_t PatchSide(const ImagePlane& plane) {
  return MinInt(kLongestPatch, BlockSide(plane));
}

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

// Calls visit(row, column) for this lane's pixels of a patch.
template <typename Visit>
__device__ void ForEachPixelOfLane(const PixelRect& patch, const Visit& visit) {
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  const int columns = static_cast<int>(patch.column_end - patch.column_begin);
  const int pixels =
      columns * static_cast<int>(patch.row_end - patch.row_begin);
  for (int i = lane; i < pixels; i += kThreadsPerWarp) {
    visit(patch.row_begin + i / columns, patch.column_begin + i % columns);
  }
}

// Expresses a face about the middle of a patch, an edge a lane. The whole warp
// must call this.
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

// Returns the sum over a warp's lanes of values[lane / 4]. Half of the lanes
// take half of the values at each step, so 9 exchanges do instead of 40.
// Overwrites `values`.
__device__ inline double SumOverWarp(double* values) {
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

// Calls write(term, sum) in one lane for each of a warp's kTerms sums, eight at
// a time. `totals` are this lane's; they are overwritten.
template <int kTerms, typename Write>
__device__ void WriteSumsOfWarp(double* totals, const Write& write) {
  static_assert(kTerms % 8 == 0, "SumOverWarp takes eight at once");
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
#if defined(__CUDACC__)
#pragma unroll
#endif
  for (int first = 0; first < kTerms; first += 8) {
    const double sum = SumOverWarp(totals + first);
    if (lane % 4 == 0) write(first + lane / 4, sum);
  }
}

// The shared memory of a block that sums over faces.
template <int kTerms>
struct FaceSumsScratch {
  Triangle triangles[kFacesPerUnit];
  PixelRect rects[kFacesPerUnit];
  double sums[kWarpsPerFaceBlock][kTerms];
};

// The faces of a unit of work.
template <typename T>
struct FacesOfUnit {
  const Slice<T>& slice;
  int64_t patch_side;
  int64_t parts;  // blocks that share a large face's patches

  // The number of units.
  TF_SOFTRAS_INLINE int64_t count() const {
    return slice.num_items * groups() * parts;
  }
  TF_SOFTRAS_INLINE int64_t groups() const {
    return (slice.num_faces + kFacesPerUnit - 1) / kFacesPerUnit;
  }
};

// Sums over the pixels of each face of one unit: a warp sums a small face, the
// whole block a large one, several blocks where `parts` says so.
//
// add(index, face, triangle, patches, first, stride, totals) adds this lane's
// pixels of the patches first, first + stride, ... of a face of item `index` to
// totals[kTerms]; whole warps call it. write(part, index, face, term, sum) is
// called once for each term of each part. The whole block must call this.
template <int kTerms, typename T, typename Add, typename Write>
__device__ void SumOverFaces(const FacesOfUnit<T>& faces, int64_t unit,
                             FaceSumsScratch<kTerms>& shared, const Add& add,
                             const Write& write) {
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / kThreadsPerWarp;
  const int lane = thread % kThreadsPerWarp;
  const int64_t part = unit % faces.parts;
  const int64_t first_face =
      unit / faces.parts % faces.groups() * kFacesPerUnit;
  const int64_t index = unit / faces.parts / faces.groups();
  const int count = static_cast<int>(
      MinInt(kFacesPerUnit, faces.slice.num_faces - first_face));

  // Set the faces up, a thread each.
  __syncthreads();
  if (thread < count) {
    const MeshItem<T> item = faces.slice.item(index);
    shared.rects[thread] = item.Reach(first_face + thread);
    shared.triangles[thread] = item.MakeFace(first_face + thread);
  }
  __syncthreads();

  // Small faces: a warp each.
  for (int i = warp; i < count; i += kWarpsPerFaceBlock) {
    const Patches patches(shared.rects[i], faces.patch_side);
    if (patches.count > kMostPatchesOfAWarp) continue;
    if (part > 0) {
      if (lane < kTerms) write(part, index, first_face + i, lane, 0.0);
      continue;
    }
    double totals[kTerms] = {};
    add(index, first_face + i, shared.triangles[i], patches, 0, 1, totals);
    WriteSumsOfWarp<kTerms>(totals, [&](int term, double sum) {
      write(part, index, first_face + i, term, sum);
    });
  }
  // Large faces: all warps, then their sums are added in order.
  for (int i = 0; i < count; ++i) {
    const Patches patches(shared.rects[i], faces.patch_side);
    if (patches.count <= kMostPatchesOfAWarp) continue;
    double totals[kTerms] = {};
    add(index, first_face + i, shared.triangles[i], patches,
        part * kWarpsPerFaceBlock + warp, faces.parts * kWarpsPerFaceBlock,
        totals);
    WriteSumsOfWarp<kTerms>(
        totals, [&](int term, double sum) { shared.sums[warp][term] = sum; });
    __syncthreads();
    if (thread < kTerms) {
      double total = 0.0;
      for (int w = 0; w < kWarpsPerFaceBlock; ++w) {
        total += shared.sums[w][thread];
      }
      write(part, index, first_face + i, thread, total);
    }
    __syncthreads();
  }
}

// Returns the number of blocks that share a large face.
template <typename T>
int64_t PartsOfFaces(const Slice<T>& slice, int64_t patch_side,
                     int64_t units_of_a_part) {
  const Patches whole(slice.first.plane.bounds(), patch_side);
  return PartsThatFillADevice(
      MaxInt(units_of_a_part, 1),
      MinInt(kMostPartsOfAFace, whole.count / kMostPatchesOfAWarp));
}

// The source of the vertices' lists (lists.h): the corners of faces that meet
// in a vertex.
struct CornersOfVertices {
  const int32_t* faces;

  template <typename Emit>
  __device__ void ForEach(int64_t corner, const Emit& emit) const {
    emit(faces[corner], static_cast<uint32_t>(corner));
  }
};

inline GpuLists BuildVertexLists(GpuCall& call, const int32_t* faces,
                                 int64_t num_faces, int64_t num_vertices) {
  return BuildLists(call, CornersOfVertices{faces}, 3 * num_faces, 1,
                    num_vertices);
}

// The sums of a slice's corners, and the vertices in which corners meet.
struct CornerSums {
  const double* sums;  // [parts, items, faces, 3, values]
  int64_t parts;
  int64_t num_items;
  int64_t num_corners;  // 3 for each face
  int64_t values;
  GpuLists vertices;

  // Returns the sum of value `i` over the corners that meet in a vertex, in
  // every lane, always in the same order. The whole warp must call this.
  __device__ double Gather(int64_t index, int64_t vertex, int64_t i) const {
    const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
    double sum = 0.0;
    for (int64_t place = static_cast<int64_t>(vertices.offsets[vertex]) + lane;
         place < static_cast<int64_t>(vertices.offsets[vertex + 1]);
         place += kThreadsPerWarp) {
      for (int64_t part = 0; part < parts; ++part) {
        sum += sums[values * ((part * num_items + index) * num_corners +
                              vertices.entries[place]) +
                    i];
      }
    }
    for (int mask = kThreadsPerWarp / 2; mask > 0; mask /= 2) {
      sum += __shfl_xor_sync(kWholeWarp, sum, mask);
    }
    return sum;
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_FACE_SUMS_H_
