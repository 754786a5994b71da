// The shader's promises (docs/architecture.md) on a GPU, against brute force in
// long double. test_device.h says where this runs.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "cc/cuda/check_inputs.h"
#include "cc/cuda/rasterize/soft_rasterize.h"
#include "cc/cuda/shade/soft_shade.h"
#include "cc/cuda/test_device.h"
#include "cc/reference/brute_force_shade.h"
#include "cc/reference/scenes.h"
#include "cc/reference/shaded_scenes.h"

namespace tf_softras {
namespace {

template <typename T>
struct Results {
  std::vector<T> image, alpha, transparency;
  std::vector<T> vertices, attributes, background;  // the gradients
};

template <typename T>
std::vector<T> NoUpstream(int64_t count) {
  return std::vector<T>(count, T(0));
}

// A scene in the device's memory.
template <typename T>
struct SceneOnDevice {
  DeviceArray<T> vertices, attributes, background;
  DeviceArray<int32_t> faces;
  SoftShadeInputs<T> inputs;

  explicit SceneOnDevice(const ShadedScene<T>& scene)
      : vertices(scene.mesh.vertices),
        attributes(scene.attributes),
        background(scene.background),
        faces(scene.mesh.faces),
        inputs(scene.inputs()) {
    inputs.mesh.vertices = vertices.get();
    inputs.mesh.faces = faces.get();
    inputs.attributes = attributes.get();
    inputs.background = background.get();
  }
};

template <typename T>
Results<T> RunOnGpu(const ShadedScene<T>& scene,
                    const std::vector<T>& image_upstream,
                    const std::vector<T>& alpha_upstream,
                    int64_t most_faces_at_once = kMostFacesAtOnce) {
  const SceneOnDevice<T> on_device(scene);
  const DeviceArray<T> upstream(image_upstream);
  const DeviceArray<T> alpha_gradient(alpha_upstream);
  const DeviceArray<T> image(scene.values());
  const DeviceArray<T> alpha(scene.mesh.pixels());
  const DeviceArray<T> transparency(scene.mesh.pixels());
  const DeviceArray<T> vertices(scene.mesh.vertices.size());
  const DeviceArray<T> attributes(scene.attributes.size());
  const DeviceArray<T> background(scene.background.size());
  TestScratch scratch;
  GpuContext context = scratch.context();
  context.most_faces_at_once = most_faces_at_once;
  std::string error =
      ShadeForwardGpu(on_device.inputs, scene.is_hard, image.get(), alpha.get(),
                      transparency.get(), context);
  Check(error.empty(), "%s: %s", scene.name().c_str(), error.c_str());
  error = ShadeBackwardGpu<T>(
      on_device.inputs, scene.is_hard, transparency.get(), upstream.get(),
      alpha_gradient.get(),
      {vertices.get(), attributes.get(), background.get()}, context);
  Check(error.empty(), "%s: %s", scene.name().c_str(), error.c_str());
  return {image.ToHost(),    alpha.ToHost(),      transparency.ToHost(),
          vertices.ToHost(), attributes.ToHost(), background.ToHost()};
}

// Runs it with an upstream gradient of the image alone.
template <typename T>
Results<T> RunOnGpu(const ShadedScene<T>& scene) {
  return RunOnGpu(scene, Upstream<T>(scene.values()),
                  NoUpstream<T>(scene.mesh.pixels()));
}

// The worst errors so far, as shares of the promised bounds.
struct Worst {
  double image = 0, gradient = 0;
  int gradients = 0;  // how many were not 0
};

template <typename T>
void CheckGradient(const ShadedScene<T>& scene, const char* of,
                   const std::vector<T>& gradient,
                   const std::vector<double>& truth, Worst* worst) {
  const double norm = Norm(truth);
  if (norm == 0) {
    Check(Norm(gradient) == 0, "%s: no gradient of the %s",
          scene.name().c_str(), of);
    return;
  }
  const double share =
      NormOfDifference(gradient, truth) / norm / GradientBound(scene.gamma);
  // NaN fails too.
  Check(share <= 1, "%s: gradient of the %s at %g of its bound (norm %g)",
        scene.name().c_str(), of, share, norm);
  worst->gradient = std::max(worst->gradient, share);
  ++worst->gradients;
}

// `is_smooth`: no pixel's centre is on an edge.
template <typename T>
void CheckAccuracy(const ShadedScene<T>& scene, const Results<T>& results,
                   Worst* worst, bool is_smooth = true) {
  const std::vector<T> upstream = Upstream<T>(scene.values());
  const BruteForceShade truth =
      ShadeByBruteForce(scene.inputs(), scene.is_hard, upstream.data());
  Check(!truth.is_uncertain, "%s: nothing is for rounding to decide",
        scene.name().c_str());
  const double share =
      LargestDifference(results.image, truth.image) / ImageBound(scene.gamma);
  Check(share <= 1, "%s: image at %g of its bound", scene.name().c_str(),
        share);
  worst->image = std::max(worst->image, share);
  if (is_smooth) {
    CheckGradient(scene, "vertices", results.vertices, truth.vertices, worst);
  }
  CheckGradient(scene, "attributes", results.attributes, truth.attributes,
                worst);
  CheckGradient(scene, "background", results.background, truth.background,
                worst);
}

template <typename T>
void CheckSameBits(const ShadedScene<T>& scene, const Results<T>& a,
                   const Results<T>& b) {
  Check(SameBits(a.image, b.image) && SameBits(a.alpha, b.alpha) &&
            SameBits(a.transparency, b.transparency),
        "%s: the image's bits are the same again", scene.name().c_str());
  Check(SameBits(a.vertices, b.vertices) &&
            SameBits(a.attributes, b.attributes) &&
            SameBits(a.background, b.background),
        "%s: the gradients' bits are the same again", scene.name().c_str());
}

template <typename T>
void CheckAllOrders(const ShadedScene<T>& scene, const Results<T>& results) {
  for (const ThreadOrder order : {ThreadOrder::kDescending, ThreadOrder::kAhead,
                                  ThreadOrder::kAscending}) {
    SetThreadOrder(order);
    CheckSameBits(scene, results, RunOnGpu(scene));
  }
}

// Promises 1 and 4.
template <typename T>
void TestSoftAccuracyAndDeterminism() {
  constexpr float kSofteners[][2] = {
      {1e-6f, 1e-6f}, {1e-3f, 1e-4f}, {1e-1f, 1e-6f}, {1e-1f, 1e-1f}};
  Worst worst;
  for (ShadedScene<T>& scene : ShadedScenes<T>()) {
    for (const auto& softener : kSofteners) {
      // All pairs of 300 faces would count, which takes too long.
      if (softener[0] > 1e-2f && scene.mesh.faces.size() > 300) continue;
      scene.mesh.sigma = static_cast<T>(softener[0]);
      scene.gamma = static_cast<T>(softener[1]);
      const Results<T> results = RunOnGpu(scene);
      CheckAccuracy(scene, results, &worst, IsSmooth(scene));
      if (softener[1] == 1e-4f) CheckAllOrders(scene, results);
    }
  }
  std::printf("worst share of the promised bounds: image %.3f, gradient %.3f\n",
              worst.image, worst.gradient);
  Check(worst.gradients >= 60, "gradients to check: %d", worst.gradients);
}

template <typename T>
void TestHardAccuracyAndDeterminism() {
  Worst worst;
  for (ShadedScene<T>& scene : ShadedScenes<T>()) {
    scene.is_hard = true;
    const Results<T> results = RunOnGpu(scene);
    CheckAccuracy(scene, results, &worst, IsSmooth(scene));
    CheckAllOrders(scene, results);
  }
  std::printf("worst share of the promised bounds: image %.3f, gradient %.3f\n",
              worst.image, worst.gradient);
  Check(worst.gradients >= 12, "gradients to check: %d", worst.gradients);
}

// The face with the lower index is seen if two are equally near, whichever
// level of a tile's lists it is in.
template <typename T>
void TestTheFirstOfEqualsIsNearest() {
  for (const bool is_large_first : {true, false}) {
    Scene<T> mesh = {"equally near", 1, 40, 40, {}, {}};
    for (const bool is_large : {is_large_first, !is_large_first}) {
      const double size = is_large ? 0.9 : 0.1;
      AddFace(&mesh, {{-size, -size}, {size, -size}, {0, size}});
    }
    ShadedScene<T> scene(mesh, 1, false);
    for (size_t i = 2; i < scene.mesh.vertices.size(); i += 3) {
      scene.mesh.vertices[i] = T(2);
    }
    scene.attributes = {T(1), T(1), T(1), T(2), T(2), T(2)};
    scene.is_hard = true;
    Check(RunOnGpu(scene).image[20 * 40 + 20] == T(1),
          "of equally near faces the first is seen, large first: %d",
          is_large_first);
  }
}

// Edges through pixel centres count too.
template <typename T>
void TestAFaceWithoutAreaCoversNothing() {
  Scene<T> mesh = {"a diagonal", 1, 16, 16, {}, {}};
  AddFace(&mesh, {{-0.9375, -0.9375}, {0.9375, 0.9375}, {0.0625, 0.0625}});
  ShadedScene<T> scene(mesh, 2, true);
  scene.is_hard = true;
  Check(SameBits(RunOnGpu(scene).image, scene.background),
        "a face without area covers nothing");
}

// More channels than a thread keeps, more tiles than one, slices of the batch,
// parts of tiles' faces, stretches of a background's pixels.
template <typename T>
void TestSizes() {
  Worst worst;
  for (const bool is_hard : {false, true}) {
    ShadedScene<T> channels(SmallFaces<T>(), 9, false);
    Scene<T> large_mesh = SmallFaces<T>();
    large_mesh.height = 70, large_mesh.width = 150;
    ShadedScene<T> large(large_mesh, 2, false);
    Scene<T> batch_mesh = RandomMesh<T>();
    batch_mesh.batch = 5;
    for (int i = 0; i < 3 * 40 * 3; ++i) {
      batch_mesh.vertices.push_back(batch_mesh.vertices[i] * T(0.75));
    }
    for (ShadedScene<T>* scene : {&channels, &large}) {
      scene->is_hard = is_hard;
      CheckAccuracy(*scene, RunOnGpu(*scene), &worst);
    }
    for (const bool background_is_image : {false, true}) {
      ShadedScene<T> batch(batch_mesh, 3, background_is_image);
      batch.is_hard = is_hard;
      // Two items at once, forward or backward.
      const int64_t most_faces_at_once = background_is_image ? 50 : 150;
      CheckAccuracy(
          batch,
          RunOnGpu(batch, Upstream<T>(batch.values()),
                   NoUpstream<T>(batch.mesh.pixels()), most_faces_at_once),
          &worst);
    }
  }
  Check(worst.gradients == 24, "sizes: gradients to check");
}

// Summed channels, in a group of blended ones and in one of their own; parts of
// tiles' faces.
template <typename T>
void TestSummedChannels() {
  Worst worst;
  for (const Scene<T>& mesh : {SmallFaces<T>(), RandomMesh<T>()}) {
    for (const int64_t summed : {2, 6}) {
      ShadedScene<T> scene(mesh, 6, summed == 2);
      scene.summed_channels = summed;
      // The sums of many faces are above 1 in size.
      for (T& value : scene.attributes) value *= T(0.03125f);
      CheckAccuracy(scene, RunOnGpu(scene), &worst);
    }
  }
  Check(worst.gradients == 10, "summed channels: gradients to check");
}

// min_coverage, epsilon, near and far take effect.
template <typename T>
void TestOptions() {
  Worst worst;
  ShadedScene<T> scene(SmallFaces<T>(), 3, true);
  scene.gamma = T(1e-2f);
  for (const double min_coverage : {1e-30, 1e-2, 0.5}) {
    scene.min_coverage = min_coverage;
    CheckAccuracy(scene, RunOnGpu(scene), &worst);
  }
  // Some faces are beyond far and some behind near; the background is nearer
  // than others.
  scene.mesh.near = T(1.5f);
  scene.far = 3;
  scene.epsilon = 0.5;
  for (const bool is_hard : {false, true}) {
    scene.is_hard = is_hard;
    CheckAccuracy(scene, RunOnGpu(scene), &worst);
  }
  Check(worst.gradients == 15, "options: gradients to check");
  scene.mesh.near = T(50);
  for (const bool is_hard : {false, true}) {
    scene.is_hard = is_hard;
    const Results<T> results = RunOnGpu(scene);
    Check(SameBits(results.image, scene.background),
          "where nothing is drawn the image is the background");
    Check(Norm(results.vertices) == 0 && Norm(results.attributes) == 0,
          "where nothing is drawn no vertex has a gradient");
    Check(SameBits(results.background, Upstream<T>(scene.values())),
          "where nothing is drawn the background has all of the gradient");
  }
}

// Alpha is the silhouette, and its gradient joins the image's.
template <typename T>
void TestAlpha() {
  ShadedScene<T> scene(RandomMesh<T>(), 3, false);
  const int64_t pixels = scene.mesh.pixels();
  const SceneOnDevice<T> on_device(scene);
  const DeviceArray<T> alpha(pixels), transparency(pixels);
  const DeviceArray<T> upstream(Upstream<T>(pixels));
  const DeviceArray<T> gradient(scene.mesh.vertices.size());
  TestScratch scratch;
  Check(SoftRasterizeForwardGpu(on_device.inputs.mesh, alpha.get(),
                                transparency.get(), scratch.context())
            .empty(),
        "the silhouette");
  Check(SoftRasterizeBackwardGpu(on_device.inputs.mesh, transparency.get(),
                                 upstream.get(), gradient.get(),
                                 scratch.context())
            .empty(),
        "the silhouette's gradient");
  for (const int64_t channels : {0, 3}) {
    scene = ShadedScene<T>(RandomMesh<T>(), channels, false);
    for (const bool is_hard : {false, true}) {
      scene.is_hard = is_hard;
      const auto image_alone = RunOnGpu(scene);
      const auto alpha_alone =
          RunOnGpu(scene, NoUpstream<T>(scene.values()), Upstream<T>(pixels));
      const auto both =
          RunOnGpu(scene, Upstream<T>(scene.values()), Upstream<T>(pixels));
      Check(SameBits(both.alpha, alpha.ToHost()) &&
                SameBits(both.transparency, transparency.ToHost()),
            "%s: alpha is the silhouette", scene.name().c_str());
      Check(LargestDifference(alpha_alone.vertices, gradient.ToHost()) == 0,
            "%s: alpha's gradient is the silhouette's", scene.name().c_str());
      std::vector<T> sums = image_alone.vertices;
      for (size_t i = 0; i < sums.size(); ++i) {
        sums[i] += alpha_alone.vertices[i];
      }
      Check(LargestDifference(both.vertices, sums) == 0,
            "%s: the gradients of image and alpha are added",
            scene.name().c_str());
      Check(channels == 0 || Norm(image_alone.vertices) > 0,
            "%s: there is a gradient to add", scene.name().c_str());
    }
  }
}

template <typename T>
void CheckFinite(const ShadedScene<T>& scene) {
  const Results<T> results = RunOnGpu(scene, Upstream<T>(scene.values()),
                                      Upstream<T>(scene.mesh.pixels()));
  for (const T value : results.image) {
    Check(std::fabs(value) <= T(1.0001), "%s: image %g", scene.name().c_str(),
          static_cast<double>(value));
  }
  for (const auto* gradient :
       {&results.vertices, &results.attributes, &results.background}) {
    for (const T value : *gradient) {
      Check(std::isfinite(value), "%s: gradient %g", scene.name().c_str(),
            static_cast<double>(value));
    }
  }
}

// Promise 2.
template <typename T>
void TestFinite() {
  std::vector<Scene<T>> meshes;
  const auto add = [&](const char* name,
                       std::vector<std::vector<double>> corners,
                       std::vector<int32_t> faces) {
    Scene<T> mesh = {name, 1, 8, 8, {}, std::move(faces)};
    for (const auto& c : corners) {
      AddVertex(&mesh, c[0], c[1], c.size() > 2 ? c[2] : 1);
    }
    meshes.push_back(mesh);
  };
  add("repeated indices", {{0, 0}, {1, 1}, {0.3, -0.2}},
      {0, 0, 0, 0, 1, 1, 2, 2, 1});
  add("far outside", {{1e30, 0}, {-1e30, 1e30}, {0, -3e38}, {0.1, 0.1}},
      {0, 1, 2, 0, 1, 3});
  add("denormal edges", {{0, 0}, {1e-45, 0}, {0, 1e-45}, {1e-20, 1e-30}},
      {0, 1, 2, 1, 2, 3});
  add("vertex on a pixel centre",
      {{0.125, 0.125}, {0.875, 0.125}, {0.125, 0.875}}, {0, 1, 2});
  add("needle", {{-1, 0.1}, {1, 0.1 + 1e-8}, {1, 0.1}}, {0, 1, 2});
  add("depths from the smallest to the largest",
      {{-1, -1, 1e-30}, {1, -1, 1e30}, {0, 1, 1}}, {0, 1, 2});
  for (const Scene<T>& mesh : meshes) {
    ShadedScene<T> scene(mesh, 3, true);
    for (const double sigma : {0.0, 1e-7, 1e-3, 1.0}) {
      for (const double gamma : {0.0, 1e-6, 1.0}) {
        // 0: the smallest number.
        constexpr T kSmallest = std::numeric_limits<T>::denorm_min();
        scene.mesh.sigma = std::max(static_cast<T>(sigma), kSmallest);
        scene.gamma = std::max(static_cast<T>(gamma), kSmallest);
        CheckFinite(scene);
      }
    }
    scene.is_hard = true;
    CheckFinite(scene);
  }
}

// Promise 5.
template <typename T>
void TestEmptyAndTiny() {
  for (const bool is_hard : {false, true}) {
    Scene<T> mesh = {"empty mesh", 2, 3, 5, {}, {}};
    for (int i = 0; i < 8; ++i) AddVertex(&mesh, 0.1 * i, 0);
    ShadedScene<T> scene(mesh, 2, true);
    scene.is_hard = is_hard;
    Results<T> results = RunOnGpu(scene);
    Check(SameBits(results.image, scene.background), "empty mesh: image");
    Check(Norm(results.vertices) == 0 && Norm(results.attributes) == 0,
          "empty mesh: gradients");
    mesh.vertices.clear();
    scene = ShadedScene<T>(mesh, 2, false);
    scene.is_hard = is_hard;
    results = RunOnGpu(scene);
    Check(results.image[2] == scene.background[0], "no vertices: image");
    mesh.batch = 0;
    mesh.faces = {0, 1, 2};
    scene = ShadedScene<T>(mesh, 2, false);
    scene.is_hard = is_hard;
    results = RunOnGpu(scene);
    Check(Norm(results.background) == 0, "empty batch: background");
    Worst worst;
    for (const auto& size :
         {std::pair<int, int>{1, 1}, {1, 50}, {50, 1}, {17, 16}}) {
      Scene<T> one = {"odd sizes", 1, size.first, size.second, {}, {}, T(0.5f)};
      AddFace(&one, {{-1, -1.1}, {1.2, -1}, {0.1, 1.3}});
      scene = ShadedScene<T>(one, 1, false);
      scene.is_hard = is_hard;
      CheckAccuracy(scene, RunOnGpu(scene), &worst);
    }
    Check(worst.gradients >= 6, "odd sizes: %d gradients to check",
          worst.gradients);
  }
}

// Promise 3: the checks that come before the kernels.
template <typename T>
void TestBadInputs() {
  const ShadedScene<T> good(RandomMesh<T>(), 3, true);
  const auto is_valid = [](const ShadedScene<T>& scene) {
    const SceneOnDevice<T> on_device(scene);
    TestScratch scratch;
    bool valid = false;
    const std::string error =
        CheckShadeInputsGpu(on_device.inputs, scratch.context(), &valid);
    Check(error.empty(), "bad inputs: %s", error.c_str());
    std::vector<T> attributes, background;
    CopyColorsFromGpu(on_device.inputs, scratch.context(), &attributes,
                      &background);
    Check(SameBits(attributes, scene.attributes) &&
              SameBits(background, scene.background),
          "bad inputs: what is copied back is what was sent");
    return valid;
  };
  Check(is_valid(good), "good inputs are");
  for (const int32_t index : {-1, 40}) {
    ShadedScene<T> bad = good;
    bad.mesh.faces.back() = index;
    Check(!is_valid(bad), "index %d is found", index);
  }
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    for (std::vector<T> ShadedScene<T>::*which :
         {&ShadedScene<T>::attributes, &ShadedScene<T>::background}) {
      ShadedScene<T> bad = good;
      (bad.*which).back() = static_cast<T>(value);
      Check(!is_valid(bad), "colour %g is found", value);
    }
    ShadedScene<T> bad = good;
    bad.mesh.vertices.front() = static_cast<T>(value);
    Check(!is_valid(bad), "coordinate %g is found", value);
  }
}

// The caller is told when scratch runs out, at any allocation.
template <typename T>
void TestOutOfMemory() {
  for (const bool is_hard : {false, true}) {
    ShadedScene<T> scene(FacesThroughPixelCentres<T>(), 3, false);
    const SceneOnDevice<T> on_device(scene);
    const DeviceArray<T> out(scene.values());
    const DeviceArray<T> gradient(scene.mesh.vertices.size());
    const auto run = [&](bool is_forward, int64_t left, bool* ran_out) {
      TestScratch scratch;
      const auto allocate = scratch.context().allocate;
      const GpuContext context = {nullptr, [&](size_t bytes) {
                                    if (left-- > 0) return allocate(bytes);
                                    *ran_out = true;
                                    return static_cast<void*>(nullptr);
                                  }};
      return is_forward
                 ? ShadeForwardGpu(on_device.inputs, is_hard, out.get(),
                                   out.get(), out.get(), context)
                 : ShadeBackwardGpu<T>(
                       on_device.inputs, is_hard, out.get(), out.get(),
                       out.get(), {gradient.get(), gradient.get(), out.get()},
                       context);
    };
    for (const bool is_forward : {true, false}) {
      int64_t left = 0;
      for (bool ran_out = true; ran_out; ++left) {
        ran_out = false;
        const std::string error = run(is_forward, left, &ran_out);
        Check((error.find("could not be allocated") != std::string::npos) ==
                  ran_out,
              "out of memory: '%s'", error.c_str());
      }
      Check(left > 6, "out of memory: %d allocations",
            static_cast<int>(left - 1));
    }
  }
}

template <typename T>
void TestAll(const char* type) {
  const auto run = [type](const char* name, void (*test)()) {
    RunTest(type, name, test);
  };
  run("soft accuracy and determinism", TestSoftAccuracyAndDeterminism<T>);
  run("hard accuracy and determinism", TestHardAccuracyAndDeterminism<T>);
  run("the first of equals is nearest", TestTheFirstOfEqualsIsNearest<T>);
  run("a face without area covers nothing",
      TestAFaceWithoutAreaCoversNothing<T>);
  run("sizes", TestSizes<T>);
  run("summed channels", TestSummedChannels<T>);
  run("options", TestOptions<T>);
  run("alpha", TestAlpha<T>);
  run("finite", TestFinite<T>);
  run("empty and tiny", TestEmptyAndTiny<T>);
  run("bad inputs", TestBadInputs<T>);
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
