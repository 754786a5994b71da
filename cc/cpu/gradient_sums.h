// Adds up the gradients that faces give to vertices, for the shader's backward
// passes.
//
// A unit of work is a part of one item's pixels, with sums of its own. The
// units' sums are added in order. The number of units depends on shapes alone,
// so the bits do not depend on threads.
#ifndef TF_SOFTRAS_CC_CPU_GRADIENT_SUMS_H_
#define TF_SOFTRAS_CC_CPU_GRADIENT_SUMS_H_

#include <cstdint>
#include <vector>

#include "cc/cpu/parallel.h"
#include "cc/geometry/image_plane.h"
#include "cc/raster/inputs.h"
#include "cc/raster/saturate.h"

namespace tf_softras {

// One unit's sums: [num_vertices, 3], [num_vertices, channels] and, unless the
// background is an image, [channels].
struct UnitSums {
  double* vertices;
  double* attributes;
  double* background;
};

template <typename T>
class GradientSums {
 public:
  // An item is divided into at most `most_units` units.
  GradientSums(const SoftShadeInputs<T>& inputs, int64_t most_units)
      : batch_(inputs.mesh.batch),
        num_vertices_(inputs.mesh.num_vertices),
        channels_(inputs.channels) {
    constexpr int64_t kUnits = 16;          // enough to spread
    constexpr int64_t kMostSums = 1 << 22;  // 32 MiB of them
    const int64_t sums = MaxInt(1, num_vertices_ * (3 + channels_));
    units_ =
        MaxInt(1, MinInt(MinInt((kUnits + batch_ - 1) / batch_, most_units),
                         kMostSums / sums));
    slice_ = MaxInt(1, kMostSums / (sums * units_));
    background_.assign(batch_ * units_ * channels_, 0.0);
  }

  int64_t units() const { return units_; }
  // The number of items that go through at once bounds the scratch.
  int64_t slice() const { return slice_; }

  // Clears the sums for items [first, first + items).
  void Begin(int64_t first, int64_t items) {
    first_ = first;
    items_ = items;
    vertices_.assign(items * units_ * num_vertices_ * 3, 0.0);
    attributes_.assign(items * units_ * num_vertices_ * channels_, 0.0);
  }

  // The sums of one unit of item first + i.
  UnitSums unit(int64_t i, int64_t unit) {
    const int64_t at = i * units_ + unit;
    return {vertices_.data() + at * num_vertices_ * 3,
            attributes_.data() + at * num_vertices_ * channels_,
            background_.data() + (first_ * units_ + at) * channels_};
  }

  // Writes the vertices' gradients of the items since Begin.
  void Write(const SoftShadeGradients<T>& gradients,
             const ParallelFor& parallel_for) const {
    WriteSums(vertices_, num_vertices_ * 3,
              gradients.vertices + first_ * num_vertices_ * 3, parallel_for);
    WriteSums(attributes_, num_vertices_ * channels_,
              gradients.attributes + first_ * num_vertices_ * channels_,
              parallel_for);
  }

  // Writes the gradient of a background [channels], after the last item.
  void WriteBackground(T* gradient) const {
    for (int64_t c = 0; c < channels_; ++c) {
      double sum = 0.0;
      for (int64_t i = 0; i < batch_ * units_; ++i) {
        sum += background_[i * channels_ + c];
      }
      gradient[c] = Saturate<T>(sum);
    }
  }

 private:
  void WriteSums(const std::vector<double>& sums, int64_t values, T* gradient,
                 const ParallelFor& parallel_for) const {
    parallel_for(items_ * values, units_, [&](int64_t begin, int64_t end) {
      // Item by item, because a division for each value would take longer than
      // the rest.
      for (int64_t first = begin; first < end;) {
        const int64_t item = first / values;
        const int64_t last = MinInt(end, (item + 1) * values);
        const double* part = sums.data() + item * (units_ - 1) * values;
        for (int64_t i = first; i < last; ++i) {
          double sum = 0.0;
          for (int64_t unit = 0; unit < units_; ++unit) {
            sum += part[i + unit * values];
          }
          gradient[i] = Saturate<T>(sum);
        }
        first = last;
      }
    });
  }

  int64_t batch_, num_vertices_, channels_;
  int64_t units_, slice_;
  int64_t first_ = 0, items_ = 0;
  std::vector<double> vertices_, attributes_, background_;
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_CPU_GRADIENT_SUMS_H_
