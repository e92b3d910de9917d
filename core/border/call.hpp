// One call into a plugin: the state behind an o2fx_ctx. What every call has stands here, for
// lowerings and sources of weights alike: its token, the guard around the host's own functions,
// scratch memory, the error, and the policy for addresses that a plugin hands over.
#ifndef ONNX2FX_CORE_BORDER_CALL_HPP_
#define ONNX2FX_CORE_BORDER_CALL_HPP_

#include <onnx2fx/plugin.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <functional>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/border/arena.hpp"
#include "core/plugin/breadcrumb.hpp"
#include "core/plugin/registry.hpp"
#include "core/shapes/host_error.hpp"

namespace onnx2fx::conversion {

class Call {
 public:
  /// doing: see plugin::Breadcrumb.
  Call(const plugin::Plugin& plugin, const std::string& doing);
  virtual ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// A number, never an address: one that outlives its callback is recognised, not followed.
  o2fx_ctx token() const { return token_; }
  /// The call that may be used with this ctx now: the innermost one of this thread, and only with
  /// its own token. Null: a ctx kept after its callback, of another thread, or of an outer call.
  static Call* active(o2fx_ctx ctx);
  static Call* innermost();

  /// Stores the text that belongs to `status`, which it returns. thrown: by the host itself inside
  /// the callback, kept to go on outside.
  o2fx_status fail(o2fx_status status, std::string text, std::exception_ptr thrown = nullptr);

  const plugin::Plugin& plugin;
  Arena arena;
  std::string error, error_place;
  o2fx_status error_status = O2FX_OK;
  std::exception_ptr thrown;  ///< by the host, if that is the latest error
  bool absent = false;  ///< the latest error is for want of a value that lies in a missing file
  struct Note {
    std::string key, text;
    int32_t level = 2;  ///< of log(); annotations are 2, information
    bool is_warning() const { return level <= 1; }
  };
  std::vector<Note> notes;  ///< of log() the key is the level's name

 private:
  const plugin::Breadcrumb breadcrumb_;
  o2fx_ctx token_;
};

/// The table that lower() and init() get, guard slots behind it.
const o2fx_host_api* host_api();

/// Before the first use of a plugin by a registry: its init(). warn: gets what it logs. Throws
/// PluginError if that fails.
void start(plugin::Plugin& plugin, const std::function<void(Diagnostic)>& warn);

/// Runs f on the active call, which must be a `T`; exceptions become a status and a stored text.
/// `wrong_kind`: the text where the active call is another kind.
template <class T, class F>
o2fx_status guarded(o2fx_ctx ctx, const char* wrong_kind, F f) noexcept {
  Call* call = Call::active(ctx);
  if (!call) {
    if (Call* inner = Call::innermost())
      inner->fail(O2FX_E_INVALID,
                  "a ctx was used outside its callback, or while a nested lowering runs");
    return O2FX_E_INVALID;
  }
  T* expected = dynamic_cast<T*>(call);
  if (!expected) return call->fail(O2FX_E_INVALID, wrong_kind);
  try {
    return f(*expected);
  } catch (const HostError& e) {
    return call->fail(e.status, e.what());
  } catch (const ConversionError& e) {
    const Diagnostic* first = e.diagnostics.empty() ? nullptr : &e.diagnostics[0];
    const std::string text = first ? (first->where.empty() ? "" : first->where + ": ") + first->what
                                   : std::string(e.what());
    return call->fail(O2FX_E_IO, text, std::current_exception());
  } catch (const std::bad_alloc&) {
    return call->fail(O2FX_E_NOMEM, "out of memory");
  } catch (const std::exception& e) {
    return call->fail(O2FX_E_INTERNAL, std::string("the host failed: ") + e.what());
  }
}

// ---- addresses and lengths that a plugin hands over ----

/// Where the answer goes: refuses NULL.
template <class T>
T& room(T* out) {
  if (!out) throw HostError(O2FX_E_INVALID, "out-parameter: expected an address, got NULL");
  return *out;
}
/// Copies `from` into *to, as far as the caller's struct_size says that there is room, and lowers
/// that to what is filled: a caller of a newer minor sees which fields this host knows.
template <class T>
o2fx_status give(const T& from, T* to) {
  const uint64_t size = room(to).struct_size;
  if (size < sizeof(uint64_t) || size > O2FX_MAX_STRUCT)
    throw HostError(O2FX_E_INVALID, "struct_size: expected 8 to " +
                                        std::to_string(O2FX_MAX_STRUCT) + ", got " +
                                        std::to_string(size));
  const uint64_t filled = std::min<uint64_t>(size, sizeof from);
  std::memcpy(to, &from, filled);
  to->struct_size = filled;
  return O2FX_OK;
}
/// n elements at `data`: refuses more than `most`, and NULL where there are some.
template <class T>
std::span<const T> elements(const T* data, uint64_t n, uint64_t most, const char* what) {
  const char* unit = sizeof(T) == 1 ? " bytes" : " elements";
  if (n > most)
    throw HostError(O2FX_E_INVALID, std::string(what) + ": expected at most " +
                                        std::to_string(most) + unit + ", got " + std::to_string(n));
  if (n && !data)
    throw HostError(O2FX_E_INVALID,
                    std::string(what) + ": expected " + std::to_string(n) + unit + ", got NULL");
  return {data, static_cast<size_t>(n)};
}
inline std::string text_of(o2fx_str s, const char* what) {
  const auto bytes = elements(s.data, s.len, O2FX_MAX_TEXT, what);
  return {bytes.begin(), bytes.end()};
}
inline o2fx_str view_of(const std::string& s) { return {s.data(), s.size()}; }

// ---- slots of every host table ----

void log(o2fx_ctx ctx, int32_t level, o2fx_str msg);
o2fx_status set_error(o2fx_ctx ctx, o2fx_status status, const char* file, int32_t line,
                      o2fx_str msg);
void* scratch(o2fx_ctx ctx, uint64_t size, uint64_t align);
o2fx_status config(o2fx_ctx ctx, o2fx_str* out);

}  // namespace onnx2fx::conversion

#endif
