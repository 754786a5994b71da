// The command line of every benchmark: --repeats=N and --rows=...
#ifndef TF_SOFTRAS_CC_BENCHMARKS_BENCHMARK_OPTIONS_H_
#define TF_SOFTRAS_CC_BENCHMARKS_BENCHMARK_OPTIONS_H_

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace tf_softras {

// Flushes denormals to zero, as TensorFlow's threads do. Some processors take a
// hundred cycles for each: the silhouette's backward pass was seen to take
// twice as long. Threads that are started later inherit it.
inline void FlushDenormals() {
#if defined(__SSE2__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

struct BenchmarkOptions {
  int repeats;
  std::string rows;  // the names of the rows to print, a letter each
  char once = 0;     // --once=ROW, for programs that take it

  BenchmarkOptions(int repeats, const char* rows)
      : repeats(repeats), rows(rows) {}

  bool has(char row) const { return rows.find(row) != std::string::npos; }

  // Prints a line and returns false for an unknown argument.
  bool Read(int argc, char** argv, bool takes_once = false) {
    const std::string all = rows;
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument.rfind("--repeats=", 0) == 0) {
        repeats = std::max(1, std::atoi(argument.c_str() + 10));
      } else if (argument.rfind("--rows=", 0) == 0) {
        rows = argument.substr(7);
      } else if (takes_once && argument.rfind("--once=", 0) == 0 &&
                 argument.size() == 8) {
        once = argument[7];
      } else {
        std::fprintf(stderr, "expected --repeats=N%s --rows=%s; received %s\n",
                     takes_once ? ", --once=ROW or" : " or", all.c_str(),
                     argv[i]);
        return false;
      }
    }
    return true;
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_BENCHMARKS_BENCHMARK_OPTIONS_H_
