// Times the CPU functors, scene by scene: verifies against brute force in
// double first, then prints the median of repeats with their spread, for 1 and
// 2 threads, beside the pair floor (docs/performance.md).
//
//   soft_rasterize_benchmark [--repeats=N] [--rows=abcde]
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cc/geometry/coverage.h"
#include "cc/geometry/image_plane.h"
#include "cc/geometry/soft_triangle.h"
#include "cc/kernels/soft_rasterize_cpu.h"

// Every allocation is counted, so that the scratch of a call is known and not
// guessed.
namespace {
std::atomic<int64_t> allocated_now{0};
std::atomic<int64_t> allocated_most{0};
constexpr size_t kHeader = 64;
}  // namespace

void* operator new(size_t size) {
  char* block = static_cast<char*>(std::malloc(size + kHeader));
  if (block == nullptr) throw std::bad_alloc();
  std::memcpy(block, &size, sizeof size);
  const int64_t now = allocated_now.fetch_add(static_cast<int64_t>(size)) +
                      static_cast<int64_t>(size);
  int64_t most = allocated_most.load();
  while (now > most && !allocated_most.compare_exchange_weak(most, now)) {
  }
  return block + kHeader;
}
void operator delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  char* block = static_cast<char*>(pointer) - kHeader;
  size_t size;
  std::memcpy(&size, block, sizeof size);
  allocated_now.fetch_sub(static_cast<int64_t>(size));
  std::free(block);
}
void operator delete(void* pointer, size_t) noexcept {
  operator delete(pointer);
}

namespace tf_softras {
namespace {

using Clock = std::chrono::steady_clock;

// Threads that wait for ranges, as TensorFlow's do.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; ++i) {
      workers_.emplace_back([this] { Wait(); });
    }
  }
  ~Pool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void Run(int64_t total, int64_t cost,
           const std::function<void(int64_t, int64_t)>& work) {
    if (total <= 0) return;
    // Ranges of about 50 microseconds, at most.
    const int64_t range = std::max<int64_t>(
        1, std::min(total, 50000 / std::max<int64_t>(1, cost)));
    std::atomic<int64_t> next{0};
    const std::function<void()> loop = [&] {
      for (int64_t begin; (begin = next.fetch_add(range)) < total;) {
        work(begin, std::min(total, begin + range));
      }
    };
    {
      std::lock_guard<std::mutex> lock(mutex_);
      loop_ = &loop;
      running_ = static_cast<int>(workers_.size());
      ++generation_;
    }
    wake_.notify_all();
    loop();
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  void Wait() {
    int64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
      const std::function<void()>* loop = loop_;
      lock.unlock();
      (*loop)();
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void()>* loop_ = nullptr;
  int running_ = 0;
  int64_t generation_ = 0;
  bool stop_ = false;
};

struct Scene {
  const char* row;
  const char* what;
  int64_t batch, side;
  float sigma;
  std::vector<float> vertices;
  std::vector<int32_t> faces;

  SoftRasterizeInputs<float> inputs() const {
    return {vertices.data(),
            faces.data(),
            batch,
            static_cast<int64_t>(vertices.size()) / 3 / batch,
            static_cast<int64_t>(faces.size()) / 3,
            side,
            side,
            sigma,
            0.0f};
  }
  int64_t pixels() const { return batch * side * side; }
};

using Vector = std::array<double, 3>;

// A sphere of radius 0.5 with 20 * 4^level faces, a little crumpled, seen by an
// N3MR camera from a different azimuth for each item.
Scene Sphere(const char* row, const char* what, int level, int64_t batch,
             int64_t side, float sigma) {
  const double g = (1 + std::sqrt(5.0)) / 2;
  std::vector<Vector> points = {{-1, g, 0}, {1, g, 0}, {-1, -g, 0}, {1, -g, 0},
                                {0, -1, g}, {0, 1, g}, {0, -1, -g}, {0, 1, -g},
                                {g, 0, -1}, {g, 0, 1}, {-g, 0, -1}, {-g, 0, 1}};
  Scene scene = {row, what, batch, side, sigma, {}, {}};
  scene.faces = {0, 11, 5, 0, 5,  1,  0,  1,  7,  0,  7, 10, 0, 10, 11,
                 1, 5,  9, 5, 11, 4,  11, 10, 2,  10, 7, 6,  7, 1,  8,
                 3, 9,  4, 3, 4,  2,  3,  2,  6,  3,  6, 8,  3, 8,  9,
                 4, 9,  5, 2, 4,  11, 6,  2,  10, 8,  6, 7,  9, 8,  1};
  for (; level > 0; --level) {
    std::map<std::pair<int32_t, int32_t>, int32_t> middles;
    std::vector<int32_t> finer;
    for (size_t f = 0; f < scene.faces.size(); f += 3) {
      int32_t v[3], m[3];
      for (int k = 0; k < 3; ++k) v[k] = scene.faces[f + k];
      for (int k = 0; k < 3; ++k) {
        const int32_t a = v[k], b = v[(k + 1) % 3];
        const auto found = middles.try_emplace(
            std::minmax(a, b), static_cast<int32_t>(points.size()));
        if (found.second) {
          points.push_back({points[a][0] + points[b][0],
                            points[a][1] + points[b][1],
                            points[a][2] + points[b][2]});
        }
        m[k] = found.first->second;
      }
      finer.insert(finer.end(), {v[0], m[0], m[2], v[1], m[1], m[0], v[2], m[2],
                                 m[1], m[0], m[1], m[2]});
    }
    scene.faces = std::move(finer);
    for (Vector& p : points) {
      const double length = std::hypot(p[0], p[1], p[2]);
      for (double& x : p) x *= 1 / length;
    }
  }
  std::mt19937 random(0);
  std::normal_distribution<double> noise(0, 0.02);
  for (int64_t item = 0; item < batch; ++item) {
    const double t = 0.1 + 0.7 * static_cast<double>(item), e = M_PI / 6;
    const Vector eye = {std::cos(e) * std::cos(t), std::sin(e),
                        std::cos(e) * std::sin(t)};
    const Vector right = {std::sin(t), 0, -std::cos(t)};
    const Vector up = {-std::sin(e) * std::cos(t), std::cos(e),
                       -std::sin(e) * std::sin(t)};
    const auto dot = [](const Vector& a, const Vector& b) {
      return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    };
    for (const Vector& point : points) {
      const double length = std::hypot(point[0], point[1], point[2]);
      const double radius = 0.5 * (1 + noise(random)) / length;
      const Vector p = {point[0] * radius, point[1] * radius,
                        point[2] * radius};
      const double depth = 2.732 - dot(p, eye);
      const double scale = 1 / (depth * std::tan(M_PI / 12));
      scene.vertices.push_back(static_cast<float>(dot(p, right) * scale));
      scene.vertices.push_back(static_cast<float>(dot(p, up) * scale));
      scene.vertices.push_back(static_cast<float>(depth));
    }
  }
  return scene;
}

Triangle FaceOf(const Scene& scene, int64_t item, int64_t face) {
  const SoftRasterizeInputs<float> inputs = scene.inputs();
  Point2 corners[3];
  for (int k = 0; k < 3; ++k) {
    const float* v = inputs.vertices + 3 * (item * inputs.num_vertices +
                                            inputs.faces[3 * face + k]);
    corners[k] = {v[0], v[1]};
  }
  return MakeTriangle<double>(corners[0], corners[1], corners[2]);
}

// Eqs. 1 and 2 over all faces in double, at pixels spread over the first item.
double WorstError(const Scene& scene, const std::vector<float>& silhouette) {
  const SoftRasterizeInputs<float> inputs = scene.inputs();
  const ImagePlane plane = {scene.side, scene.side};
  std::mt19937 random(1);
  double worst = 0;
  for (int sample = 0; sample < 48; ++sample) {
    const int64_t pixel = static_cast<int64_t>(
        random() % static_cast<uint32_t>(scene.side * scene.side));
    const Point2 p = {plane.x(static_cast<double>(pixel % scene.side)),
                      plane.y(static_cast<double>(pixel / scene.side))};
    double log_transparency = 0;
    for (int64_t face = 0; face < inputs.num_faces; ++face) {
      const double x =
          SignedSquaredDistance(
              Sample(Localize<double>(FaceOf(scene, 0, face), p), 0.0, 0.0)) /
          scene.sigma;
      log_transparency -=
          std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
    }
    worst = std::max(
        worst, std::fabs(-std::expm1(log_transparency) - silhouette[pixel]));
  }
  return worst;
}

// The pairs that must be evaluated: pixels inside a face or within the cut-off
// of its boundary.
int64_t CountPairs(const Scene& scene, double cutoff) {
  const SoftRasterizeInputs<float> inputs = scene.inputs();
  const ImagePlane plane = {scene.side, scene.side};
  const double limit = cutoff * static_cast<double>(scene.sigma);
  const double radius = std::sqrt(limit);
  int64_t pairs = 0;
  for (int64_t face = 0; face < inputs.num_faces; ++face) {
    const Triangle triangle = FaceOf(scene, 0, face);
    double low_x = 1e9, high_x = -1e9, low_y = 1e9, high_y = -1e9;
    for (const Edge& edge : triangle.edges) {
      low_x = std::min(low_x, edge.a.x), high_x = std::max(high_x, edge.a.x);
      low_y = std::min(low_y, edge.a.y), high_y = std::max(high_y, edge.a.y);
    }
    const PixelRect rect =
        PixelsInside(plane, plane.bounds(), low_x - radius, high_x + radius,
                     low_y - radius, high_y + radius)
            .ToPixels();
    for (int64_t row = rect.row_begin; row < rect.row_end; ++row) {
      for (int64_t column = rect.column_begin; column < rect.column_end;
           ++column) {
        const Point2 p = {plane.x(static_cast<double>(column)),
                          plane.y(static_cast<double>(row))};
        const auto sample = Sample(Localize<double>(triangle, p), 0.0, 0.0);
        pairs += sample.inside || sample.squared_distance <= limit;
      }
    }
  }
  // The items differ by the azimuth alone.
  return pairs * scene.batch;
}

struct Times {
  double median, fastest, slowest;  // milliseconds
};

Times Measure(int repeats, const std::function<void()>& run) {
  run();
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const auto start = Clock::now();
    run();
    times.push_back(
        std::chrono::duration<double, std::milli>(Clock::now() - start)
            .count());
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times.front(), times.back()};
}

struct Buffers {
  std::vector<float> silhouette, transparency, upstream, gradient;

  explicit Buffers(const Scene& scene)
      : silhouette(scene.pixels()),
        transparency(scene.pixels()),
        upstream(scene.pixels(), 1.0f),
        gradient(scene.vertices.size()) {}
};

int64_t ScratchOf(const std::function<void()>& run) {
  const int64_t before = allocated_now;
  allocated_most = before;
  run();
  return allocated_most - before;
}

// The best nanoseconds that a forward and a backward pair were seen to take:
// where most pairs count, so that everything else is small beside them.
struct PairCost {
  double forward, backward;
};

struct Timing {
  Times forward[2], backward[2];  // by threads - 1
};

Timing TimeScene(const Scene& scene, int repeats, Buffers& buffers) {
  const auto inputs = scene.inputs();
  Timing timing;
  for (const int threads : {1, 2}) {
    Pool pool(threads);
    const ParallelFor parallel_for =
        [&pool](int64_t total, int64_t cost,
                const std::function<void(int64_t, int64_t)>& work) {
          pool.Run(total, cost, work);
        };
    timing.forward[threads - 1] = Measure(repeats, [&] {
      SoftRasterizeForward(inputs, buffers.silhouette.data(),
                           buffers.transparency.data(), parallel_for);
    });
    timing.backward[threads - 1] = Measure(repeats, [&] {
      SoftRasterizeBackward(inputs, buffers.transparency.data(),
                            buffers.upstream.data(), buffers.gradient.data(),
                            parallel_for);
    });
  }
  return timing;
}

void Serial(int64_t total, int64_t,
            const std::function<void(int64_t, int64_t)>& work) {
  if (total > 0) work(0, total);
}

bool PrintRow(const Scene& scene, int repeats, const PairCost& cost) {
  const auto inputs = scene.inputs();
  Buffers buffers(scene);
  const int64_t forward_scratch = ScratchOf([&] {
    SoftRasterizeForward(inputs, buffers.silhouette.data(),
                         buffers.transparency.data(), Serial);
  });
  const double error = WorstError(scene, buffers.silhouette);
  const double bound = 5e-6 + 4e-8 / std::sqrt(scene.sigma);
  const int64_t backward_scratch = ScratchOf([&] {
    SoftRasterizeBackward(inputs, buffers.transparency.data(),
                          buffers.upstream.data(), buffers.gradient.data(),
                          Serial);
  });
  if (!(error <= bound)) {
    std::printf("| %s | WRONG: image off by %.2g, promised %.2g |\n", scene.row,
                error, bound);
    return false;
  }
  const int64_t forward_pairs =
      CountPairs(scene, ForwardCutoff<float>(inputs.num_faces));
  const int64_t backward_pairs = CountPairs(
      scene, BackwardCutoff<float>(inputs.num_faces, scene.side * scene.side));
  const Timing t = TimeScene(scene, repeats, buffers);
  for (int i : {0, 1}) {
    const double floor = (static_cast<double>(forward_pairs) * cost.forward +
                          static_cast<double>(backward_pairs) * cost.backward) *
                         1e-6 / (i + 1);
    const double total = t.forward[i].median + t.backward[i].median;
    const double other = t.forward[0].median + t.backward[0].median;
    std::printf(
        "| %s | %s | %.0e | %d | %.2f (%.2f-%.2f) | %.2f (%.2f-%.2f) | %.2f | "
        "%.2f | %.1f | %.2f | %.2f |\n",
        scene.row, scene.what, scene.sigma, i + 1, t.forward[i].median,
        t.forward[i].fastest, t.forward[i].slowest, t.backward[i].median,
        t.backward[i].fastest, t.backward[i].slowest,
        static_cast<double>(forward_pairs + backward_pairs) * 1e-6, floor,
        total / floor, other / total,
        static_cast<double>(std::max(forward_scratch, backward_scratch)) / 1e6);
    std::fflush(stdout);
  }
  return true;
}

PairCost MeasurePairCost(const Scene& scene, int repeats) {
  Buffers buffers(scene);
  const auto inputs = scene.inputs();
  const Times forward = Measure(repeats, [&] {
    SoftRasterizeForward(inputs, buffers.silhouette.data(),
                         buffers.transparency.data(), Serial);
  });
  const Times backward = Measure(repeats, [&] {
    SoftRasterizeBackward(inputs, buffers.transparency.data(),
                          buffers.upstream.data(), buffers.gradient.data(),
                          Serial);
  });
  return {forward.fastest * 1e6 /
              static_cast<double>(
                  CountPairs(scene, ForwardCutoff<float>(inputs.num_faces))),
          backward.fastest * 1e6 /
              static_cast<double>(CountPairs(
                  scene, BackwardCutoff<float>(inputs.num_faces,
                                               scene.side * scene.side)))};
}

int Main(int argc, char** argv) {
  int repeats = 15;
  std::string rows = "abcde";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--repeats=", 0) == 0) {
      repeats = std::max(1, std::atoi(argument.c_str() + 10));
    } else if (argument.rfind("--rows=", 0) == 0) {
      rows = argument.substr(7);
    } else {
      std::fprintf(stderr,
                   "expected --repeats=N or --rows=abcde; received %s\n",
                   argv[i]);
      return 2;
    }
  }
  const PairCost cost =
      MeasurePairCost(Sphere("-", "pair cost", 3, 4, 64, 1e-2f), repeats);
  std::printf(
      "Best pair: %.2f ns forward, %.2f ns backward (one thread, where "
      "most pairs count).\n\n",
      cost.forward, cost.backward);
  std::printf(
      "| row | scene | sigma | threads | forward ms (range) | backward ms "
      "(range) | pairs 1e6 | floor ms | times floor | speed-up | scratch MB "
      "|\n|---|---|---|---|---|---|---|---|---|---|---|\n");
  bool right = true;
  const auto run = [&](char row, const Scene& scene) {
    if (rows.find(row) != std::string::npos) {
      const int fewer = row >= 'd' ? std::max(3, repeats / 5) : repeats;
      right = PrintRow(scene, fewer, cost) && right;
    }
  };
  const char* paper = "1,280 faces, 64 x 64, batch 64";
  run('a', Sphere("a", paper, 3, 64, 64, 3e-5f));
  run('b', Sphere("b", paper, 3, 64, 64, 1e-4f));
  run('b', Sphere("b", paper, 3, 64, 64, 1e-2f));
  run('c', Sphere("c", "5,120 faces, 256 x 256, batch 4", 4, 4, 256, 3e-5f));
  run('d', Sphere("d", "81,920 faces, 512 x 512, batch 1", 6, 1, 512, 3e-5f));
  if (rows.find('e') != std::string::npos) {
    run('e', Sphere("e", "1,310,720 faces, 1024 x 1024, batch 1", 8, 1, 1024,
                    3e-5f));
  }
  return right ? 0 : 1;
}

}  // namespace
}  // namespace tf_softras

int main(int argc, char** argv) { return tf_softras::Main(argc, argv); }
