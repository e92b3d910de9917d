// A fuzzer's input as a stream of choices; past its end every choice is the first.
#ifndef ONNX2FX_TESTS_FUZZ_BYTES_HPP_
#define ONNX2FX_TESTS_FUZZ_BYTES_HPP_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace onnx2fx::fuzz {

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : left_(data, size) {}

  bool empty() const { return left_.empty(); }
  uint8_t byte() {
    if (left_.empty()) return 0;
    const uint8_t b = left_[0];
    left_ = left_.subspan(1);
    return b;
  }
  /// 0 to n - 1.
  size_t below(size_t n) { return n < 2 ? 0 : byte() % n; }
  bool chance(int percent) { return static_cast<int>(below(100)) >= 100 - percent; }
  template <class T, size_t N>
  const T& one_of(const T (&all)[N]) {
    return all[below(N)];
  }
  /// Mostly small; now and then where arithmetic ends.
  int64_t integer() {
    static constexpr int64_t kEdges[] = {
        INT64_MAX, INT64_MIN, INT64_MAX - 1,    INT64_MIN + 1, INT32_MAX,
        INT32_MIN, 65536,     int64_t{1} << 31, -1000000,      int64_t{1} << 62};
    const uint8_t b = byte();
    if (b < 224) return static_cast<int64_t>(b % 16) - 5;
    if (b < 250) return kEdges[b % std::size(kEdges)];
    uint64_t all = 0;
    for (int i = 0; i < 8; i++) all = all << 8 | byte();
    return static_cast<int64_t>(all);
  }
  std::string text(size_t longest) {
    std::string s;
    for (size_t n = below(longest + 1); n > 0; n--) s += static_cast<char>(byte());
    return s;
  }
  std::string rest() {
    std::string s(reinterpret_cast<const char*>(left_.data()), left_.size());
    left_ = {};
    return s;
  }

 private:
  std::span<const uint8_t> left_;
};

}  // namespace onnx2fx::fuzz

#endif
