// The entry point of libFuzzer: `make fuzz`.
#include <cstdio>
#include <cstdlib>

#include "cc/fuzzing/checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string message = tf_softras::CheckScene(data, size);
  if (!message.empty()) {
    std::fprintf(stderr, "== %s\n", message.c_str());
    std::abort();
  }
  return 0;
}
