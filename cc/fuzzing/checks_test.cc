// The fuzzer's checks as a unit test, on the kernels as they are shipped:
// compiled by GCC, with a clone for each instruction set.
#include "cc/fuzzing/checks.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace tf_softras {
namespace {

std::string Hex(const std::vector<uint8_t>& bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte / 16];
    text += kDigits[byte % 16];
  }
  return text;
}

// The bytes of a line of seeds.txt; none for a comment.
std::vector<uint8_t> FromHex(const std::string& line) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < line.size() && line[i] != '#'; i += 2) {
    bytes.push_back(
        static_cast<uint8_t>(std::stoi(line.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Checks the scenes of a file, and returns how many there were.
int CheckFile(const char* name) {
  std::ifstream file(name);
  int scenes = 0;
  for (std::string line; std::getline(file, line);) {
    const std::vector<uint8_t> bytes = FromHex(line);
    if (bytes.empty()) continue;
    ++scenes;
    EXPECT_EQ(CheckScene(bytes.data(), bytes.size()), "") << line;
  }
  return scenes;
}

TEST(ChecksTest, HoldForTheSeeds) {
  EXPECT_GT(CheckFile("cc/fuzzing/seeds.txt"), 10);
}

// `make fuzz` names the corpus that its fuzzer found.
TEST(ChecksTest, HoldForTheCorpus) {
  const char* corpus = std::getenv("TF_SOFTRAS_FUZZ_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "TF_SOFTRAS_FUZZ_CORPUS is not set";
  EXPECT_GT(CheckFile(corpus), 10);
}

// Set TF_SOFTRAS_FUZZ_SCENES=1000000 for more of them.
TEST(ChecksTest, HoldForRandomScenes) {
  const char* scenes = std::getenv("TF_SOFTRAS_FUZZ_SCENES");
  const char* seed = std::getenv("TF_SOFTRAS_FUZZ_SEED");
  std::mt19937 random(seed == nullptr ? 0 : std::atoi(seed));
  for (int i = scenes == nullptr ? 200 : std::atoi(scenes); i > 0; --i) {
    std::vector<uint8_t> bytes(random() % 512);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    ASSERT_EQ(CheckScene(bytes.data(), bytes.size()), "") << Hex(bytes);
  }
}

}  // namespace
}  // namespace tf_softras
