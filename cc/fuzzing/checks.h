// Checks the properties that must hold for every scene. They use no test
// framework, because a fuzzer and a unit test share them.
#ifndef TF_SOFTRAS_CC_FUZZING_CHECKS_H_
#define TF_SOFTRAS_CC_FUZZING_CHECKS_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace tf_softras {

// Decodes the bytes into a scene (scene.h), rasterises it softly and hard, in
// float and in double, forward and backward, and compares with brute force.
// Returns what does not hold, or an empty string.
std::string CheckScene(const uint8_t* data, size_t size);

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_FUZZING_CHECKS_H_
