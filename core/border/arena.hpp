// Memory that lives until a callback returns.
#ifndef ONNX2FX_CORE_BORDER_ARENA_HPP_
#define ONNX2FX_CORE_BORDER_ARENA_HPP_

#include <onnx2fx/plugin.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace onnx2fx::conversion {

class Arena {
 public:
  /// align: a power of two. Null: more than 1 TiB.
  void* allocate(uint64_t size, uint64_t align) {
    if (size > (uint64_t{1} << 40)) return nullptr;
    uint64_t skip = at_ ? padding(align) : 0;
    if (!at_ || skip + size > left_) {
      const uint64_t block = std::max<uint64_t>(4096, size + align);
      blocks_.push_back(std::make_unique<char[]>(block));
      at_ = blocks_.back().get();
      left_ = block;
      skip = padding(align);
    }
    char* p = at_ + skip;
    at_ += skip + size;
    left_ -= skip + size;
    return p;
  }
  template <class T>
  T* array(size_t n) {
    return static_cast<T*>(allocate(n * sizeof(T), alignof(T)));
  }
  o2fx_str copy(const std::string& s) {
    char* p = array<char>(s.size() + 1);
    std::copy(s.begin(), s.end(), p);
    return {p, s.size()};
  }

 private:
  uint64_t padding(uint64_t align) const {
    return (align - reinterpret_cast<uintptr_t>(at_) % align) % align;
  }
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  uint64_t left_ = 0;
};

}  // namespace onnx2fx::conversion

#endif
