#include "core/border/weight_call.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace onnx2fx::plugin {
namespace {

// A token is a number, never an address: one that outlives its callback is recognised, not
// followed. Odd, so that it is no token of a lowering.
thread_local std::vector<WeightCall*> stack;
std::atomic<uintptr_t> next_token{17};

std::string text_of(o2fx_str s) { return s.data ? std::string(s.data, s.len) : std::string(); }

/// Runs f on the active call; exceptions become a status and are kept.
template <class F>
o2fx_status guarded(o2fx_ctx ctx, F f) noexcept {
  WeightCall* call = WeightCall::active(ctx);
  if (!call) {
    if (WeightCall* inner = WeightCall::innermost())
      inner->fail(O2FX_E_INVALID, "a ctx was used outside its callback");
    return O2FX_E_INVALID;
  }
  try {
    return f(*call);
  } catch (const std::bad_alloc&) {
    return call->fail(O2FX_E_NOMEM, "out of memory");
  } catch (const std::exception& e) {
    call->fail(O2FX_E_IO, e.what());
    call->host_error = std::current_exception();
    return O2FX_E_IO;
  }
}

void log(o2fx_ctx ctx, int32_t level, o2fx_str msg) {
  guarded(ctx, [&](WeightCall& c) {
    c.notes.emplace_back(level, text_of(msg));
    return O2FX_OK;
  });
}

o2fx_status set_error(o2fx_ctx ctx, o2fx_status status, const char*, int32_t, o2fx_str msg) {
  guarded(ctx, [&](WeightCall& c) { return c.fail(status, text_of(msg)); });
  return status;
}

void* scratch(o2fx_ctx ctx, uint64_t size, uint64_t align) {
  void* p = nullptr;
  guarded(ctx, [&](WeightCall& c) {
    if (align == 0 || align > 64 || (align & (align - 1)))
      return c.fail(O2FX_E_INVALID, "scratch: align: expected a power of two <= 64");
    p = c.scratch(size, align);
    return O2FX_OK;
  });
  return p;
}

o2fx_status open_file(o2fx_ctx ctx, o2fx_str location, o2fx_weight_file* out) {
  return guarded(ctx, [&](WeightCall& c) {
    constexpr uint64_t kLongest = 4096;
    if (!out || out->struct_size < sizeof(uint64_t) || out->struct_size > 65536)
      return c.fail(O2FX_E_INVALID, "open_file: expected a struct with its struct_size, got none");
    if (!location.data || location.len > kLongest)
      return c.fail(O2FX_E_INVALID, "open_file: expected a location, got none");
    o2fx_weight_file file{};
    const o2fx_status status = c.open_file(text_of(location), file);
    if (status != O2FX_OK) return status;
    const uint64_t size = out->struct_size;
    std::memcpy(out, &file, std::min<uint64_t>(size, sizeof file));
    out->struct_size = size;
    return O2FX_OK;
  });
}

[[noreturn]] void trap() {
  const WeightCall* c = WeightCall::innermost();
  std::fprintf(stderr,
               "onnx2fx: plugin '%s' called a slot of o2fx_weights_host that is newer than this "
               "host's minor %u\n",
               c ? c->plugin.id.c_str() : "?", O2FX_ABI_MINOR);
  std::abort();
}

struct Table {
  o2fx_weights_host api;
  std::array<void (*)(), 64> guard;
};

}  // namespace

WeightCall::WeightCall(const Plugin& p, OpenFile open)
    : plugin(p),
      open_file(std::move(open)),
      token_(reinterpret_cast<o2fx_ctx>(next_token.fetch_add(16))) {
  stack.push_back(this);
}

WeightCall::~WeightCall() { stack.pop_back(); }

WeightCall* WeightCall::active(o2fx_ctx ctx) {
  return !stack.empty() && stack.back()->token_ == ctx ? stack.back() : nullptr;
}
WeightCall* WeightCall::innermost() { return stack.empty() ? nullptr : stack.back(); }

o2fx_status WeightCall::fail(o2fx_status status, std::string text) {
  error = std::move(text);
  error_status = status;
  host_error = nullptr;
  return status;
}

void* WeightCall::scratch(uint64_t size, uint64_t align) {
  if (size > (uint64_t{1} << 40)) return nullptr;
  blocks_.push_back(std::make_unique<char[]>(size + align));
  char* p = blocks_.back().get();
  return p + (align - reinterpret_cast<uintptr_t>(p) % align) % align;
}

const o2fx_weights_host* weights_host() {
  static const Table table = [] {
    Table t{{sizeof(o2fx_weights_host), log, set_error, scratch, open_file}, {}};
    t.guard.fill(trap);
    return t;
  }();
  return &table.api;
}

}  // namespace onnx2fx::plugin
