// The approximate gradient of the Neural 3D Mesh Renderer, on the CPU.
//
//   for rows, then for columns:                         an item is a unit of
//   work
//     for each visible face, for each edge, for each line that crosses it:
//       for each empty pixel outside that should be covered (upstream < 0):
//         add upstream / (the move that brings the edge there)
//       if the pixel just outside the edge is empty:
//         for each of the face's own pixels that should be empty (upstream >
//         0):
//           add -upstream / (the move that brings the edge there)
//
// edge_sweep.h defines the move. An item's faces add to its vertices in their
// order, so the sums do not depend on the threads.
#include "cc/cpu/rasterize/hard_silhouette_backward.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cc/cpu/gradient_sums.h"
#include "cc/geometry/edge_sweep.h"
#include "cc/geometry/image_plane.h"

namespace tf_softras {
namespace {

// A guess for the scheduler, in nanoseconds: a face with what its lines sum.
constexpr int64_t kFaceCost = 2000;

// The coverage of one item: which face each pixel shows, and the upstream
// gradient.
template <typename T>
struct CoverageImage {
  const int32_t* face_index;
  const T* upstream;

  bool empty(int64_t pixel) const { return face_index[pixel] < 0; }
};

// The empty pixels of each line that should be covered, in order.
class WantedPixels {
 public:
  template <typename T>
  WantedPixels(const CoverageImage<T>& image, const LinesOfPixels& lines) {
    begin_.push_back(0);
    for (int64_t line = 0; line < lines.lines; ++line) {
      for (int64_t i = 0; i < lines.length; ++i) {
        const int64_t pixel = line * lines.line_stride + i * lines.pixel_stride;
        if (image.empty(pixel) && image.upstream[pixel] < T(0)) {
          wanted_.push_back({i, static_cast<double>(image.upstream[pixel])});
        }
      }
      begin_.push_back(wanted_.size());
    }
  }

  // Calls add(index, upstream) for those from `first` on, in that direction.
  template <typename Add>
  void Beyond(int64_t line, int64_t first, int direction,
              const Add& add) const {
    const auto begin = wanted_.begin() + begin_[line];
    const auto end = wanted_.begin() + begin_[line + 1];
    const auto before = [](const Pixel& pixel, int64_t i) {
      return pixel.index < i;
    };
    if (direction > 0) {
      for (auto p = std::lower_bound(begin, end, first, before); p != end; ++p)
        add(p->index, p->upstream);
    } else {
      const auto stop = std::lower_bound(begin, end, first + 1, before);
      for (auto p = begin; p != stop; ++p) add(p->index, p->upstream);
    }
  }

 private:
  struct Pixel {
    int64_t index;
    double upstream;
  };
  std::vector<Pixel> wanted_;
  std::vector<size_t> begin_;
};

// The derivative by either end of an edge that a line crosses, summed over
// pixels.
class EndSums {
 public:
  EndSums(const EdgeSweep& edge, const LinesOfPixels& lines, double line)
      : crossing_(edge.Crossing(line)),
        step_(lines.step),
        shares_{edge.share_of_from(line), edge.share_of_to(line)} {}

  // Upstream times a change of the pixel's coverage, once the edge is there.
  void Add(int64_t pixel, double change) {
    const double move = (static_cast<double>(pixel) - crossing_) * step_;
    for (int end = 0; end < 2; ++end) {
      if (!(shares_[end] > 0.0)) continue;
      const double distance = move / shares_[end];
      sums[end] += change / (distance + std::copysign(kShortestMove, distance));
    }
  }

  double sums[2] = {0.0, 0.0};

 private:
  double crossing_;
  double step_;
  double shares_[2];
};

template <typename T>
class ItemGradient {
 public:
  ItemGradient(const RasterizeInputs<T>& inputs, const T* vertices,
               const CoverageImage<T>& image)
      : inputs_(inputs),
        vertices_(vertices),
        image_(image),
        sums_(2 * inputs.num_vertices, 0.0) {}

  void AddFaces() {
    std::vector<bool> visible(inputs_.num_faces, false);
    for (int64_t i = 0; i < inputs_.height * inputs_.width; ++i) {
      if (!image_.empty(i)) visible[image_.face_index[i]] = true;
    }
    const ImagePlane plane{inputs_.height, inputs_.width};
    for (const LinesOfPixels& lines :
         {LinesOfPixels::Rows(plane), LinesOfPixels::Columns(plane)}) {
      const WantedPixels wanted(image_, lines);
      for (int64_t face = 0; face < inputs_.num_faces; ++face) {
        if (visible[face]) AddFace(lines, wanted, face);
      }
    }
  }

  void Write(T* gradient) const {
    for (int64_t i = 0; i < inputs_.num_vertices; ++i) {
      gradient[3 * i] = Saturate<T>(sums_[2 * i]);
      gradient[3 * i + 1] = Saturate<T>(sums_[2 * i + 1]);
      gradient[3 * i + 2] = T(0);
    }
  }

 private:
  void AddFace(const LinesOfPixels& lines, const WantedPixels& wanted,
               int64_t face) {
    const int32_t* corners = inputs_.faces + 3 * face;
    LineVertex v[3];
    for (int k = 0; k < 3; ++k) {
      const T* vertex = vertices_ + 3 * corners[k];
      v[k] = lines.At(vertex[0], vertex[1]);
    }
    for (int k = 0; k < 3; ++k) {
      const int from = (k + 1) % 3, to = (k + 2) % 3;
      const EdgeSweep edge(v[from], v[to], v[k]);
      if (!edge.crossed()) continue;
      const auto first = static_cast<int64_t>(
          std::ceil(Clamp(edge.first_line(), 0, lines.lines)));
      const auto last = static_cast<int64_t>(
          std::floor(Clamp(edge.last_line(), -1, lines.lines - 1)));
      for (int64_t line = first; line <= last; ++line) {
        EndSums ends(edge, lines, static_cast<double>(line));
        AddLine(lines, wanted, static_cast<int32_t>(face), edge, line, &ends);
        const int axis = lines.rows ? 0 : 1;
        sums_[2 * corners[from] + axis] += ends.sums[0];
        sums_[2 * corners[to] + axis] += ends.sums[1];
      }
    }
  }

  void AddLine(const LinesOfPixels& lines, const WantedPixels& wanted,
               int32_t face, const EdgeSweep& edge, int64_t line,
               EndSums* ends) const {
    const int outward = edge.outward();
    const double crossing = edge.Crossing(static_cast<double>(line));
    // Both neighbours of the edge must be in the image: beyond it no colour is
    // known.
    if (!(crossing >= 0.0 &&
          crossing <= static_cast<double>(lines.length - 1))) {
      return;
    }
    const auto inside = static_cast<int64_t>(outward > 0 ? std::floor(crossing)
                                                         : std::ceil(crossing));
    const int64_t outside = inside + outward;
    if (outside < 0 || outside >= lines.length) return;
    const int64_t row = line * lines.line_stride;
    if (image_.face_index[row + inside * lines.pixel_stride] == face) {
      wanted.Beyond(line, outside, outward, [ends](int64_t i, double upstream) {
        ends->Add(i, upstream);
      });
    }
    if (!image_.empty(row + outside * lines.pixel_stride)) return;
    // The face's own pixels lie in one interval that ends at the edge; nearer
    // faces may hide some.
    for (int64_t i = inside; i >= 0 && i < lines.length; i -= outward) {
      const int64_t pixel = row + i * lines.pixel_stride;
      if (image_.empty(pixel)) break;
      if (image_.face_index[pixel] != face) continue;
      const double upstream = image_.upstream[pixel];
      if (upstream > 0.0) ends->Add(i, -upstream);
    }
  }

  const RasterizeInputs<T>& inputs_;
  const T* vertices_;
  CoverageImage<T> image_;
  std::vector<double> sums_;  // [num_vertices, 2]
};

}  // namespace

template <typename T>
void HardSilhouetteBackward(const RasterizeInputs<T>& inputs,
                            const int32_t* face_index, const T* upstream,
                            T* vertices_gradient,
                            const ParallelFor& parallel_for) {
  const int64_t pixels = inputs.height * inputs.width;
  const int64_t coordinates = 3 * inputs.num_vertices;
  parallel_for(inputs.batch, kFaceCost * (inputs.num_faces + 1),
               [&](int64_t begin, int64_t end) {
                 for (int64_t item = begin; item < end; ++item) {
                   ItemGradient<T> gradient(
                       inputs, inputs.vertices + item * coordinates,
                       {face_index + item * pixels, upstream + item * pixels});
                   gradient.AddFaces();
                   gradient.Write(vertices_gradient + item * coordinates);
                 }
               });
}

template void HardSilhouetteBackward<float>(const RasterizeInputs<float>&,
                                            const int32_t*, const float*,
                                            float*, const ParallelFor&);
template void HardSilhouetteBackward<double>(const RasterizeInputs<double>&,
                                             const int32_t*, const double*,
                                             double*, const ParallelFor&);

}  // namespace tf_softras
