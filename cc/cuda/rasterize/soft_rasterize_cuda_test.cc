// The promises of docs/architecture.md on a GPU, against brute force in double
// and against the CPU's passes. test_device.h says where this runs.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/cuda/check_inputs.h"
#include "cc/cuda/rasterize/soft_rasterize.h"
#include "cc/cuda/test_device.h"
#include "cc/reference/brute_force.h"
#include "cc/reference/scenes.h"

namespace tf_softras {
namespace {

template <typename T>
struct Results {
  std::vector<T> silhouette, transparency, gradient;
};

template <typename T>
Results<T> RunOnGpu(const Scene<T>& scene,
                    int64_t most_faces_at_once = kMostFacesAtOnce) {
  const DeviceArray<T> vertices(scene.vertices);
  const DeviceArray<int32_t> faces(scene.faces);
  const DeviceArray<T> upstream(Upstream<T>(scene.pixels()));
  const DeviceArray<T> silhouette(scene.pixels()), transparency(scene.pixels());
  const DeviceArray<T> gradient(scene.vertices.size());
  SoftRasterizeInputs<T> inputs = scene.inputs();
  inputs.vertices = vertices.get();
  inputs.faces = faces.get();
  TestScratch scratch;
  GpuContext context = scratch.context();
  context.most_faces_at_once = most_faces_at_once;
  std::string error = SoftRasterizeForwardGpu(inputs, silhouette.get(),
                                              transparency.get(), context);
  Check(error.empty(), "%s: %s", scene.name.c_str(), error.c_str());
  error = SoftRasterizeBackwardGpu(inputs, transparency.get(), upstream.get(),
                                   gradient.get(), context);
  Check(error.empty(), "%s: %s", scene.name.c_str(), error.c_str());
  return {silhouette.ToHost(), transparency.ToHost(), gradient.ToHost()};
}

template <typename T>
Results<T> RunOnCpu(const Scene<T>& scene) {
  Results<T> results = {std::vector<T>(scene.pixels()),
                        std::vector<T>(scene.pixels()),
                        std::vector<T>(scene.vertices.size())};
  SoftRasterizeForward(scene.inputs(), results.silhouette.data(),
                       results.transparency.data(), Serial);
  SoftRasterizeBackward(scene.inputs(), results.transparency.data(),
                        Upstream<T>(scene.pixels()).data(),
                        results.gradient.data(), Serial);
  return results;
}

template <typename T>
double ImageBound(T sigma) {
  return sizeof(T) == 8 ? 1e-10
                        : 5e-6 + 4e-8 / std::sqrt(static_cast<double>(sigma));
}
template <typename T>
double GradientBound(T sigma) {
  return sizeof(T) == 8 ? 1e-8
                        : 1e-5 + 2e-7 / std::sqrt(static_cast<double>(sigma));
}

template <typename T>
double LargestDifferenceFromOne(const Results<T>& results) {
  std::vector<double> sums;
  for (size_t i = 0; i < results.silhouette.size(); ++i) {
    sums.push_back(static_cast<double>(results.silhouette[i]) +
                   static_cast<double>(results.transparency[i]));
  }
  return LargestDifference(sums, std::vector<double>(sums.size(), 1.0));
}

// The worst errors so far, as shares of the promised bounds.
struct Worst {
  double image = 0, gradient = 0;
  int gradients = 0;  // how many the promise covers
};

template <typename T>
void CheckAccuracy(const Scene<T>& scene, const Results<T>& results,
                   Worst* worst) {
  const std::vector<T> upstream = Upstream<T>(scene.pixels());
  const BruteForce truth =
      RasterizeByBruteForce(scene.inputs(), upstream.data());
  const double sigma = static_cast<double>(scene.sigma);
  const double image = LargestDifference(results.silhouette, truth.silhouette) /
                       ImageBound(scene.sigma);
  Check(image <= 1, "%s, sigma %g: image %.3g times its bound",
        scene.name.c_str(), sigma, image);
  worst->image = std::max(worst->image, image);
  // The difference is finite, so both are.
  const double sum = LargestDifferenceFromOne(results);
  Check(sum < 2e-7,
        "%s, sigma %g: silhouette and transparency add up to 1 +- %g",
        scene.name.c_str(), sigma, sum);
  // The promise does not cover gradients that are lost to saturation.
  const double norm = Norm(truth.gradient);
  if (!(norm > 1e-3 * Norm(upstream) / std::sqrt(sigma))) return;
  const double gradient = NormOfDifference(results.gradient, truth.gradient) /
                          norm / GradientBound(scene.sigma);
  Check(gradient <= 1, "%s, sigma %g: gradient %.3g times its bound",
        scene.name.c_str(), sigma, gradient);
  worst->gradient = std::max(worst->gradient, gradient);
  ++worst->gradients;
}

template <typename T>
void CheckAgainstCpu(const Scene<T>& scene, const Results<T>& results) {
  const Results<T> cpu = RunOnCpu(scene);
  Check(LargestDifference(results.silhouette, cpu.silhouette) <=
            2 * ImageBound(scene.sigma),
        "%s, sigma %g: image as on the CPU", scene.name.c_str(),
        static_cast<double>(scene.sigma));
  const double norm = Norm(cpu.gradient);
  const double smallest = 1e-3 * Norm(Upstream<T>(scene.pixels())) /
                          std::sqrt(static_cast<double>(scene.sigma));
  if (norm < smallest) return;
  Check(NormOfDifference(results.gradient, cpu.gradient) <=
            2 * GradientBound(scene.sigma) * norm,
        "%s, sigma %g: gradient as on the CPU", scene.name.c_str(),
        static_cast<double>(scene.sigma));
}

template <typename T>
void CheckSameBits(const Scene<T>& scene, const Results<T>& a,
                   const Results<T>& b) {
  Check(SameBits(a.silhouette, b.silhouette) &&
            SameBits(a.transparency, b.transparency),
        "%s: the image's bits are the same again", scene.name.c_str());
  Check(SameBits(a.gradient, b.gradient),
        "%s: the gradient's bits are the same again", scene.name.c_str());
}

// Promises 1 and 4, scene by scene.
template <typename T>
void TestAccuracyAndDeterminism() {
  Worst worst;
  for (Scene<T>& scene : Scenes<T>()) {
    for (const double sigma : {1e-7, 3e-5, 1e-3, 1e-1, 1.0}) {
      // Rounded to float, so that both types see the same scene.
      scene.sigma = static_cast<T>(static_cast<float>(sigma));
      const Results<T> results = RunOnGpu(scene);
      CheckAccuracy(scene, results, &worst);
      CheckAgainstCpu(scene, results);
      if (sigma != 1e-3) continue;
      for (const ThreadOrder order :
           {ThreadOrder::kDescending, ThreadOrder::kAhead,
            ThreadOrder::kAscending}) {
        SetThreadOrder(order);
        CheckSameBits(scene, results, RunOnGpu(scene));
      }
    }
  }
  std::printf("worst share of the promised bounds: image %.3f, gradient %.3f\n",
              worst.image, worst.gradient);
  // Else no bound was checked.
  Check(worst.gradients >= 25, "gradients that the promise covers: %d",
        worst.gradients);
}

// Slices of the batch, and parts of a tile's faces.
template <typename T>
void TestSlices() {
  Scene<T> scene = RandomMesh<T>();
  scene.batch = 5;
  scene.vertices.resize(5 * 40 * 3, T(0.25));
  Worst worst;
  CheckAccuracy(scene, RunOnGpu(scene, 50), &worst);
}

// Each item has one face, and one pixel at the origin, where which edge is
// nearest is a close call. No other pixel hides an error.
template <typename T>
void TestCloseCalls() {
  Random random(6);
  Scene<T> scene = {"medial axis", 100, 1, 1, {}, {0, 1, 2}, T(1)};
  Scene<T> feet = scene;
  feet.name = "foot of the perpendicular";
  for (int i = 0; i < 100; ++i) {
    double x[3], y[3], side[3], cx = 0, cy = 0, sum = 0;
    for (int k = 0; k < 3; ++k) {
      x[k] = Uniform(random, -1, 1), y[k] = Uniform(random, -1, 1);
    }
    for (int k = 0; k < 3; ++k) {
      side[k] = std::hypot(x[(k + 1) % 3] - x[(k + 2) % 3],
                           y[(k + 1) % 3] - y[(k + 2) % 3]);
      cx += side[k] * x[k], cy += side[k] * y[k], sum += side[k];
    }
    for (int k = 0; k < 3; ++k) {
      AddVertex(&scene, x[k] - cx / sum, y[k] - cy / sum);
    }
    const double angle = Uniform(random, 0, 6.28), nx = std::cos(angle),
                 ny = std::sin(angle);
    const double t = std::pow(10, Uniform(random, -5, -3.5));
    const double ax = nx + t * ny, ay = ny - t * nx;
    const double along = Uniform(random, -0.1, 0.1);
    AddVertex(&feet, ax, ay);
    AddVertex(&feet, ax - 0.1 * ny, ay + 0.1 * nx);
    AddVertex(&feet, ax + 0.1 * nx - along * ny, ay + 0.1 * ny + along * nx);
  }
  for (const Scene<T>& all : {scene, feet}) {
    const Results<T> results = RunOnGpu(all);
    const BruteForce truth =
        RasterizeByBruteForce(all.inputs(), Upstream<T>(100).data());
    for (int i = 0; i < 100; ++i) {
      double error = 0, norm = 0;
      for (int k = 9 * i; k < 9 * i + 9; ++k) {
        error += std::pow(
            static_cast<double>(results.gradient[k]) - truth.gradient[k], 2);
        norm += std::pow(truth.gradient[k], 2);
      }
      Check(std::sqrt(error) <= GradientBound(T(1)) * std::sqrt(norm),
            "%s %d: gradient off by %g of %g", all.name.c_str(), i,
            std::sqrt(error), std::sqrt(norm));
    }
  }
}

// 2,000 faces that each add little: float sums alone would lose digits.
template <typename T>
void TestManyFacesDoNotDrift() {
  Scene<T> scene = {"2,000 faces at one place", 1, 8, 8, {}, {}, T(0.3f)};
  AddVertex(&scene, 1.5, 0);
  AddVertex(&scene, 2, 0.5);
  AddVertex(&scene, 2, -0.5);
  for (int i = 0; i < 2000; ++i) {
    scene.faces.insert(scene.faces.end(), {0, 1, 2});
  }
  Worst worst;
  CheckAccuracy(scene, RunOnGpu(scene), &worst);
}

// Promise 2.
template <typename T>
void TestFinite() {
  std::vector<Scene<T>> scenes;
  const auto add = [&](const char* name,
                       std::vector<std::vector<double>> corners,
                       std::vector<int32_t> faces) {
    Scene<T> scene = {name, 1, 8, 8, {}, std::move(faces)};
    for (const auto& corner : corners) AddVertex(&scene, corner[0], corner[1]);
    scenes.push_back(scene);
  };
  add("repeated indices", {{0, 0}, {1, 1}, {0.3, -0.2}},
      {0, 0, 0, 0, 1, 1, 2, 2, 1});
  add("far outside", {{1e30, 0}, {-1e30, 1e30}, {0, -3e38}, {0.1, 0.1}},
      {0, 1, 2, 0, 1, 3});
  add("largest floats",
      {{3.4e38, 3.4e38}, {-3.4e38, 3.4e38}, {3.4e38, -3.4e38}}, {0, 1, 2});
  add("denormal edges", {{0, 0}, {1e-45, 0}, {0, 1e-45}, {1e-20, 1e-30}},
      {0, 1, 2, 1, 2, 3});
  add("vertex on a pixel centre",
      {{0.125, 0.125}, {0.875, 0.125}, {0.125, 0.875}}, {0, 1, 2});
  add("needle", {{-1, 0.1}, {1, 0.1 + 1e-8}, {1, 0.1}}, {0, 1, 2});
  for (Scene<T>& scene : scenes) {
    for (const double sigma : {0.0, 1e-37, 1e-7, 1e-3, 1.0, 1e30}) {
      // 0: the smallest number.
      scene.sigma =
          std::max(static_cast<T>(sigma), std::numeric_limits<T>::denorm_min());
      const Results<T> results = RunOnGpu(scene);
      for (const T value : results.silhouette) {
        Check(value >= 0 && value <= 1, "%s, sigma %g: silhouette %g",
              scene.name.c_str(), sigma, static_cast<double>(value));
      }
      for (const T value : results.gradient) {
        Check(std::isfinite(value), "%s, sigma %g: gradient %g",
              scene.name.c_str(), sigma, static_cast<double>(value));
      }
    }
  }
}

// The near plane leaves faces out, forward and backward.
template <typename T>
void TestNear() {
  Scene<T> scene = {"near", 1, 16, 16, {}, {}, T(1e-2f), T(1)};
  AddFace(&scene, {{-0.5, -0.5, 2}, {0.5, -0.5, 2}, {0, 0.5, 2}});
  AddFace(&scene, {{0.5, -0.5, 2}, {0, 0, 1}, {0.9, 0, 3}});
  Worst worst;
  const Results<T> results = RunOnGpu(scene);
  CheckAccuracy(scene, results, &worst);
  Check(worst.gradients == 1, "near: the gradient is one to check");
  for (size_t i = 9; i < results.gradient.size(); ++i) {
    Check(results.gradient[i] == 0, "near: gradient of a face left out");
  }
  scene.near = T(5);
  const Results<T> none = RunOnGpu(scene);
  for (const T value : none.silhouette) Check(value == 0, "near: silhouette");
  for (const T value : none.transparency) Check(value == 1, "near: clear");
  for (const T value : none.gradient) Check(value == 0, "near: gradient");
}

// Promise 5.
template <typename T>
void TestEmptyAndTiny() {
  Scene<T> scene = {"empty mesh", 2, 3, 5, {}, {}};
  for (int i = 0; i < 8; ++i) AddVertex(&scene, 0.1 * i, 0);
  Results<T> results = RunOnGpu(scene);
  for (const T value : results.silhouette) Check(value == 0, "empty mesh");
  for (const T value : results.transparency) Check(value == 1, "empty mesh");
  for (const T value : results.gradient) Check(value == 0, "empty mesh");
  scene.vertices.clear();
  results = RunOnGpu(scene);
  for (const T value : results.silhouette) Check(value == 0, "no vertices");
  scene.batch = 0;
  scene.faces = {0, 1, 2};
  RunOnGpu(scene);
  Worst worst;
  for (const auto& size :
       {std::pair<int, int>{1, 1}, {1, 50}, {50, 1}, {17, 16}}) {
    Scene<T> one = {"odd sizes", 1, size.first, size.second, {}, {}, T(0.5f)};
    AddFace(&one, {{-1, -1}, {1, -1}, {0, 1}});
    CheckAccuracy(one, RunOnGpu(one), &worst);
  }
  Check(worst.gradients >= 2, "odd sizes: gradients to check");
}

// Promise 3: the checks that come before the kernels.
template <typename T>
void TestBadMeshes() {
  const Scene<T> good = RandomMesh<T>();
  const auto is_valid = [&](const Scene<T>& scene) {
    const DeviceArray<T> vertices(scene.vertices);
    const DeviceArray<int32_t> faces(scene.faces);
    SoftRasterizeInputs<T> inputs = scene.inputs();
    inputs.vertices = vertices.get();
    inputs.faces = faces.get();
    TestScratch scratch;
    bool valid = false;
    const std::string error = CheckMeshGpu(inputs, scratch.context(), &valid);
    Check(error.empty(), "bad meshes: %s", error.c_str());
    std::vector<T> vertices_back;
    std::vector<int32_t> faces_back;
    CopyMeshFromGpu(inputs, scratch.context(), &vertices_back, &faces_back);
    Check(SameBits(vertices_back, scene.vertices) &&
              SameBits(faces_back, scene.faces),
          "bad meshes: what is copied back is what was sent");
    return valid;
  };
  Check(is_valid(good), "a good mesh is one");
  for (const int32_t index : {-1, 40, std::numeric_limits<int32_t>::max(),
                              std::numeric_limits<int32_t>::min()}) {
    Scene<T> bad = good;
    bad.faces.back() = index;
    Check(!is_valid(bad), "index %d is found", index);
  }
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Scene<T> bad = good;
    bad.vertices.back() = static_cast<T>(value);
    Check(!is_valid(bad), "coordinate %g is found", value);
  }
  Scene<T> largest = good;
  largest.vertices[3] = std::numeric_limits<T>::max();
  Check(is_valid(largest), "the largest number is finite");
}

// The caller is told when scratch runs out, at any allocation.
template <typename T>
void TestOutOfMemory() {
  const Scene<T> scene = SmallFaces<T>();
  const DeviceArray<T> vertices(scene.vertices), image(scene.pixels());
  const DeviceArray<int32_t> faces(scene.faces);
  SoftRasterizeInputs<T> inputs = scene.inputs();
  inputs.vertices = vertices.get();
  inputs.faces = faces.get();
  for (int left = 0; left < 3; ++left) {
    TestScratch scratch;
    const auto allocate = scratch.context().allocate;
    int remaining = left;
    const std::string error = SoftRasterizeForwardGpu<T>(
        inputs, image.get(), image.get(),
        {nullptr, [&](size_t bytes) {
           return remaining-- > 0 ? allocate(bytes) : nullptr;
         }});
    Check(error.find("could not be allocated") != std::string::npos,
          "out of memory: '%s'", error.c_str());
  }
}

template <typename T>
void TestAll(const char* type) {
  const auto run = [type](const char* name, void (*test)()) {
    RunTest(type, name, test);
  };
  run("accuracy and determinism", TestAccuracyAndDeterminism<T>);
  run("slices", TestSlices<T>);
  run("close calls", TestCloseCalls<T>);
  run("many faces do not drift", TestManyFacesDoNotDrift<T>);
  run("finite", TestFinite<T>);
  run("near", TestNear<T>);
  run("empty and tiny", TestEmptyAndTiny<T>);
  run("bad meshes", TestBadMeshes<T>);
  run("out of memory", TestOutOfMemory<T>);
}

}  // namespace
}  // namespace tf_softras

int main() {
  return tf_softras::RunAllTests([] {
    tf_softras::TestAll<float>("float ");
    tf_softras::TestAll<double>("double");
  });
}
