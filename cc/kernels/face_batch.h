// Several faces set up at once, one a lane, so that the set-up vectorises too.
//
// The lanes hold what cc/geometry/soft_triangle.h computes for one face, in
// arrays of scalars: a loop over lanes that calls MakeTriangle and Localize has
// no branch and becomes vector code.
#ifndef TF_SOFTRAS_CC_KERNELS_FACE_BATCH_H_
#define TF_SOFTRAS_CC_KERNELS_FACE_BATCH_H_

#include <cmath>
#include <cstdint>

#include "cc/geometry/image_plane.h"
#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/kernels/soft_rasterize_cpu.h"

namespace tf_softras {

// The faces of one item of the batch and how they are looked at.
template <typename T>
struct Item {
  const T* vertices;
  const int32_t* faces;
  ImagePlane plane;
  T near;
  double radius;  // how far from its boundary a face is seen

  TF_SOFTRAS_INLINE const T* vertex(int64_t face, int corner) const {
    return vertices + 3 * static_cast<int64_t>(faces[3 * face + corner]);
  }

  TF_SOFTRAS_INLINE bool InFront(int64_t face) const {
    return vertex(face, 0)[2] > near && vertex(face, 1)[2] > near &&
           vertex(face, 2)[2] > near;
  }

  // The pixels within `radius` of the face's bounding box; none if it is behind
  // the near plane.
  TF_SOFTRAS_INLINE PixelRect Reach(int64_t face) const {
    if (!InFront(face)) return {0, 0, 0, 0};
    const T* a = vertex(face, 0);
    const T* b = vertex(face, 1);
    const T* c = vertex(face, 2);
    return PixelsInside(plane, plane.bounds(),
                        Min(Min(a[0], b[0]), c[0]) - radius,
                        Max(Max(a[0], b[0]), c[0]) + radius,
                        Min(Min(a[1], b[1]), c[1]) - radius,
                        Max(Max(a[1], b[1]), c[1]) + radius)
        .ToPixels();
  }

  TF_SOFTRAS_INLINE Triangle MakeFace(int64_t face) const {
    const T* a = vertex(face, 0);
    const T* b = vertex(face, 1);
    const T* c = vertex(face, 2);
    return MakeTriangle<T>({a[0], a[1]}, {b[0], b[1]}, {c[0], c[1]});
  }
};

// How far from its boundary a face is seen, for a cut-off of coverage.h.
template <typename T>
double Radius(double cutoff, const SoftRasterizeInputs<T>& inputs) {
  return std::sqrt(cutoff * static_cast<double>(inputs.sigma));
}

template <typename T>
Item<T> MakeItem(const SoftRasterizeInputs<T>& inputs, int64_t item,
                 double radius) {
  return {inputs.vertices + item * inputs.num_vertices * 3, inputs.faces,
          ImagePlane{inputs.height, inputs.width}, inputs.near, radius};
}

// T is the type to compute in; the vertices that are set up may have another.
template <typename T>
struct FaceBatch {
  static constexpr int kFaces = 16;

  // Corners as they came.
  double x[3][kFaces], y[3][kFaces];
  bool in_front[kFaces];
  // The pixels reached, clipped to the bounds given; and whether the face is
  // thin.
  int32_t row_begin[kFaces], row_end[kFaces];
  int32_t column_begin[kFaces], column_end[kFaces];
  int32_t is_thin[kFaces];
  // The face about the middle of those pixels.
  T edges[3][8][kFaces];
  T inside_above[kFaces];

  PixelRect rect(int lane) const {
    if (!in_front[lane]) return {0, 0, 0, 0};
    return {row_begin[lane], row_end[lane], column_begin[lane],
            column_end[lane]};
  }

  TF_SOFTRAS_INLINE LocalTriangle<T> triangle(int lane) const {
    LocalTriangle<T> local;
    for (int k = 0; k < 3; ++k) {
      const auto& e = edges[k];
      local.edges[k] = {e[0][lane], e[1][lane], e[2][lane], e[3][lane],
                        e[4][lane], e[5][lane], e[6][lane], e[7][lane]};
    }
    local.inside_above = inside_above[lane];
    return local;
  }

  // Sets up `count` faces; face(i) names the i-th.
  template <typename V, typename Face>
  TF_SOFTRAS_INLINE void SetUp(const Item<V>& item, int count, const Face& face,
                               const PixelRect& bounds) {
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

 private:
  TF_SOFTRAS_INLINE void SetUpLanes(const ImagePlane& plane, double radius,
                                    const PixelRect& bounds) {
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
      const Triangle triangle = MakeTriangle<T>(a, b, c);
      is_thin[lane] = triangle.is_thin;
      const LocalTriangle<T> local = Localize<T>(
          triangle,
          {plane.x(reach.middle_column()), plane.y(reach.middle_row())});
      for (int k = 0; k < 3; ++k) {
        const LocalEdge<T>& e = local.edges[k];
        edges[k][0][lane] = e.nx;
        edges[k][1][lane] = e.ny;
        edges[k][2][lane] = e.c;
        edges[k][3][lane] = e.ux;
        edges[k][4][lane] = e.uy;
        edges[k][5][lane] = e.ta;
        edges[k][6][lane] = e.tb;
        edges[k][7][lane] = e.inverse_length;
      }
      inside_above[lane] = local.inside_above;
    }
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_KERNELS_FACE_BATCH_H_
