// Finds the faces of a batch's items that reach each tile of their images.
//
// Faces are listed in the cells of a loose pyramid (tile_pyramid.h): each in at
// most four, so memory is O(faces) for every sigma, also when each face reaches
// each pixel. A tile visits its own list and those of its ancestors. Lists hold
// faces in ascending order and do not depend on threads: chunks of faces are
// counted in parallel, the counts are turned into places, and each chunk fills
// in its own.
#ifndef TF_SOFTRAS_CC_CPU_FACE_BINS_H_
#define TF_SOFTRAS_CC_CPU_FACE_BINS_H_

#include <cstdint>
#include <vector>

#include "cc/cpu/parallel.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/image_plane.h"
#include "cc/raster/inputs.h"
#include "cc/raster/mesh_item.h"
#include "cc/raster/tile_pyramid.h"

namespace tf_softras {

// Faces in ascending order.
struct FaceList {
  const int32_t* faces;
  int64_t count;
};

// The lists of one item.
class FaceBins {
 public:
  // The faces [0, num_faces) come in `chunks`, which may go through in
  // parallel: first Count for each, then EndCount, then Fill for each.
  FaceBins(const TilePyramid& pyramid, int64_t num_faces, int64_t chunks)
      : pyramid_(pyramid),
        num_faces_(num_faces),
        chunks_(chunks),
        next_(chunks * pyramid.num_cells(), 0) {}

  int num_levels() const { return pyramid_.levels; }

  // reach(face) gives the pixels that a face reaches, empty for none.
  template <typename Reach>
  void Count(int64_t chunk, const Reach& reach) {
    int64_t* count = next_.data() + chunk * pyramid_.num_cells();
    ForEachCell(chunk, reach,
                [count](int64_t cell, int32_t) { ++count[cell]; });
  }

  // Turns counts into the places where each chunk's entries go.
  void EndCount() {
    const int64_t num_cells = pyramid_.num_cells();
    offsets_.assign(num_cells + 1, 0);
    int64_t total = 0;
    for (int64_t cell = 0; cell < num_cells; ++cell) {
      offsets_[cell] = total;
      for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
        int64_t& next = next_[chunk * num_cells + cell];
        const int64_t count = next;
        next = total;
        total += count;
      }
    }
    offsets_[num_cells] = total;
    faces_.resize(total);
  }

  template <typename Reach>
  void Fill(int64_t chunk, const Reach& reach) {
    int64_t* next = next_.data() + chunk * pyramid_.num_cells();
    ForEachCell(chunk, reach, [this, next](int64_t cell, int32_t face) {
      faces_[next[cell]++] = face;
    });
  }

  // The list of a level that may reach the tile.
  FaceList List(int level, int64_t tile_row, int64_t tile_column) const {
    const int64_t cell = pyramid_.CellOfTile(level, tile_row, tile_column);
    return {faces_.data() + offsets_[cell],
            offsets_[cell + 1] - offsets_[cell]};
  }

 private:
  template <typename Reach, typename Emit>
  void ForEachCell(int64_t chunk, const Reach& reach, const Emit& emit) const {
    const int64_t end = num_faces_ * (chunk + 1) / chunks_;
    for (int64_t face = num_faces_ * chunk / chunks_; face < end; ++face) {
      pyramid_.ForEachCell(reach(face), [&emit, face](int64_t cell) {
        emit(cell, static_cast<int32_t>(face));
      });
    }
  }

  TilePyramid pyramid_;
  int64_t num_faces_;
  int64_t chunks_;
  std::vector<int64_t> next_;     // of each chunk and cell
  std::vector<int64_t> offsets_;  // of each cell
  std::vector<int32_t> faces_;
};

// The lists of items [first, first + items). None where an image is one tile.
template <typename T>
std::vector<FaceBins> BinFaces(const RasterizeInputs<T>& inputs,
                               const Tiling& tiling, int64_t first,
                               int64_t items, double radius,
                               const ParallelFor& parallel_for) {
  if (tiling.count() == 1) return {};
  // A few chunks an item, whose counts are small beside the lists.
  constexpr int64_t kFacesPerChunk = 4096;
  constexpr int64_t kMostChunks = 8;
  constexpr int64_t kBinCost = 20;  // nanoseconds
  const int64_t chunks =
      MaxInt(1, MinInt(kMostChunks, inputs.num_faces / kFacesPerChunk));
  const TilePyramid pyramid(inputs.height, inputs.width, tiling.side);
  std::vector<FaceBins> bins(items,
                             FaceBins(pyramid, inputs.num_faces, chunks));
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

#endif  // TF_SOFTRAS_CC_CPU_FACE_BINS_H_
