#include "cc/cpu/scratch.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace tf_softras {
namespace {

// Runs each unit on a thread of its own.
void Threads(int64_t total, int64_t,
             const std::function<void(int64_t, int64_t)>& work) {
  std::vector<std::thread> threads;
  for (int64_t unit = 0; unit < total; ++unit) {
    threads.emplace_back([&work, unit] { work(unit, unit + 1); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ScratchTest, SaysWhetherTheCallRan) {
  std::vector<int> done(3, 0);
  EXPECT_TRUE(RunWithScratch(Threads, [&](const ParallelFor& parallel_for) {
    parallel_for(3, 1, [&](int64_t begin, int64_t) { done[begin] = 1; });
  }));
  EXPECT_EQ(done, std::vector<int>(3, 1));
}

TEST(ScratchTest, AFailedAllocationOnAThreadEndsTheCallAndNothingElse) {
  bool reached = false;
  EXPECT_FALSE(RunWithScratch(Threads, [&](const ParallelFor& parallel_for) {
    parallel_for(3, 1, [](int64_t begin, int64_t) {
      if (begin == 1) throw std::bad_alloc();
    });
    reached = true;
  }));
  EXPECT_FALSE(reached);
}

TEST(ScratchTest, AFailedAllocationOfTheCallerIsOneToo) {
  EXPECT_FALSE(RunWithScratch(
      Threads, [](const ParallelFor&) { throw std::bad_alloc(); }));
  EXPECT_FALSE(RunWithScratch(Threads, [](const ParallelFor&) {
    std::vector<double>().resize(static_cast<size_t>(-1) / 2);
  }));
}

}  // namespace
}  // namespace tf_softras
