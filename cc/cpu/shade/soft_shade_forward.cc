// Soft aggregation on the CPU, the image.
//
//   cut images into square tiles; list the faces that reach each (face_bins.h)
//   for each tile:                                      a unit of work
//     start each pixel with the background's channels and weight 1
//     for each face of its lists, for each 8 pixels of a row that it reaches:
//       skip them if no pair counts (coverage below min_coverage)
//       sums <- sums * keep + weight * attributes       depth_blend.h
//     divide each pixel's sums by its sum of weights
//
// Summed channels start at 0, add coverage * attributes, and are not divided.
//
// All is computed in double (shaded_item.h says why).
#include <cstdint>
#include <vector>

#include "cc/cpu/shade/shade_tile.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {
namespace {

// Blends faces into a plane for each channel.
struct ImageVisitor {
  const DepthBlend<double>& blend;
  const ShadedTile& tile;
  int64_t channels, blended;
  BlendPlanes planes;
  std::vector<double> sums;  // [channels, tile.size()]

  template <typename T>
  TF_SOFTRAS_INLINE ImageVisitor(const ShadedItem<T>& item,
                                 const ShadedTile& tile)
      : blend(item.blend),
        tile(tile),
        channels(item.channels),
        blended(item.blended),
        planes(tile.size(), item.blend),
        sums(tile.size() * item.channels, 0.0) {
    ForEachPixel([&](int64_t row, int64_t column, int64_t at)
                     __attribute__((always_inline)) {
                       const T* background = item.Background(row, column);
                       for (int64_t c = 0; c < blended; ++c) {
                         sums[c * tile.size() + at] = background[c];
                       }
                     });
  }

  template <typename Visit>
  TF_SOFTRAS_INLINE void ForEachPixel(const Visit& visit) {
    for (int64_t row = tile.rect.row_begin; row < tile.rect.row_end; ++row) {
      for (int64_t column = tile.rect.column_begin;
           column < tile.rect.column_end; ++column) {
        visit(row, column, tile.offset(row, column));
      }
    }
  }

  TF_SOFTRAS_INLINE void Block(const ShadedFace& face,
                               const LocalView<double>& view,
                               const PixelRect& block) {
    for (int64_t row = block.row_begin; row < block.row_end; ++row) {
      const double qy = view.qy(row);
      for (int64_t column = block.column_begin; column < block.column_end;
           column += kLanes) {
        if (!AnyPairCounts(blend, view, column, qy)) continue;
        const int64_t at = tile.offset(row, column);
        GroupTerms terms;
        BlendGroup(blend, face, view, column, qy, planes.level.data() + at,
                   planes.total.data() + at, terms);
        AddChannels(face, terms, sums.data() + at);
      }
    }
  }

  TF_SOFTRAS_INLINE void AddChannels(const ShadedFace& face,
                                     const GroupTerms& terms, double* sum) {
    for (int64_t c = 0; c < blended; ++c, sum += tile.size()) {
      const double a = face.attributes[c], b = face.attributes[channels + c],
                   d = face.attributes[2 * channels + c];
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        sum[lane] = sum[lane] * terms.keep[lane] + a * terms.parts[0][lane] +
                    b * terms.parts[1][lane] + d * terms.parts[2][lane];
      }
    }
    for (int64_t c = blended; c < channels; ++c, sum += tile.size()) {
      const double a = face.attributes[c], b = face.attributes[channels + c],
                   d = face.attributes[2 * channels + c];
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        sum[lane] += a * terms.summed_parts[0][lane] +
                     b * terms.summed_parts[1][lane] +
                     d * terms.summed_parts[2][lane];
      }
    }
  }

  TF_SOFTRAS_INLINE void EndFace(const ShadedFace&) {}
};

template <typename T>
TF_SOFTRAS_INLINE void ShadeTile(const ShadedItem<T>& item,
                                 const ShadedTile& tile, T* image) {
  std::vector<double> attributes(3 * item.channels);
  ImageVisitor visitor(item, tile);
  VisitTile(item, tile, attributes.data(), visitor);
  visitor.ForEachPixel([&](int64_t row, int64_t column,
                           int64_t at) __attribute__((always_inline)) {
    T* pixel = image + item.Pixel(row, column);
    const double inverse = 1.0 / visitor.planes.total[at];
    for (int64_t c = 0; c < item.channels; ++c) {
      pixel[c] = static_cast<T>(visitor.sums[c * tile.size() + at] *
                                (c < item.blended ? inverse : 1.0));
    }
  });
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
