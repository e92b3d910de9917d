#include "core/border/call.hpp"

#include <atomic>

#include "core/plugin/in_use.hpp"

namespace onnx2fx::conversion {
namespace {

thread_local std::vector<Call*> stack;
std::atomic<uintptr_t> next_token{16};

}  // namespace

Call::Call(const plugin::Plugin& p, const std::string& doing)
    : plugin(p),
      breadcrumb_(p.library, p.id, p.version, doing),
      token_(reinterpret_cast<o2fx_ctx>(next_token.fetch_add(16))) {
  stack.push_back(this);
}
Call::~Call() { stack.pop_back(); }

Call* Call::active(o2fx_ctx ctx) {
  return !stack.empty() && stack.back()->token_ == ctx ? stack.back() : nullptr;
}
Call* Call::innermost() { return stack.empty() ? nullptr : stack.back(); }

o2fx_status Call::fail(o2fx_status status, std::string text, std::exception_ptr e) {
  error = std::move(text);
  error_status = status;
  error_place.clear();
  thrown = std::move(e);
  absent = false;
  return status;
}

void start(plugin::Plugin& plugin, const std::function<void(Diagnostic)>& warn) {
  plugin::begin_use(plugin, [&] {
    if (!plugin.table->init) return;
    Call call(plugin, "in init");
    if (const o2fx_status s = plugin.table->init(host_api(), call.token()); s != O2FX_OK)
      throw PluginError(
          plugin.library.empty() ? plugin.id : plugin.library,
          "init failed: " + (call.error.empty() ? "status " + std::to_string(s) : call.error));
    for (const Call::Note& n : call.notes)
      if (n.is_warning() && warn) warn({Severity::kWarning, "plugin " + plugin.id, n.text, {}});
  });
}

void log(o2fx_ctx ctx, int32_t level, o2fx_str msg) {
  guarded<Call>(ctx, "", [&](Call& c) {
    static constexpr const char* kLevel[] = {"error", "warning", "info", "debug"};
    c.notes.push_back(
        {kLevel[std::clamp(level, 0, 3)], text_of(msg, "log: message"), std::max(level, 0)});
    return O2FX_OK;
  });
}

o2fx_status set_error(o2fx_ctx ctx, o2fx_status status, const char* file, int32_t line,
                      o2fx_str msg) {
  const o2fx_status s = guarded<Call>(ctx, "", [&](Call& c) {
    if (status >= 0 && status != O2FX_DECLINE)
      throw HostError(
          O2FX_E_INVALID,
          "set_error: status: expected O2FX_DECLINE or one below 0, got " + std::to_string(status));
    const bool absent = c.absent && status == O2FX_E_IO;  // in the plugin's own words
    c.fail(status, text_of(msg, "set_error: message"));
    c.absent = absent;
    if (file && *file)
      c.error_place = std::string(file, strnlen(file, O2FX_MAX_NAME)) + ":" + std::to_string(line);
    return O2FX_OK;
  });
  return s == O2FX_OK ? status : s;
}

void* scratch(o2fx_ctx ctx, uint64_t size, uint64_t align) {
  void* p = nullptr;
  guarded<Call>(ctx, "", [&](Call& c) {
    if (align == 0 || align > 64 || (align & (align - 1)))
      throw HostError(O2FX_E_INVALID, "scratch: align: expected a power of two <= 64");
    p = c.arena.allocate(size, align);
    return O2FX_OK;
  });
  return p;
}

o2fx_status config(o2fx_ctx ctx, o2fx_str* out) {
  return guarded<Call>(ctx, "", [&](Call& c) {
    room(out) = view_of(c.plugin.config);
    return O2FX_OK;
  });
}

}  // namespace onnx2fx::conversion
