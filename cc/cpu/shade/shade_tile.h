// Visits the faces that reach a tile, set up in double, and blends them into
// the tile's pixels. All passes of the soft shader share this.
#ifndef TF_SOFTRAS_CC_CPU_SHADE_SHADE_TILE_H_
#define TF_SOFTRAS_CC_CPU_SHADE_SHADE_TILE_H_

#include <cstdint>
#include <vector>

#include "cc/cpu/face_batch.h"
#include "cc/cpu/face_bins.h"
#include "cc/cpu/shade/soft_shade.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tiling.h"
#include "cc/geometry/depth_blend.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/interpolation.h"
#include "cc/raster/local_view.h"
#include "cc/raster/shaded_item.h"

namespace tf_softras {

// A tile and the faces that may reach it.
struct ShadedTile {
  PixelRect rect;
  int64_t row, column;
  const FaceBins* bins;  // null: all faces

  // Planes of scratch have padded rows.
  TF_SOFTRAS_INLINE int64_t stride() const {
    return rect.column_end - rect.column_begin + kLanes;
  }
  TF_SOFTRAS_INLINE int64_t size() const {
    return stride() * (rect.row_end - rect.row_begin);
  }
  TF_SOFTRAS_INLINE int64_t offset(int64_t row, int64_t column) const {
    return (row - rect.row_begin) * stride() + (column - rect.column_begin);
  }
};

inline ShadedTile MakeShadedTile(const Tiling& tiling, int64_t index,
                                 const FaceBins* bins) {
  const int64_t row = index / tiling.columns, column = index % tiling.columns;
  return {tiling.rect(row, column), row, column, bins};
}

// A face while it is drawn over a tile.
struct ShadedFace {
  int64_t index;
  FaceDepths<double> depths;
  EdgeShares<double> shares;
  const double* attributes;  // [3, channels]
};

// `attributes` is room for [3, channels].
template <typename T>
TF_SOFTRAS_INLINE ShadedFace MakeShadedFace(const ShadedItem<T>& item,
                                            int64_t face,
                                            const LocalTriangle<double>& local,
                                            double* attributes) {
  const MeshItem<T>& mesh = item.mesh;
  for (int corner = 0; corner < 3; ++corner) {
    const T* from =
        item.attributes +
        item.channels * static_cast<int64_t>(mesh.faces[3 * face + corner]);
    for (int64_t c = 0; c < item.channels; ++c) {
      attributes[corner * item.channels + c] = from[c];
    }
  }
  return {
      face,
      MakeFaceDepths<double>(mesh.vertex(face, 0)[2], mesh.vertex(face, 1)[2],
                             mesh.vertex(face, 2)[2], mesh.is_linear),
      MakeEdgeShares(local), attributes};
}

// Names the faces ids[first ..]; without a list, first .. itself.
struct FaceIds {
  const int32_t* ids;
  int64_t first;

  TF_SOFTRAS_INLINE int64_t operator()(int lane) const {
    return ids ? static_cast<int64_t>(ids[first + lane]) : first + lane;
  }
};

// Calls a visitor's Block for the blocks of one face.
template <typename Visitor>
struct FaceBlocks {
  Visitor& visitor;
  const ShadedFace& face;

  TF_SOFTRAS_INLINE void operator()(const LocalView<double>& view,
                                    const PixelRect& block) const {
    visitor.Block(face, view, block);
  }
};

// Calls visitor.Block(face, view, block) for each block of pixels that a face
// reaches, then visitor.EndFace(face). `ids` is null for the faces 0 .. count -
// 1. `attributes` is room for [3, channels].
template <typename T, typename Visitor>
TF_SOFTRAS_INLINE void VisitFaces(const ShadedItem<T>& item, const int32_t* ids,
                                  int64_t count, const PixelRect& tile,
                                  double* attributes, Visitor& visitor) {
  FaceBatch<double> batch;
  for (int64_t first = 0; first < count; first += batch.kFaces) {
    const FaceIds face = {ids, first};
    const int lanes = static_cast<int>(MinInt(batch.kFaces, count - first));
    batch.SetUp(item.mesh, lanes, face, tile);
    for (int lane = 0; lane < lanes; ++lane) {
      const PixelRect rect = batch.rect(lane);
      if (rect.empty()) continue;
      const LocalView<double> view =
          MakeLocalView(batch, lane, item.mesh.plane, rect);
      const ShadedFace shaded =
          MakeShadedFace(item, face(lane), view.triangle, attributes);
      if (IsOneBlock(rect, item.mesh.plane)) {
        visitor.Block(shaded, view, rect);
      } else {
        ForEachBlock<double>(item.mesh, item.mesh.MakeFace(face(lane)), rect,
                             FaceBlocks<Visitor>{visitor, shaded});
      }
      visitor.EndFace(shaded);
    }
  }
}

template <typename T, typename Visitor>
TF_SOFTRAS_INLINE void VisitTile(const ShadedItem<T>& item,
                                 const ShadedTile& tile, double* attributes,
                                 Visitor& visitor) {
  if (tile.bins == nullptr) {
    VisitFaces<T>(item, nullptr, item.num_faces, tile.rect, attributes,
                  visitor);
  } else {
    for (int level = 0; level < tile.bins->num_levels(); ++level) {
      const FaceList list = tile.bins->List(level, tile.row, tile.column);
      VisitFaces(item, list.faces, list.count, tile.rect, attributes, visitor);
    }
  }
}

// Whether any of the kLanes pairs from `column` on counts (min_coverage).
TF_SOFTRAS_INLINE bool AnyPairCounts(const DepthBlend<double>& blend,
                                     const LocalView<double>& view,
                                     int64_t column, double qy) {
  double squared[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    squared[lane] = SignedSquaredDistance(
        Sample(view.triangle, view.qx(column + lane), qy));
  }
  bool any = false;
  for (const double lane : squared) any |= Counts(blend, lane);
  return any;
}

// Each pixel's nearest level so far, and its sum of weights relative to that.
struct BlendPlanes {
  std::vector<double> level, total;

  BlendPlanes(int64_t size, const DepthBlend<double>& blend)
      : level(size, blend.background_level), total(size, 1.0) {}
};

// One face's part in kLanes pixels' sums: sums so far times `keep`, plus corner
// k's attributes times parts[k]. What is summed, not blended, gets summed_parts
// instead.
struct GroupTerms {
  double keep[kLanes];
  double parts[3][kLanes];
  double summed_parts[3][kLanes];
};

// Blends kLanes pixels of a row. The arguments are copied first, here and
// wherever pairs are computed in lanes: a load through a reference that only
// some lanes need would keep the loop from becoming vector code.
TF_SOFTRAS_INLINE void BlendGroup(const DepthBlend<double>& blend_reference,
                                  const ShadedFace& face,
                                  const LocalView<double>& view_reference,
                                  int64_t column, double qy,
                                  double* __restrict level,
                                  double* __restrict total, GroupTerms& terms) {
  const DepthBlend<double> blend = blend_reference;
  const LocalView<double> view = view_reference;
  const EdgeShares<double> shares = face.shares;
  const FaceDepths<double> depths = face.depths;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    const ShadedPair<double> pair =
        Shade(blend, view.triangle, shares, depths, view.qx(column + lane), qy);
    const BlendStep<double> step = Step(blend, level[lane], pair);
    level[lane] = step.level;
    total[lane] = total[lane] * step.keep + step.weight;
    terms.keep[lane] = step.keep;
    for (int k = 0; k < 3; ++k) {
      terms.parts[k][lane] = step.weight * pair.at.weights[k];
      terms.summed_parts[k][lane] = pair.coverage * pair.at.weights[k];
    }
  }
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_SHADE_SHADE_TILE_H_
