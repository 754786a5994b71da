// The pairs of a tile as the backward passes visit them.
//
// The forward pass goes through the faces in order, a pixel a lane. A backward
// pass needs no order, because it knows the pixels' nearest levels. So it finds
// the pairs first, then takes kLanes faces with about as many pixels, one a
// lane: nothing of a face is spread over lanes, a face's sums are not added up
// over lanes, and few lanes idle.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_FOUND_PARTS_H_
#define TF_SOFTRAS_CC_CPU_SHADE_FOUND_PARTS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cc/cpu/face_batch.h"
#include "cc/cpu/lanes.h"
#include "cc/cpu/shade/shade_tile.h"
#include "cc/geometry/image_plane.h"
#include "cc/raster/local_view.h"
#include "cc/raster/shaded_item.h"

namespace tf_softras {

// Some of a face's pixels, and the pixel that its view is about.
struct FoundPart {
  int32_t face;
  int32_t middle_row, middle_column;
  int32_t first, count;  // of the places
};

// Pairs of a tile, a part of a face after the other, with at most 256 kB of
// places.
class FoundParts {
 public:
  // Starts over.
  TF_SOFTRAS_INLINE void Begin(const ShadedTile& tile) {
    no_pixel_ = static_cast<uint16_t>(
        (tile.rect.row_end - tile.rect.row_begin) * PackedPixels::kRow);
    parts_.clear();
    end_ = 0;
  }
  // Returns false if there is no room.
  TF_SOFTRAS_INLINE bool Add(int64_t face, const LocalView<double>& view,
                             const PackedPixels& pixels) {
    if (end_ + pixels.count > kMostPlaces) return false;
    // Room for a part, its places copied in whole vectors.
    const int64_t size = static_cast<int64_t>(places_.size());
    if (size < end_ + kMostOfPart) {
      places_.resize(MinInt(2 * size + 4096, kMostPlaces + kMostOfPart));
    }
    parts_.push_back(
        {static_cast<int32_t>(face), static_cast<int32_t>(view.middle_row),
         static_cast<int32_t>(view.middle_column), static_cast<int32_t>(end_),
         static_cast<int32_t>(pixels.count)});
    uint16_t* places = places_.data() + end_;
    for (int64_t i = 0; i < pixels.count; i += kLanes) {
      std::memcpy(places + i, pixels.places + i, kLanes * sizeof *places);
    }
    places[pixels.count] = no_pixel_;
    end_ += pixels.count + 1;
    return true;
  }
  // Sorts the parts by their pixels, so that neighbours have equally many.
  TF_SOFTRAS_INLINE void Sort() {
    int32_t next[kMostPixels + 2] = {};
    for (const FoundPart& part : parts_) ++next[part.count + 1];
    for (int i = 0; i <= kMostPixels; ++i) next[i + 1] += next[i];
    std::vector<FoundPart> sorted(parts_.size());
    for (const FoundPart& part : parts_) sorted[next[part.count]++] = part;
    parts_.swap(sorted);
  }

  TF_SOFTRAS_INLINE int64_t size() const {
    return static_cast<int64_t>(parts_.size());
  }
  TF_SOFTRAS_INLINE const FoundPart& part(int64_t i) const { return parts_[i]; }
  // A part's pixels start at its `first`; a place without a pixel follows them.
  TF_SOFTRAS_INLINE const uint16_t* places() const { return places_.data(); }

 private:
  static constexpr int64_t kMostPlaces = 1 << 17;
  static constexpr int kMostPixels = PixelFinder::kMost;
  static constexpr int64_t kMostOfPart = kMostPixels + kLanes;
  uint16_t no_pixel_ = 0;
  std::vector<FoundPart> parts_;
  std::vector<uint16_t> places_;
  int64_t end_ = 0;  // of the places in use
};

// kLanes parts, one a lane: lanes first .. first + kLanes - 1 of the batches.
struct PartLanes {
  const FaceBatch<double>& batch;
  const ShadedBatch& depths;
  int first;
  int32_t face[kLanes];
  LaneInts middle_row, middle_column;  // in the tile
  int32_t place[kLanes];               // the first of its places
  int32_t count[kLanes];               // of its pixels; 0 without a part
  int32_t most;                        // of the counts

  TF_SOFTRAS_INLINE PartLanes(const ShadedTile& tile, const FoundParts& found,
                              int64_t first_part,
                              const FaceBatch<double>& batch,
                              const ShadedBatch& depths, int first)
      : batch(batch), depths(depths), first(first), most(0) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const int64_t i = first_part + first + lane;
      const FoundPart part = found.part(MinInt(i, found.size() - 1));
      face[lane] = part.face;
      middle_row[lane] =
          part.middle_row - static_cast<int32_t>(tile.rect.row_begin);
      middle_column[lane] =
          part.middle_column - static_cast<int32_t>(tile.rect.column_begin);
      place[lane] = part.first;
      count[lane] = i < found.size() ? part.count : 0;
      // An idle lane begins where another one's pixels end.
      if (count[lane] == 0) place[lane] += part.count;
      most = count[lane] > most ? count[lane] : most;
    }
  }

  // Writes each part's i-th pixel, or no pixel.
  TF_SOFTRAS_INLINE void Pixels(const ShadedTile& tile, const FoundParts& found,
                                double step, int32_t i,
                                PixelGroup* group) const {
    LaneInts places;
    for (int lane = 0; lane < kLanes; ++lane) {
      const int32_t next = i < count[lane] ? i : count[lane];
      places[lane] = found.places()[place[lane] + next];
    }
    Settle(places);
    group->Set(places, static_cast<int32_t>(tile.stride()), middle_row,
               middle_column, step);
  }
};

// Hands all parts to visitor.Parts(lanes).
template <typename T, typename Visitor>
TF_SOFTRAS_INLINE void VisitParts(const ShadedItem<T>& item,
                                  const ShadedTile& tile,
                                  const FoundParts& found, Visitor& visitor) {
  constexpr int kFaces = FaceBatch<double>::kFaces;
  FaceBatch<double> batch;
  ShadedBatch depths;
  for (int64_t next = 0; next < found.size(); next += kFaces) {
    int32_t faces[kFaces], rows[kFaces], columns[kFaces];
    for (int lane = 0; lane < kFaces; ++lane) {
      const FoundPart part = found.part(MinInt(next + lane, found.size() - 1));
      faces[lane] = part.face;
      rows[lane] = part.middle_row;
      columns[lane] = part.middle_column;
    }
    batch.SetUpAbout(item.mesh, faces, rows, columns);
    depths.SetUp(item.mesh, faces, kFaces, batch);
    for (int first = 0; first < kFaces && next + first < found.size();
         first += kLanes) {
      visitor.Parts(PartLanes(tile, found, next, batch, depths, first));
    }
  }
}

// Finds pairs, and hands them on by visit(), as many as there is room for at a
// time.
template <typename Visit>
struct FindingVisitor {
  static constexpr bool kBlends = false;

  const ShadedTile& tile;
  const double* nearest;  // levels
  FoundParts& found;
  const Visit& visit;

  TF_SOFTRAS_INLINE const double* levels() const { return nearest; }
  TF_SOFTRAS_INLINE void BeginFace(const ShadedFace&) {}
  TF_SOFTRAS_INLINE void Pairs(const ShadedFace& face,
                               const LocalView<double>& view,
                               const PackedPixels& pixels) {
    if (found.Add(face.index, view, pixels)) return;
    visit();
    found.Begin(tile);
    found.Add(face.index, view, pixels);
  }
};

// Calls visit() with all pairs of a tile in `found`, at once or part by part.
// `levels` are the pixels' nearest ones.
template <typename T, typename Visit>
TF_SOFTRAS_INLINE void VisitFound(const ShadedItem<T>& item,
                                  const ShadedTile& tile, const double* levels,
                                  FoundParts& found, const Visit& visit) {
  found.Begin(tile);
  FindingVisitor<Visit> visitor = {tile, levels, found, visit};
  VisitTile(item, tile, visitor);
  visit();
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SHADE_FOUND_PARTS_H_
