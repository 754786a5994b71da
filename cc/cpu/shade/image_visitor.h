// The visit of a tile's faces in order: blends their values into the pixels'
// sums.
//
// A pixel's sums lie side by side, a vector of channels: the sum of weights is
// that of a channel that is 1 at each corner. Summed channels start at 0, add
// coverage * attributes, and are not divided.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_IMAGE_VISITOR_H_
#define TF_SOFTRAS_CC_CPU_SHADE_IMAGE_VISITOR_H_

#include <cstdint>
#include <cstring>
#include <vector>

#include "cc/cpu/lanes.h"
#include "cc/cpu/shade/shade_tile.h"
#include "cc/geometry/depth_blend.h"
#include "cc/raster/local_view.h"
#include "cc/raster/shaded_item.h"

namespace tf_softras {

// A part of a pixel's sums.
constexpr int64_t kSumsVector = 4;
typedef double SumsVector __attribute__((vector_size(8 * kSumsVector)));

// The order of a pixel's sums: 1, the blended channels, then the summed ones,
// each group padded to whole vectors.
struct SumsLayout {
  int64_t first_summed, width;

  template <typename T>
  SumsLayout(const ShadedItem<T>& item, bool has_sums)
      : first_summed(Padded(1 + item.blended)),
        width(first_summed +
              Padded(has_sums ? item.channels - item.blended : 0)) {}

  static int64_t Padded(int64_t count) {
    return (count + kSumsVector - 1) / kSumsVector * kSumsVector;
  }
  // Writes one vertex's or pixel's values there.
  template <typename T>
  TF_SOFTRAS_INLINE void WriteBlended(const ShadedItem<T>& item, const T* from,
                                      double* sums) const {
    // Colours in one store: a vector that is read soon after the stores of its
    // parts would wait for them.
    if (item.blended == 3) {
      const SumsVector vector = {1.0, static_cast<double>(from[0]),
                                 static_cast<double>(from[1]),
                                 static_cast<double>(from[2])};
      std::memcpy(sums, &vector, sizeof vector);
      return;
    }
    sums[0] = 1.0;
    for (int64_t c = 0; c < item.blended; ++c) sums[1 + c] = from[c];
  }
  template <typename T>
  TF_SOFTRAS_INLINE void WriteSummed(const ShadedItem<T>& item, const T* from,
                                     double* sums) const {
    if (first_summed == width) return;
    for (int64_t c = item.blended; c < item.channels; ++c) {
      sums[first_summed + c - item.blended] = from[c];
    }
  }
};

// Blends faces into the pixels' sums; without `has_sums`, the blended channels
// alone.
template <typename T, bool has_sums>
struct ImageVisitor {
  static constexpr bool kBlends = true;

  const ShadedItem<T>& item;
  const ShadedTile& tile;
  SumsLayout layout;
  std::vector<double> level;       // [tile.size()]
  std::vector<double> sums;        // [tile.size(), layout.width]
  std::vector<double> attributes;  // of the face's corners, [3, layout.width]

  TF_SOFTRAS_INLINE ImageVisitor(const ShadedItem<T>& item,
                                 const ShadedTile& tile)
      : item(item),
        tile(tile),
        layout(item, has_sums),
        level(tile.size(), item.blend.background_level),
        sums(tile.size() * layout.width, 0.0),
        attributes(3 * layout.width, 0.0) {
    for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
      for (int64_t column = tile.rect.column_begin;
           column < tile.rect.column_end; ++column) {
        double* pixel = sums.data() + tile.offset(row, column) * layout.width;
        layout.WriteBlended(item, item.Background(row, column), pixel);
      }
    }
  }

  TF_SOFTRAS_INLINE const double* levels() const { return level.data(); }

  TF_SOFTRAS_INLINE void BeginFace(const ShadedFace& face) {
    for (int k = 0; k < 3; ++k) {
      const int64_t vertex = item.mesh.faces[3 * face.index + k];
      const T* from = item.attributes + vertex * item.channels;
      double* corner = attributes.data() + k * layout.width;
      layout.WriteBlended(item, from, corner);
      layout.WriteSummed(item, from, corner);
    }
  }

  TF_SOFTRAS_INLINE void Pairs(const ShadedFace& face,
                               const LocalView<double>& view,
                               const PackedPixels& pixels) {
    for (int64_t first = 0; first < pixels.count; first += kLanes) {
      const PixelGroup group(pixels, first, tile, view);
      const int32_t* at = group.at;
      double nearest[kLanes];
      GatherLanes(level.data(), at, nearest);
      GroupTerms terms;
      BlendGroup<has_sums>(item.blend, face, view, group, nearest, terms);
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        level[at[lane]] = nearest[lane];
      }
      AddGroup(terms, at);
    }
  }

  // Adds the face to the sums of a group of pixels, a vector of channels after
  // the other: the corners' values then stay in registers.
  TF_SOFTRAS_INLINE void AddGroup(const GroupTerms& terms, const int32_t* at) {
    for (int64_t i = 0; i < layout.width; i += kSumsVector) {
      const bool is_blended = i < layout.first_summed;
      const double(&parts)[3][kLanes] =
          is_blended ? terms.parts : terms.summed_parts;
      SumsVector corners[3];
      for (int k = 0; k < 3; ++k) {
        std::memcpy(&corners[k], attributes.data() + k * layout.width + i,
                    sizeof corners[k]);
      }
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        double* pixel = sums.data() + at[lane] * layout.width + i;
        SumsVector sum;
        std::memcpy(&sum, pixel, sizeof sum);
        sum = sum * (is_blended ? terms.keep[lane] : 1.0) +
              (parts[0][lane] * corners[0] + parts[1][lane] * corners[1] +
               parts[2][lane] * corners[2]);
        std::memcpy(pixel, &sum, sizeof sum);
      }
    }
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SHADE_IMAGE_VISITOR_H_
