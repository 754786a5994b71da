// Lists of numbers on the device, each in ascending order: the faces that reach
// a cell, the corners that meet in a vertex.
//
// A source says which lists an element belongs to. The lists are counted, given
// their places, and filled. Integer atomics hand out the places in any order; a
// sort then makes the lists the same on every run. Memory is 16 bytes a list
// and 4 an entry.
#ifndef TF_SOFTRAS_CC_CUDA_LISTS_H_
#define TF_SOFTRAS_CC_CUDA_LISTS_H_

#include <cstdint>

#include "cc/cuda/launch.h"

namespace tf_softras {

struct GpuLists {
  // List i is entries[offsets[i]] .. entries[offsets[i + 1] - 1].
  const unsigned long long* offsets;
  const uint32_t* entries;
};

constexpr int kThreadsPerListBlock = 256;
constexpr int kCountsPerThread = 8;
// Longer lists are sorted by a block, shorter ones by a thread.
constexpr int64_t kShortList = 32;
constexpr int64_t kMostSortingBlocks = 2048;

template <typename Source>
__global__ void __launch_bounds__(kThreadsPerListBlock)
    CountEntries(Source source, int64_t elements, unsigned long long* counts) {
  for (int64_t i = FirstIndex(); i < elements; i += IndexStride()) {
    source.ForEach(
        i, [&](int64_t list, uint32_t) { atomicAdd(&counts[list], 1ull); });
  }
}

// counts[i] becomes the sum of all before it, next[i] the same, and counts[n]
// the sum of all. One block.
static __global__ void __launch_bounds__(kThreadsPerListBlock)
    SumCounts(int64_t n, unsigned long long* counts, unsigned long long* next) {
  constexpr int kWarps = kThreadsPerListBlock / kThreadsPerWarp;
  __shared__ unsigned long long warp_sums[kWarps];
  const int lane = static_cast<int>(threadIdx.x) % kThreadsPerWarp;
  const int warp = static_cast<int>(threadIdx.x) / kThreadsPerWarp;
  unsigned long long before = 0;
  for (int64_t first = 0; first < n;
       first += kThreadsPerListBlock * kCountsPerThread) {
    const int64_t own = first + threadIdx.x * kCountsPerThread;
    unsigned long long own_sum = 0;
    for (int64_t i = own; i < MinInt(own + kCountsPerThread, n); ++i) {
      own_sum += counts[i];
    }
    unsigned long long up_to = own_sum;
    for (int delta = 1; delta < kThreadsPerWarp; delta *= 2) {
      const unsigned long long other = __shfl_up_sync(kWholeWarp, up_to, delta);
      if (lane >= delta) up_to += other;
    }
    if (lane == kThreadsPerWarp - 1) warp_sums[warp] = up_to;
    __syncthreads();
    unsigned long long place = before + up_to - own_sum;
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) place += warp_sums[w];
      before += warp_sums[w];
    }
    for (int64_t i = own; i < MinInt(own + kCountsPerThread, n); ++i) {
      const unsigned long long count = counts[i];
      counts[i] = place;
      next[i] = place;
      place += count;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) counts[n] = before;
}

template <typename Source>
__global__ void __launch_bounds__(kThreadsPerListBlock)
    FillLists(Source source, int64_t elements, unsigned long long* next,
              uint32_t* entries) {
  for (int64_t i = FirstIndex(); i < elements; i += IndexStride()) {
    source.ForEach(i, [&](int64_t list, uint32_t entry) {
      entries[atomicAdd(&next[list], 1ull)] = entry;
    });
  }
}

static __global__ void __launch_bounds__(kThreadsPerListBlock)
    SortShortLists(int64_t n, const unsigned long long* offsets,
                   uint32_t* entries) {
  for (int64_t list = FirstIndex(); list < n; list += IndexStride()) {
    uint32_t* values = entries + offsets[list];
    const int64_t count =
        static_cast<int64_t>(offsets[list + 1] - offsets[list]);
    if (count > kShortList) continue;
    for (int64_t i = 1; i < count; ++i) {
      const uint32_t value = values[i];
      int64_t place = i;
      for (; place > 0 && values[place - 1] > value; --place) {
        values[place] = values[place - 1];
      }
      values[place] = value;
    }
  }
}

__device__ inline void OrderPair(uint32_t* values, int64_t count, int64_t low,
                                 int64_t high) {
  // A value beyond the end counts as larger than all others.
  if (high < count && values[low] > values[high]) {
    const uint32_t value = values[low];
    values[low] = values[high];
    values[high] = value;
  }
}

// Calls work(low, offset) for the lower halves of the runs of 2 * half values,
// offset being low's place in its run; the block's threads share the work and
// wait for one another. `half` is a power of two.
template <typename Work>
__device__ void ForEachPair(int64_t half, int64_t count, const Work& work) {
  for (int64_t i = threadIdx.x;; i += kThreadsPerListBlock) {
    const int64_t offset = i & (half - 1);
    const int64_t low = 2 * i - offset;
    if (low >= count) break;
    work(low, offset);
  }
  __syncthreads();
}

// A bitonic sort by the block of each longer list; every comparison puts the
// smaller value first, so that the missing values of the last power of two stay
// where they are.
static __global__ void __launch_bounds__(kThreadsPerListBlock)
    SortLongLists(int64_t n, const unsigned long long* offsets,
                  uint32_t* entries) {
  for (int64_t list = blockIdx.x; list < n; list += gridDim.x) {
    uint32_t* values = entries + offsets[list];
    const int64_t count =
        static_cast<int64_t>(offsets[list + 1] - offsets[list]);
    if (count <= kShortList) continue;
    for (int64_t half = 1; half < count; half *= 2) {
      ForEachPair(half, count, [&](int64_t low, int64_t offset) {
        OrderPair(values, count, low, low + 2 * (half - offset) - 1);
      });
      for (int64_t step = half / 2; step > 0; step /= 2) {
        ForEachPair(step, count, [&](int64_t low, int64_t) {
          OrderPair(values, count, low, low + step);
        });
      }
    }
  }
}

// The lists 0 .. num_lists - 1 of the elements 0 .. num_elements - 1 of a
// source. source.ForEach(element, emit) calls emit(list, entry) at most
// `most_per_element` times, the same ones each time.
template <typename Source>
GpuLists BuildLists(GpuCall& call, const Source& source, int64_t num_elements,
                    int64_t most_per_element, int64_t num_lists) {
  auto* offsets = call.Allocate<unsigned long long>(num_lists + 1);
  auto* next = call.Allocate<unsigned long long>(num_lists);
  auto* entries = call.Allocate<uint32_t>(num_elements * most_per_element);
  call.Clear(offsets, num_lists + 1);
  call.LaunchPerIndex("CountEntries", CountEntries<Source>, num_elements,
                      kThreadsPerListBlock, source, num_elements, offsets);
  call.Launch("SumCounts", SumCounts, 1, kThreadsPerListBlock, num_lists,
              offsets, next);
  call.LaunchPerIndex("FillLists", FillLists<Source>, num_elements,
                      kThreadsPerListBlock, source, num_elements, next,
                      entries);
  call.LaunchPerIndex("SortShortLists", SortShortLists, num_lists,
                      kThreadsPerListBlock, num_lists, offsets, entries);
  call.Launch("SortLongLists", SortLongLists,
              MinInt(num_lists, kMostSortingBlocks), kThreadsPerListBlock,
              num_lists, offsets, entries);
  return {offsets, entries};
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CUDA_LISTS_H_
