// Makes scenes from bytes. Every string of bytes is a scene that the kernels
// must accept, and a small change of the bytes is a small change of the scene.
#ifndef TF_SOFTRAS_CC_FUZZING_SCENE_H_
#define TF_SOFTRAS_CC_FUZZING_SCENE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "cc/geometry/image_plane.h"

namespace tf_softras {

// Reads values from bytes. Zeros follow the last byte.
class ByteReader {
 public:
  ByteReader(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  template <typename Value>
  Value Take() {
    Value value = 0;
    const size_t count = std::min(sizeof value, size_);
    if (count == 0) return value;  // memcpy must not see a null pointer
    std::memcpy(&value, data_, count);
    data_ += count;
    size_ -= count;
    return value;
  }

  // In [low, high].
  int64_t TakeBetween(int64_t low, int64_t high) {
    return low + Take<uint8_t>() % (high - low + 1);
  }

  // The bits of the next bytes; 0 for NaN and infinity.
  template <typename T>
  T TakeBits() {
    const T value = Take<T>();
    return std::isfinite(value) ? value : T(0);
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

template <typename T>
struct FuzzScene {
  int64_t batch, num_vertices, num_faces, height, width;
  T sigma;
  float near;
  std::vector<T> vertices;
  std::vector<int32_t> faces;
  std::vector<T> upstream;

  FuzzScene(const uint8_t* data, size_t size) {
    ByteReader bytes(data, size);
    batch = bytes.TakeBetween(1, 2);
    height = bytes.TakeBetween(1, 40);
    width = bytes.TakeBetween(1, 40);
    num_vertices = bytes.TakeBetween(1, 24);
    num_faces = bytes.TakeBetween(0, 24);
    // Enough faces for several stretches of a sum, where the image is small.
    const int64_t copies = bytes.TakeBetween(0, 7) == 7 ? 60 : 1;
    TakeSigma(bytes);
    TakeNear(bytes);
    const int64_t kind_of_upstream = bytes.TakeBetween(0, 2);
    TakeVertices(bytes);
    TakeFaces(bytes, height * width <= 64 ? copies : 1);
    for (int64_t i = 0; i < batch * height * width; ++i) {
      // All pixels, a few, or one.
      const bool counts = kind_of_upstream == 0 ||
                          (kind_of_upstream == 1 ? i % 7 == 3 : i == 0);
      upstream.push_back(static_cast<T>(
          counts ? std::sin(static_cast<double>(3 * i + 1)) : 0.0));
    }
  }

  int64_t pixels() const { return batch * height * width; }

  // Whether docs/architecture.md promises bounds for this scene.
  bool IsWithinThePromise() const {
    const auto is_near = [](T x) { return std::fabs(x) <= T(2); };
    return sigma >= T(1e-7) && sigma <= T(1) &&
           std::all_of(vertices.begin(), vertices.end(), is_near);
  }

 private:
  void TakeSigma(ByteReader& bytes) {
    if (bytes.TakeBetween(0, 7) == 7) {
      const T bits = std::fabs(bytes.TakeBits<T>());
      sigma = bits > T(0) ? bits : std::numeric_limits<T>::min();
    } else {
      const double fraction = bytes.Take<uint16_t>() / 65535.0;
      sigma = static_cast<T>(std::pow(10.0, -7.0 * fraction));
    }
  }

  void TakeNear(ByteReader& bytes) {
    const int64_t kind = bytes.TakeBetween(0, 7);
    near = kind == 7 ? bytes.TakeBits<float>() : kind == 6 ? 0.5f : 0.0f;
  }

  T TakeCoordinate(ByteReader& bytes, int axis) {
    constexpr T kSpecial[] = {T(0),
                              T(-0.0),
                              std::numeric_limits<T>::denorm_min(),
                              std::numeric_limits<T>::min(),
                              std::numeric_limits<T>::epsilon(),
                              T(1),
                              T(-1),
                              T(1e9),
                              T(-1e9),
                              T(1e18),
                              T(1e30),
                              T(1e-18),
                              std::numeric_limits<T>::max(),
                              std::numeric_limits<T>::lowest()};
    const int64_t kind = bytes.TakeBetween(0, 15);
    const int64_t count = static_cast<int64_t>(vertices.size());
    const bool has_earlier = count >= 3;
    const T earlier = has_earlier ? vertices[count - 3] : T(0);
    if (kind < 8) {
      return static_cast<T>(bytes.Take<int16_t>() / 16384.0);
    } else if (kind < 10) {  // a pixel centre
      const ImagePlane plane = {height, width};
      const double pixel = static_cast<double>(bytes.Take<int8_t>());
      return std::max(
          T(-2), std::min(T(2), static_cast<T>(axis == 0 ? plane.x(pixel)
                                                         : plane.y(pixel))));
    } else if (kind == 10) {
      return earlier;
    } else if (kind < 14) {  // a hair beside the vertex before: slivers
      const double hair = std::pow(10.0, -static_cast<double>(kind - 8) * 2);
      return static_cast<T>(static_cast<double>(earlier) +
                            hair * bytes.Take<int8_t>() / 128.0);
    } else if (kind == 14) {
      return kSpecial[bytes.TakeBetween(
          0, static_cast<int64_t>(std::size(kSpecial)) - 1)];
    }
    return bytes.TakeBits<T>();
  }

  T TakeDepth(ByteReader& bytes) {
    const int64_t kind = bytes.TakeBetween(0, 15);
    if (kind < 10) return T(1);
    if (kind < 13) return static_cast<T>(bytes.Take<uint8_t>() / 128.0);
    if (kind == 13) return static_cast<T>(near);
    if (kind == 14) return static_cast<T>(bytes.Take<int8_t>());
    return bytes.TakeBits<T>();
  }

  void TakeVertices(ByteReader& bytes) {
    for (int64_t i = 0; i < batch * num_vertices; ++i) {
      const T x = TakeCoordinate(bytes, 0);
      vertices.push_back(x);
      // At this point, the same coordinate of the vertex before is three back.
      vertices.push_back(TakeCoordinate(bytes, 1));
      vertices.push_back(TakeDepth(bytes));
    }
  }

  void TakeFaces(ByteReader& bytes, int64_t copies) {
    for (int64_t i = 0; i < 3 * num_faces; ++i) {
      faces.push_back(
          static_cast<int32_t>(bytes.TakeBetween(0, num_vertices - 1)));
    }
    const std::vector<int32_t> once = faces;
    for (int64_t copy = 1; copy < copies; ++copy) {
      faces.insert(faces.end(), once.begin(), once.end());
    }
    num_faces *= copies;
  }
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_FUZZING_SCENE_H_
