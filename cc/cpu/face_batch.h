// Sets several faces up at once, one a lane, so that the set-up vectorises.
//
// The lanes hold what cc/geometry/soft_triangle.h computes for one face, in
// arrays of scalars. The loop over lanes that calls MakeTriangle and Localize
// has no branch, so it becomes vector code.
#ifndef TF_SOFTRAS_CC_CPU_FACE_BATCH_H_
#define TF_SOFTRAS_CC_CPU_FACE_BATCH_H_

#include <cmath>
#include <cstdint>

#include "cc/geometry/image_plane.h"
#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/local_view.h"
#include "cc/raster/mesh_item.h"

namespace tf_softras {

// T is the type to compute in. The vertices may have another type.
template <typename T>
struct FaceBatch {
  static constexpr int kFaces = 16;

  // The fields of LocalEdge, a face a lane.
  struct EdgeLanes {
    T nx[kFaces], ny[kFaces], c[kFaces];
    T ux[kFaces], uy[kFaces], ta[kFaces], tb[kFaces];
    T inverse_length[kFaces];

    TF_SOFTRAS_INLINE LocalEdge<T> edge(int lane) const {
      return {nx[lane], ny[lane], c[lane],  ux[lane],
              uy[lane], ta[lane], tb[lane], inverse_length[lane]};
    }
    TF_SOFTRAS_INLINE void Set(int lane, const LocalEdge<T>& edge) {
      nx[lane] = edge.nx;
      ny[lane] = edge.ny;
      c[lane] = edge.c;
      ux[lane] = edge.ux;
      uy[lane] = edge.uy;
      ta[lane] = edge.ta;
      tb[lane] = edge.tb;
      inverse_length[lane] = edge.inverse_length;
    }
  };

  // Corners as they came.
  T x[3][kFaces], y[3][kFaces];
  bool in_front[kFaces];
  // The pixels that the face reaches inside the bounds, and whether it is thin.
  int32_t row_begin[kFaces], row_end[kFaces];
  int32_t column_begin[kFaces], column_end[kFaces];
  int32_t is_thin[kFaces];
  // The face about the middle of those pixels.
  EdgeLanes edges[3];
  T inside_above[kFaces];

  PixelRect rect(int lane) const {
    if (!in_front[lane]) return {0, 0, 0, 0};
    return {row_begin[lane], row_end[lane], column_begin[lane],
            column_end[lane]};
  }

  TF_SOFTRAS_INLINE LocalTriangle<T> triangle(int lane) const {
    LocalTriangle<T> local;
    for (int k = 0; k < 3; ++k) local.edges[k] = edges[k].edge(lane);
    local.inside_above = inside_above[lane];
    return local;
  }

  // Sets up `count` faces; face(i) names the i-th.
  template <typename V, typename Face>
  TF_SOFTRAS_INLINE void SetUp(const MeshItem<V>& item, int count,
                               const Face& face, const PixelRect& bounds) {
    for (int lane = 0; lane < kFaces; ++lane) {
      // Lanes without a face repeat the last one.
      const int64_t f = face(lane < count ? lane : count - 1);
      in_front[lane] = item.InFront(f);
      for (int corner = 0; corner < 3; ++corner) {
        const V* v = item.vertex(f, corner);
        x[corner][lane] = v[0];
        y[corner][lane] = v[1];
      }
    }
    SetUpLanes(item.plane, item.radius, bounds);
  }

  // Sets up a face for every lane about a pixel of its own. The other fields
  // are not written.
  template <typename V>
  TF_SOFTRAS_INLINE void SetUpAbout(const MeshItem<V>& item,
                                    const int32_t (&faces)[kFaces],
                                    const int32_t (&rows)[kFaces],
                                    const int32_t (&columns)[kFaces]) {
    for (int lane = 0; lane < kFaces; ++lane) {
      for (int corner = 0; corner < 3; ++corner) {
        const V* v = item.vertex(faces[lane], corner);
        x[corner][lane] = v[0];
        y[corner][lane] = v[1];
      }
    }
    const ImagePlane plane = item.plane;
    for (int lane = 0; lane < kFaces; ++lane) {
      SetLane(lane, MakeLaneTriangle(lane),
              {plane.x(columns[lane]), plane.y(rows[lane])});
    }
  }

 private:
  TF_SOFTRAS_INLINE Triangle MakeLaneTriangle(int lane) const {
    return MakeTriangle<T>({x[0][lane], y[0][lane]}, {x[1][lane], y[1][lane]},
                           {x[2][lane], y[2][lane]});
  }
  TF_SOFTRAS_INLINE void SetLane(int lane, const Triangle& triangle,
                                 Point2 origin) {
    const LocalTriangle<T> local = Localize<T>(triangle, origin);
    for (int k = 0; k < 3; ++k) edges[k].Set(lane, local.edges[k]);
    inside_above[lane] = local.inside_above;
  }

  TF_SOFTRAS_INLINE void SetUpLanes(const ImagePlane& plane, double radius,
                                    const PixelRect& bounds) {
    // A factor instead of ImagePlane's divisions.
    const double half_step = 0.5 * plane.step();
    const double width = static_cast<double>(plane.width);
    const double height = static_cast<double>(plane.height);
    double origin_x[kFaces], origin_y[kFaces];
    for (int lane = 0; lane < kFaces; ++lane) {
      const Point2 a = {x[0][lane], y[0][lane]};
      const Point2 b = {x[1][lane], y[1][lane]};
      const Point2 c = {x[2][lane], y[2][lane]};
      const RealRect reach = PixelsInside(
          plane, bounds, Min(Min(a.x, b.x), c.x) - radius,
          Max(Max(a.x, b.x), c.x) + radius, Min(Min(a.y, b.y), c.y) - radius,
          Max(Max(a.y, b.y), c.y) + radius);
      row_begin[lane] = static_cast<int32_t>(reach.row_begin);
      row_end[lane] = static_cast<int32_t>(reach.row_end);
      column_begin[lane] = static_cast<int32_t>(reach.column_begin);
      column_end[lane] = static_cast<int32_t>(reach.column_end);
      origin_x[lane] = (2.0 * reach.middle_column() + 1.0 - width) * half_step;
      origin_y[lane] = (height - 1.0 - 2.0 * reach.middle_row()) * half_step;
    }
    if (sizeof(T) < sizeof(double) && SetUpNear(origin_x, origin_y)) return;
    for (int lane = 0; lane < kFaces; ++lane) {
      const Triangle triangle = MakeLaneTriangle(lane);
      is_thin[lane] = triangle.is_thin;
      SetLane(lane, triangle, {origin_x[lane], origin_y[lane]});
    }
  }

  // Sets the lanes up in T. Returns false if some face needs double. There are
  // no branches, so that it vectorises.
  TF_SOFTRAS_INLINE bool SetUpNear(const double (&origin_x)[kFaces],
                                   const double (&origin_y)[kFaces]) {
    int32_t need_double = 0;
    for (int lane = 0; lane < kFaces; ++lane) {
      const NearTriangle<T> triangle({x[0][lane], x[1][lane], x[2][lane]},
                                     {y[0][lane], y[1][lane], y[2][lane]},
                                     {origin_x[lane], origin_y[lane]});
      const bool is_empty = (row_begin[lane] >= row_end[lane]) |
                            (column_begin[lane] >= column_end[lane]);
      need_double |= !(is_empty | triangle.IsNear());
      const LocalTriangle<T> local = triangle.Localize();
      for (int k = 0; k < 3; ++k) edges[k].Set(lane, local.edges[k]);
      inside_above[lane] = local.inside_above;
      const LocalEdge<T>* u = local.edges;
      is_thin[lane] =
          IsThin<T>({u[0].ux, u[1].ux, u[2].ux}, {u[0].uy, u[1].uy, u[2].uy});
    }
    return need_double == 0;
  }
};

// The view of the rectangle that the lane was set up for.
template <typename T>
TF_SOFTRAS_INLINE LocalView<T> MakeLocalView(const FaceBatch<T>& batch,
                                             int lane, const ImagePlane& plane,
                                             const PixelRect& rect) {
  return {batch.triangle(lane), MiddleRow(rect), MiddleColumn(rect),
          static_cast<T>(plane.step())};
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_FACE_BATCH_H_
