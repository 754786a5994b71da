// Soft aggregation on the CPU, the image.
//
//   cut images into square tiles; list the faces that reach each (face_bins.h)
//   for each tile:                                      a unit of work
//     start each pixel with the background's channels and weight 1
//     for each face, for each 8 pixels where it counts:  shade_tile.h
//       sums <- sums * keep + weight * attributes       depth_blend.h
//     divide each pixel's sums by its sum of weights
//
// A pixel's sums lie side by side, a vector of channels: the sum of weights is
// that of a channel that is 1 at each corner. Summed channels start at 0, add
// coverage * attributes, and are not divided. All is computed in double
// (shaded_item.h says why).
#include <cstdint>
#include <cstring>
#include <vector>

#include "cc/cpu/lanes.h"
#include "cc/cpu/shade/shade_tile.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {
namespace {

// The order of a pixel's sums: 1, the blended channels, then the summed ones,
// each group padded to whole vectors.
struct SumsLayout {
  static constexpr int64_t kVector = 4;

  int64_t first_summed, width;

  template <typename T>
  explicit SumsLayout(const ShadedItem<T>& item)
      : first_summed(Padded(1 + item.blended)),
        width(first_summed + Padded(item.channels - item.blended)) {}

  static int64_t Padded(int64_t count) {
    return (count + kVector - 1) / kVector * kVector;
  }
  // Writes one vertex's or pixel's values there.
  template <typename T>
  TF_SOFTRAS_INLINE void Write(const ShadedItem<T>& item, const T* from,
                               double* sums) const {
    sums[0] = 1.0;
    for (int64_t c = 0; c < item.blended; ++c) sums[1 + c] = from[c];
    for (int64_t c = item.blended; c < item.channels; ++c) {
      sums[first_summed + c - item.blended] = from[c];
    }
  }
};

// A part of a pixel's sums.
typedef double SumsVector
    __attribute__((vector_size(8 * SumsLayout::kVector)));

// Blends faces into the pixels' sums.
template <typename T>
struct ImageVisitor {
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
        layout(item),
        level(tile.size(), item.blend.background_level),
        sums(tile.size() * layout.width, 0.0),
        attributes(3 * layout.width, 0.0) {
    for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
      for (int64_t column = tile.rect.column_begin;
           column < tile.rect.column_end; ++column) {
        double* pixel = sums.data() + tile.offset(row, column) * layout.width;
        layout.Write(item, item.Background(row, column), pixel);
        for (int64_t i = layout.first_summed; i < layout.width; ++i) {
          pixel[i] = 0.0;
        }
      }
    }
  }

  TF_SOFTRAS_INLINE const double* levels() const { return level.data(); }

  TF_SOFTRAS_INLINE void BeginFace(const ShadedFace& face) {
    for (int k = 0; k < 3; ++k) {
      const int64_t vertex = item.mesh.faces[3 * face.index + k];
      layout.Write(item, item.attributes + vertex * item.channels,
                   attributes.data() + k * layout.width);
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
      BlendGroup<true>(item.blend, face, view, group, nearest, terms);
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        level[at[lane]] = nearest[lane];
      }
      AddGroup(terms, at);
    }
  }

  // Adds the face to the sums of a group of pixels, a vector of channels after
  // the other: the corners' values then stay in registers.
  TF_SOFTRAS_INLINE void AddGroup(const GroupTerms& terms,
                                  const int32_t* at) {
    for (int64_t i = 0; i < layout.width; i += SumsLayout::kVector) {
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

  TF_SOFTRAS_INLINE void EndFace(const ShadedFace&) {}

  TF_SOFTRAS_INLINE void Write(T* image) const {
    for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
      for (int64_t column = tile.rect.column_begin;
           column < tile.rect.column_end; ++column) {
        const double* sum =
            sums.data() + tile.offset(row, column) * layout.width;
        T* pixel = image + item.Pixel(row, column);
        const double inverse = 1.0 / sum[0];
        for (int64_t c = 0; c < item.blended; ++c) {
          pixel[c] = static_cast<T>(sum[1 + c] * inverse);
        }
        for (int64_t c = item.blended; c < item.channels; ++c) {
          pixel[c] =
              static_cast<T>(sum[layout.first_summed + c - item.blended]);
        }
      }
    }
  }
};

template <typename T>
TF_SOFTRAS_INLINE void ShadeTile(const ShadedItem<T>& item,
                                 const ShadedTile& tile, T* image) {
  ImageVisitor<T> visitor(item, tile);
  VisitTile(item, tile, visitor);
  visitor.Write(image);
}

TF_SOFTRAS_CLONES void ShadeTileClone(const ShadedItem<float>& item,
                                      const ShadedTile& tile, float* image) {
  ShadeTile(item, tile, image);
}
TF_SOFTRAS_CLONES void ShadeTileClone(const ShadedItem<double>& item,
                                      const ShadedTile& tile, double* image) {
  ShadeTile(item, tile, image);
}

// Guesses for the scheduler, in nanoseconds.
constexpr int64_t kFaceCost = 400;
constexpr int64_t kPixelCost = 20;

}  // namespace

template <typename T>
void SoftShadeForward(const SoftShadeInputs<T>& inputs, T* image,
                      const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T>& mesh = inputs.mesh;
  const double radius = ShadeRadius(inputs);
  const Tiling tiling(mesh.batch, mesh.height, mesh.width);
  const int64_t values = mesh.height * mesh.width * inputs.channels;
  const int64_t cost = mesh.num_faces * kFaceCost / tiling.count() +
                       tiling.side * tiling.side * kPixelCost;
  // In slices, so that the bins' memory does not grow with the batch.
  const int64_t slice = MaxInt(1, 1024 / tiling.count());
  for (int64_t first = 0; first < mesh.batch; first += slice) {
    const int64_t items = MinInt(slice, mesh.batch - first);
    const std::vector<FaceBins> bins =
        BinFaces(mesh, tiling, first, items, radius, parallel_for);
    parallel_for(items * tiling.count(), cost, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t i = unit / tiling.count();
        ShadeTileClone(MakeShadedItem(inputs, first + i, radius),
                       MakeShadedTile(tiling, unit % tiling.count(),
                                      bins.empty() ? nullptr : &bins[i]),
                       image + (first + i) * values);
      }
    });
  }
}

template void SoftShadeForward<float>(const SoftShadeInputs<float>&, float*,
                                      const ParallelFor&);
template void SoftShadeForward<double>(const SoftShadeInputs<double>&, double*,
                                       const ParallelFor&);

}  // namespace tf_softras
