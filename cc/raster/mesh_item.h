// One item of a batch: its faces, and how they are looked at.
#ifndef TF_SOFTRAS_CC_RASTER_MESH_ITEM_H_
#define TF_SOFTRAS_CC_RASTER_MESH_ITEM_H_

#include <cmath>
#include <cstdint>

#include "cc/geometry/image_plane.h"
#include "cc/geometry/platform.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/raster/inputs.h"

namespace tf_softras {

// The faces of one item of the batch and how they are looked at.
template <typename T>
struct MeshItem {
  const T* vertices;
  const int32_t* faces;
  ImagePlane plane;
  T near;
  double radius;           // within it of its boundary, a face affects pixels
  bool is_linear = false;  // see RasterizeInputs

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

// The distance from its boundary within which a face affects pixels, for a
// cut-off of coverage.h.
template <typename T>
double Radius(double cutoff, const SoftRasterizeInputs<T>& inputs) {
  return std::sqrt(cutoff * static_cast<double>(inputs.sigma));
}

template <typename T>
MeshItem<T> MakeMeshItem(const RasterizeInputs<T>& inputs, int64_t item,
                         double radius) {
  MeshItem<T> mesh;
  mesh.vertices = inputs.vertices + item * inputs.num_vertices * 3;
  mesh.faces = inputs.faces;
  mesh.plane = {inputs.height, inputs.width};
  mesh.near = inputs.near;
  mesh.radius = radius;
  mesh.is_linear = inputs.is_linear;
  return mesh;
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_RASTER_MESH_ITEM_H_
