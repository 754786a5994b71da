#include <ucontext.h>

#include <cstdio>
#include <deque>
#include <memory>
#include <vector>

#include "cc/cuda/emulation/cuda_runtime.h"

namespace cuda_emulation {

dim3 thread_index, block_index, block_size, grid_size;

namespace {

constexpr size_t kStackBytes = size_t{256} << 10;

// Threads that wait for one another, and the values that they hand over. There
// are two sets of slots: a thread that leaves early may hand over its next
// value before a slow one has read this one.
struct Group {
  std::vector<int> waiting;
  int size = 0;
  uint64_t slots[2][kWarpSize] = {};
  int turn = 0;
};

struct Block {
  ucontext_t outside;
  std::vector<ucontext_t> threads;
  std::deque<int> ready;
  int running = -1;
  int finished = 0;
  Group all;
  std::vector<Group> warps;
  const std::function<void()>* kernel = nullptr;
};

Block block;
std::vector<std::unique_ptr<char[]>> stacks;
ThreadOrder thread_order = ThreadOrder::kAscending;
int64_t num_launches = 0;

void MakeReady(const std::vector<int>& threads) {
  const auto place = thread_order == ThreadOrder::kAhead ? block.ready.begin()
                                                         : block.ready.end();
  if (thread_order == ThreadOrder::kDescending) {
    block.ready.insert(place, threads.rbegin(), threads.rend());
  } else {
    block.ready.insert(place, threads.begin(), threads.end());
  }
}

// Leaves `from` for the next thread that can run.
void SwitchToNext(ucontext_t* from) {
  if (block.ready.empty()) {
    std::fprintf(stderr,
                 "cuda_emulation: %d threads of block %u have finished and the "
                 "others wait at a barrier that these never reach\n",
                 block.finished, block_index.x);
    std::abort();
  }
  const int next = block.ready.front();
  block.ready.pop_front();
  block.running = next;
  thread_index.x = static_cast<unsigned>(next);
  if (from != &block.threads[next]) swapcontext(from, &block.threads[next]);
}

void Wait(Group& group) {
  const int self = block.running;
  // Threads are ordered by index, whichever comes last.
  group.waiting.push_back(self);
  if (static_cast<int>(group.waiting.size()) == group.size) {
    group.waiting.clear();
    std::vector<int> members(group.size);
    const int first = &group == &block.all ? 0 : self / kWarpSize * kWarpSize;
    for (int i = 0; i < group.size; ++i) members[i] = first + i;
    MakeReady(members);
  }
  SwitchToNext(&block.threads[self]);
}

void RunThread() {
  (*block.kernel)();
  if (++block.finished == block.all.size) {
    swapcontext(&block.threads[block.running], &block.outside);
  }
  SwitchToNext(&block.threads[block.running]);
}

void RunBlock(int threads) {
  block.ready.clear();
  block.finished = 0;
  block.all.waiting.clear();
  block.all.size = threads;
  block.warps.assign((threads + kWarpSize - 1) / kWarpSize, Group());
  for (Group& warp : block.warps) warp.size = kWarpSize;
  block.threads.resize(threads);
  std::vector<int> everyone;
  for (int i = 0; i < threads; ++i) {
    if (static_cast<int>(stacks.size()) <= i) {
      stacks.push_back(std::make_unique<char[]>(kStackBytes));
    }
    ucontext_t& thread = block.threads[i];
    getcontext(&thread);
    thread.uc_stack.ss_sp = stacks[i].get();
    thread.uc_stack.ss_size = kStackBytes;
    thread.uc_link = nullptr;
    makecontext(&thread, RunThread, 0);
    everyone.push_back(i);
  }
  MakeReady(everyone);
  SwitchToNext(&block.outside);
}

}  // namespace

void SetThreadOrder(ThreadOrder order) { thread_order = order; }

int64_t NumLaunches() { return num_launches; }

void Run(unsigned blocks, unsigned threads,
         const std::function<void()>& kernel) {
  if (threads % kWarpSize != 0) {
    std::fprintf(stderr, "cuda_emulation: blocks of whole warps, not of %u\n",
                 threads);
    std::abort();
  }
  ++num_launches;
  grid_size = {blocks, 1, 1};
  block_size = {threads, 1, 1};
  block.kernel = &kernel;
  for (unsigned i = 0; i < blocks; ++i) {
    const bool descending = thread_order == ThreadOrder::kDescending;
    block_index = {descending ? blocks - 1 - i : i, 0, 0};
    RunBlock(static_cast<int>(threads));
  }
}

void WaitForBlock() { Wait(block.all); }

const uint64_t* ExchangeInWarp(uint64_t value) {
  const int self = block.running;
  Group& warp = block.warps[self / kWarpSize];
  const int turn = warp.turn;
  warp.slots[turn][self % kWarpSize] = value;
  if (static_cast<int>(warp.waiting.size()) + 1 == warp.size) {
    warp.turn = 1 - turn;
  }
  Wait(warp);
  return warp.slots[turn];
}

}  // namespace cuda_emulation
