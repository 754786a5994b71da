#include "cc/tensorflow/xla/shared_ranges.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <vector>

namespace tf_softras {
namespace {

// Runs each task on a thread of its own. The destructor joins them.
struct Threads {
  std::vector<std::thread> all;

  template <typename Task>
  void operator()(Task task) {
    all.emplace_back(task);
  }
  ~Threads() {
    for (std::thread& thread : all) thread.join();
  }
};

TEST(SharedRangesTest, EveryUnitIsDoneOnceBeforeItReturns) {
  for (const int64_t cost : {0, 100, 1000000}) {
    for (const int64_t total : {0, 1, 7, 5000}) {
      Threads threads;
      std::vector<int> counts(total, 0);
      RunShared(
          total, cost, 4, [&threads](auto task) { threads(task); },
          [&counts](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) ++counts[i];
          });
      // This runs before the threads are joined.
      EXPECT_EQ(counts, std::vector<int>(total, 1));
    }
  }
}

TEST(SharedRangesTest, SeveralThreadsTakeRanges) {
  Threads threads;
  std::mutex mutex;
  std::set<std::thread::id> seen;
  RunShared(
      4, 1000000, 4, [&threads](auto task) { threads(task); },
      [&](int64_t, int64_t) {
        // Waits until each unit has a thread of its own.
        std::unique_lock<std::mutex> lock(mutex);
        seen.insert(std::this_thread::get_id());
        while (seen.size() < 4) {
          lock.unlock();
          std::this_thread::yield();
          lock.lock();
        }
      });
  EXPECT_EQ(seen.size(), 4u);
}

TEST(SharedRangesTest, APoolThatNeverBeginsIsNotWaitedFor) {
  std::vector<std::function<void()>> tasks;
  {
    std::vector<int> counts(100, 0);
    RunShared(
        100, 1000000, 4, [&tasks](auto task) { tasks.push_back(task); },
        [&counts](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++counts[i];
        });
    EXPECT_EQ(counts, std::vector<int>(100, 1));
  }
  EXPECT_EQ(tasks.size(), 3u);
  // Tasks that begin late: no range is left, and `counts` is gone.
  for (const auto& task : tasks) task();
}

}  // namespace
}  // namespace tf_softras
