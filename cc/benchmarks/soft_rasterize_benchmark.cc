// Times the CPU's passes, scene by scene. It verifies them against brute force
// in double, then prints the median of repeats with their spread, for 1 and 2
// threads, beside the pair floor (docs/performance.md).
//
//   soft_rasterize_benchmark [--repeats=N] [--rows=abcdethf]
//   soft_rasterize_benchmark --once=ROW     for valgrind:
//   tools/count_instructions.sh
#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "cc/benchmarks/benchmark_options.h"
#include "cc/benchmarks/scenes.h"
#include "cc/cpu/rasterize/soft_rasterize.h"
#include "cc/geometry/coverage.h"

// Counts every allocation, so that the scratch of a call is measured.
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

// A pool of threads that wait for ranges, as TensorFlow's do.
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
    // Ranges of at most about 50 microseconds.
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

struct Buffers {
  std::vector<float> silhouette, transparency, upstream, gradient;

  explicit Buffers(const TimedScene& scene)
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

// The fewest nanoseconds that a forward and a backward pair took, measured
// where most pairs count, so that all other work is small beside them.
struct PairCost {
  double forward, backward;
};

struct Timing {
  Times forward[2], backward[2];  // by threads - 1
};

Timing TimeScene(const TimedScene& scene, int repeats, Buffers& buffers) {
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

bool PrintRow(const TimedScene& scene, int repeats, const PairCost& cost) {
  const auto inputs = scene.inputs();
  Buffers buffers(scene);
  const int64_t forward_scratch = ScratchOf([&] {
    SoftRasterizeForward(inputs, buffers.silhouette.data(),
                         buffers.transparency.data(), Serial);
  });
  const double error = WorstError(scene, buffers.silhouette);
  const double bound = PromisedError(scene);
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
        "%.2f | %.1f | %.2f | %.1f of %.1f |\n",
        scene.row, scene.what, scene.sigma, i + 1, t.forward[i].median,
        t.forward[i].fastest, t.forward[i].slowest, t.backward[i].median,
        t.backward[i].fastest, t.backward[i].slowest,
        static_cast<double>(forward_pairs + backward_pairs) * 1e-6, floor,
        total / floor, other / total,
        static_cast<double>(std::max(forward_scratch, backward_scratch)) / 1e6,
        static_cast<double>(64 * inputs.num_faces + 16 * scene.pixels()) / 1e6);
    std::fflush(stdout);
  }
  return true;
}

PairCost MeasurePairCost(const TimedScene& scene, int repeats) {
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

// Row f: how time grows with the number of faces at a fixed image, and with the
// image at a fixed number of faces, as the factor for one doubling.
void PrintGrowth(int repeats) {
  const auto milliseconds = [repeats](int level, int64_t side) {
    const TimedScene scene = Sphere("f", "", level, 1, side, 3e-5f);
    Buffers buffers(scene);
    const auto inputs = scene.inputs();
    return Measure(repeats,
                   [&] {
                     SoftRasterizeForward(inputs, buffers.silhouette.data(),
                                          buffers.transparency.data(), Serial);
                     SoftRasterizeBackward(inputs, buffers.transparency.data(),
                                           buffers.upstream.data(),
                                           buffers.gradient.data(), Serial);
                   })
        .median;
  };
  std::printf(
      "\n| row | what grows (one thread, forward + backward) | ms | a doubling "
      "costs |\n|---|---|---|---|\n");
  double before = 0;
  for (const int level : {4, 5, 6, 7}) {
    const double now = milliseconds(level, 256);
    std::printf("| f | %d faces at 256 x 256 | %.1f |", 20 << (2 * level), now);
    if (before > 0) std::printf(" x %.2f", std::sqrt(now / before));
    std::printf(" |\n");
    before = now;
  }
  before = 0;
  for (const int64_t side : {128, 256, 512, 1024}) {
    const double now = milliseconds(4, side);
    std::printf("| f | %d x %d pixels, 5120 faces | %.1f |",
                static_cast<int>(side), static_cast<int>(side), now);
    if (before > 0) std::printf(" x %.2f", now / before);
    std::printf(" |\n");
    before = now;
  }
}

// Runs each pass once, on one thread, and prints how many pairs and faces the
// instructions are for.
int RunOnce(char name) {
  for (const Row& row : Rows()) {
    if (row.name != name) continue;
    const TimedScene scene = row.make();
    const auto inputs = scene.inputs();
    Buffers buffers(scene);
    SoftRasterizeForward(inputs, buffers.silhouette.data(),
                         buffers.transparency.data(), Serial);
    SoftRasterizeBackward(inputs, buffers.transparency.data(),
                          buffers.upstream.data(), buffers.gradient.data(),
                          Serial);
    std::printf(
        "%s, sigma %.0e: %lld faces, %lld pairs forward, %lld backward\n",
        scene.what, scene.sigma,
        static_cast<long long>(inputs.batch * inputs.num_faces),
        static_cast<long long>(
            CountPairs(scene, ForwardCutoff<float>(inputs.num_faces))),
        static_cast<long long>(CountPairs(
            scene,
            BackwardCutoff<float>(inputs.num_faces, scene.side * scene.side))));
    return 0;
  }
  std::fprintf(stderr, "no row %c\n", name);
  return 2;
}

int Main(int argc, char** argv) {
  BenchmarkOptions options(15, "abcdethf");
  if (!options.Read(argc, argv, /*takes_once=*/true)) return 2;
  FlushDenormals();
  if (options.once != 0) return RunOnce(options.once);
  const PairCost cost = MeasurePairCost(
      Sphere("-", "pair cost", 3, 16, 64, 1e-2f), options.repeats);
  std::printf(
      "Best pair: %.2f ns forward, %.2f ns backward (one thread, where "
      "most pairs count).\n\n",
      cost.forward, cost.backward);
  std::printf(
      "| row | scene | sigma | threads | forward ms (range) | backward ms "
      "(range) | pairs 1e6 | floor ms | times floor | speed-up | scratch MB, "
      "of what 64 bytes a face and 16 a pixel allow "
      "|\n|---|---|---|---|---|---|---|---|---|---|---|\n");
  bool right = true;
  for (const Row& row : Rows()) {
    if (!options.has(row.name)) continue;
    const int fewer =
        row.name >= 'd' ? std::max(3, options.repeats / 5) : options.repeats;
    right = PrintRow(row.make(), fewer, cost) && right;
  }
  if (options.has('f')) PrintGrowth(options.repeats);
  return right ? 0 : 1;
}

}  // namespace
}  // namespace tf_softras

int main(int argc, char** argv) { return tf_softras::Main(argc, argv); }
