#include "core/border/weight_call.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace onnx2fx::conversion {
namespace {

o2fx_status open_file(o2fx_ctx ctx, o2fx_str location, o2fx_weight_file* out) {
  return guarded<WeightCall>(
      ctx, "open_file: expected the ctx of a source of weights", [&](WeightCall& c) {
        const auto name =
            elements(location.data, location.len, O2FX_MAX_NAME, "open_file: location");
        o2fx_weight_file file{};
        const o2fx_status status = c.open_file(std::string(name.begin(), name.end()), file);
        return status == O2FX_OK ? give(file, out) : status;
      });
}

[[noreturn]] void trap() {
  const Call* c = Call::innermost();
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

const o2fx_weights_host* weights_host() {
  static const Table table = [] {
    Table t{{sizeof(o2fx_weights_host), log, set_error, scratch, open_file}, {}};
    t.guard.fill(trap);
    return t;
  }();
  return &table.api;
}

}  // namespace onnx2fx::conversion
