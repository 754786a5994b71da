#include "cc/fuzzing/checks.h"

#include <cmath>
#include <sstream>
#include <vector>

#include "cc/cpu/rasterize/hard_rasterize.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/fuzzing/scene.h"
#include "cc/reference/brute_force.h"
#include "cc/reference/schedules.h"

namespace tf_softras {
namespace {

template <typename... Parts>
std::string Message(const Parts&... parts) {
  std::ostringstream text;
  text.precision(17);
  (text << ... << parts);
  return text.str();
}

template <typename T>
struct SoftResults {
  std::vector<T> silhouette, transparency, gradient;
};

template <typename T>
void FillMesh(const FuzzScene<T>& scene, RasterizeInputs<T>* inputs) {
  inputs->vertices = scene.vertices.data();
  inputs->faces = scene.faces.data();
  inputs->batch = scene.batch;
  inputs->num_vertices = scene.num_vertices;
  inputs->num_faces = scene.num_faces;
  inputs->height = scene.height;
  inputs->width = scene.width;
}

template <typename T>
SoftRasterizeInputs<T> SoftInputs(const FuzzScene<T>& scene) {
  SoftRasterizeInputs<T> inputs;
  FillMesh(scene, &inputs);
  inputs.sigma = scene.sigma;
  inputs.near = static_cast<T>(scene.near);
  return inputs;
}

// Outputs start as NaN, so that a value that is not written shows.
template <typename T>
SoftResults<T> RunSoft(const FuzzScene<T>& scene,
                       const ParallelFor& parallel_for) {
  const SoftRasterizeInputs<T> inputs = SoftInputs(scene);
  const std::vector<T> unwritten(scene.pixels(), T(NAN));
  SoftResults<T> results = {unwritten, unwritten,
                            std::vector<T>(scene.vertices.size(), T(NAN))};
  SoftRasterizeForward(inputs, results.silhouette.data(),
                       results.transparency.data(), parallel_for);
  SoftRasterizeBackward(inputs, results.transparency.data(),
                        scene.upstream.data(), results.gradient.data(),
                        parallel_for);
  return results;
}

template <typename T>
std::string CheckRanges(const SoftResults<T>& results) {
  for (size_t i = 0; i < results.silhouette.size(); ++i) {
    const T s = results.silhouette[i], t = results.transparency[i];
    if (!(s >= T(0) && s <= T(1) && t >= T(0) && t <= T(1))) {
      return Message("pixel ", i, ": silhouette ", s, ", transparency ", t);
    }
    if (!(std::fabs((s + t) - T(1)) <= 2 * std::numeric_limits<T>::epsilon())) {
      return Message("pixel ", i, ": silhouette ", s, " + transparency ", t,
                     " is not 1");
    }
  }
  for (size_t i = 0; i < results.gradient.size(); ++i) {
    if (!std::isfinite(results.gradient[i])) {
      return Message("gradient ", i, " is ", results.gradient[i]);
    }
    if (i % 3 == 2 && results.gradient[i] != T(0)) {
      return Message("depth has the gradient ", results.gradient[i]);
    }
  }
  return "";
}

template <typename Value>
double Norm(const std::vector<Value>& values) {
  double square = 0;
  for (const Value value : values)
    square += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(square);
}

// Promise 1 of docs/architecture.md.
template <typename T>
std::string CheckAgainstBruteForce(const FuzzScene<T>& scene,
                                   const SoftResults<T>& results) {
  const BruteForce truth =
      RasterizeByBruteForce(SoftInputs(scene), scene.upstream.data());
  if (truth.is_uncertain) return "";
  constexpr bool kSingle = sizeof(T) == sizeof(float);
  const double root = std::sqrt(static_cast<double>(scene.sigma));
  const double image_bound = kSingle ? 5e-6 + 4e-8 / root : 1e-10;
  for (size_t i = 0; i < results.silhouette.size(); ++i) {
    if (!(std::fabs(results.silhouette[i] - truth.silhouette[i]) <=
          image_bound)) {
      return Message("pixel ", i, ": silhouette ", results.silhouette[i],
                     ", expected ", truth.silhouette[i], " within ",
                     image_bound, ", sigma ", scene.sigma);
    }
  }
  std::vector<double> error(truth.gradient.size());
  for (size_t i = 0; i < error.size(); ++i) {
    error[i] = static_cast<double>(results.gradient[i]) - truth.gradient[i];
  }
  const double norm = Norm(truth.gradient);
  const double bound = kSingle ? 1e-5 + 2e-7 / root : 1e-8;
  // The two exceptions. Terms that cancel leave their rounding errors. And
  // boundaries that coincide are rounded alike, to about 2^-24: a lone pixel is
  // off by that times their number. (Pictures of few pixels are computed in
  // double.)
  const double scale =
      kSingle ? std::max(norm, Norm(truth.absolute) / 100) : norm;
  const bool is_rounded = kSingle && std::min(scene.height, scene.width) >= 32;
  const double rounding = is_rounded ? 0x1p-24 * truth.slope : 0;
  if (norm > 1e-3 * Norm(scene.upstream) / root &&
      Norm(error) > bound * scale + rounding + truth.ties) {
    return Message("gradient off by ", Norm(error) / scale,
                   " of its size, promised ", bound, ", sigma ", scene.sigma);
  }
  return "";
}

template <typename T>
std::string CheckSoft(const FuzzScene<T>& scene) {
  const SoftResults<T> results = RunSoft(scene, Serial);
  const SoftResults<T> other = RunSoft(scene, Backwards);
  if (!SameBits(results.silhouette, other.silhouette) ||
      !SameBits(results.transparency, other.transparency) ||
      !SameBits(results.gradient, other.gradient)) {
    return "two schedules differ";
  }
  const std::string message = CheckRanges(results);
  if (!message.empty() || !scene.IsWithinThePromise()) return message;
  return CheckAgainstBruteForce(scene, results);
}

template <typename T>
struct HardResults {
  std::vector<int32_t> face_index;
  std::vector<T> depth;
};

template <typename T>
HardResults<T> RunHard(const FuzzScene<T>& scene,
                       const ParallelFor& parallel_for) {
  RasterizeInputs<T> inputs;
  FillMesh(scene, &inputs);
  inputs.near = std::fabs(static_cast<T>(scene.near));
  HardResults<T> results = {std::vector<int32_t>(scene.pixels(), -77),
                            std::vector<T>(scene.pixels(), T(NAN))};
  HardRasterize(inputs, results.face_index.data(), results.depth.data(),
                parallel_for);
  return results;
}

// The depth must lie between those of the face's vertices, and beyond `near`.
template <typename T>
std::string CheckPixel(const FuzzScene<T>& scene, int64_t item, int32_t face,
                       T depth) {
  if (face == -1 && depth == T(0)) return "";
  if (face < 0 || face >= scene.num_faces) {
    return Message("face ", face, " at depth ", depth);
  }
  T least = std::numeric_limits<T>::infinity(), greatest = -least;
  for (int k = 0; k < 3; ++k) {
    const T z = scene.vertices[3 * (item * scene.num_vertices +
                                    scene.faces[3 * face + k]) +
                               2];
    least = std::min(least, z);
    greatest = std::max(greatest, z);
  }
  if (static_cast<double>(least) > std::fabs(scene.near) && depth >= least &&
      depth <= greatest) {
    return "";
  }
  return Message("face ", face, " of depths ", least, " to ", greatest,
                 " seen at ", depth, ", near ", scene.near);
}

template <typename T>
std::string CheckHard(const FuzzScene<T>& scene) {
  const HardResults<T> results = RunHard(scene, Serial);
  const HardResults<T> other = RunHard(scene, Backwards);
  if (!SameBits(results.face_index, other.face_index) ||
      !SameBits(results.depth, other.depth)) {
    return "two schedules differ";
  }
  for (int64_t i = 0; i < scene.pixels(); ++i) {
    const std::string message =
        CheckPixel(scene, i / (scene.height * scene.width),
                   results.face_index[i], results.depth[i]);
    if (!message.empty()) return Message("pixel ", i, ": ", message);
  }
  return "";
}

template <typename T>
std::string CheckAll(const char* type, const uint8_t* data, size_t size) {
  const FuzzScene<T> scene(data, size);
  std::string message = CheckSoft(scene);
  if (!message.empty()) return Message("soft, ", type, ": ", message);
  message = CheckHard(scene);
  if (!message.empty()) return Message("hard, ", type, ": ", message);
  return "";
}

}  // namespace

std::string CheckScene(const uint8_t* data, size_t size) {
  const std::string message = CheckAll<float>("float", data, size);
  return message.empty() ? CheckAll<double>("double", data, size) : message;
}

}  // namespace tf_softras
