#include "core/border/lowering.hpp"

#include <atomic>

namespace onnx2fx::conversion {
namespace {

// A token is a number, never an address: one that outlives its callback is recognised, not
// followed.
thread_local std::vector<Lowering*> stack;
std::atomic<uintptr_t> next_token{16};

}  // namespace

void* Arena::allocate(uint64_t size, uint64_t align) {
  if (size > (uint64_t{1} << 40)) return nullptr;
  uint64_t skip = at_ ? (align - reinterpret_cast<uintptr_t>(at_) % align) % align : 0;
  if (!at_ || skip + size > left_) {
    const uint64_t block = std::max<uint64_t>(4096, size + align);
    blocks_.push_back(std::make_unique<char[]>(block));
    at_ = blocks_.back().get();
    left_ = block;
    skip = (align - reinterpret_cast<uintptr_t>(at_) % align) % align;
  }
  char* p = at_ + skip;
  at_ += skip + size;
  left_ -= skip + size;
  return p;
}

o2fx_str Arena::copy(const std::string& s) {
  char* p = array<char>(s.size() + 1);
  std::copy(s.begin(), s.end(), p);
  return {p, s.size()};
}

Lowering::Lowering(Converter& c, const plugin::Plugin& p, const NodeView* n, Scope* s)
    : converter(c), plugin(p), node(n), scope(s), base_depth(c.builder.depth()) {
  token_ = reinterpret_cast<o2fx_ctx>(next_token.fetch_add(16));
  if (node) {
    input_read.resize(node->inputs.size());
    outputs.resize(static_cast<size_t>(node->proto.output_size()));
  }
  stack.push_back(this);
}

Lowering::~Lowering() { stack.pop_back(); }

Lowering* Lowering::active(o2fx_ctx ctx) {
  return !stack.empty() && stack.back()->token_ == ctx ? stack.back() : nullptr;
}
Lowering* Lowering::innermost() { return stack.empty() ? nullptr : stack.back(); }

o2fx_status Lowering::fail(o2fx_status status, const std::string& text) {
  error = text;
  error_status = status;
  error_place.clear();
  absent = false;
  return status;
}

}  // namespace onnx2fx::conversion
