// Which faces of a batch reach which tiles, found in parallel.
#ifndef TF_SOFTRAS_CC_CPU_BIN_FACES_H_
#define TF_SOFTRAS_CC_CPU_BIN_FACES_H_

#include <cstdint>
#include <vector>

#include "cc/cpu/face_batch.h"
#include "cc/cpu/face_bins.h"
#include "cc/cpu/parallel.h"
#include "cc/cpu/tiling.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// The faces that reach each tile, for items [first, first + items); none where
// an image is one tile.
template <typename T>
std::vector<FaceBins> BinFaces(const SoftRasterizeInputs<T>& inputs,
                               const Tiling& tiling, int64_t first,
                               int64_t items, double radius,
                               const ParallelFor& parallel_for) {
  if (tiling.count() == 1) return {};
  // Faces of a chunk; a few chunks an item, whose counts are small beside the
  // lists.
  constexpr int64_t kFacesPerChunk = 4096;
  constexpr int64_t kMostChunks = 8;
  constexpr int64_t kBinCost = 20;  // nanoseconds
  std::vector<FaceBins> bins(
      items, FaceBins(inputs.height, inputs.width, tiling.side));
  const int64_t chunks =
      MaxInt(1, MinInt(kMostChunks, inputs.num_faces / kFacesPerChunk));
  for (FaceBins& of_item : bins) of_item.Begin(inputs.num_faces, chunks);
  const auto for_chunks = [&](const auto& work) {
    parallel_for(items * chunks, inputs.num_faces * kBinCost / chunks,
                 [&](int64_t begin, int64_t end) {
                   for (int64_t unit = begin; unit < end; ++unit) {
                     const int64_t i = unit / chunks;
                     const MeshItem<T> item =
                         MakeMeshItem(inputs, first + i, radius);
                     work(bins[i], unit % chunks,
                          [&item](int64_t face) { return item.Reach(face); });
                   }
                 });
  };
  for_chunks([](FaceBins& of_item, int64_t chunk, const auto& reach) {
    of_item.Count(chunk, reach);
  });
  for (FaceBins& of_item : bins) of_item.EndCount();
  for_chunks([](FaceBins& of_item, int64_t chunk, const auto& reach) {
    of_item.Fill(chunk, reach);
  });
  return bins;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_BIN_FACES_H_
