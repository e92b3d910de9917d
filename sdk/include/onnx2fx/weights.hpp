// onnx2fx plugin SDK: the C++20 wrapper over the extension "onnx2fx.weights/1" of plugin.h. Header
// only; nothing of it crosses the border.
//
//     class Store final : public WeightSource {
//       Found find(WeightsHost&, const o2fx_weight& want) override {...}
//     };
//     static std::unique_ptr<WeightSource> open(WeightsHost&, const o2fx_weight_source& s) {...}
//
//     static constexpr o2fx_weight_scheme kSchemes[] = {scheme("npz")};
//     static constexpr o2fx_weights_ext kWeights = weights<open>(kSchemes);
//     ONNX2FX_WEIGHTS_PLUGIN("com.acme.npz", "1.0.0", kWeights)
//
// Functions throw Invalid (the file or the rule's options are wrong) or Unsupported; the text says
// only what, the host adds source and tensor.
#ifndef ONNX2FX_WEIGHTS_HPP_
#define ONNX2FX_WEIGHTS_HPP_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <onnx2fx/plugin.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace onnx2fx {

/// The host's side of one callback; nothing got through it may be kept longer, files excepted.
class WeightsHost {
 public:
  WeightsHost(const o2fx_weights_host* host, o2fx_ctx ctx) : host_(host), ctx_(ctx) {}

  /// Another file of the source, relative to the folder of its first; nullopt: there is none.
  std::optional<o2fx_weight_file> open(std::string_view location) {
    o2fx_weight_file file{};
    file.struct_size = sizeof file;
    const o2fx_status status = host_->open_file(ctx_, str(location), &file);
    if (status < 0) throw Failed{status};
    return status == O2FX_OK ? std::optional(file) : std::nullopt;
  }
  void warn(std::string_view text) { host_->log(ctx_, 1, str(text)); }
  o2fx_status fail(o2fx_status status, std::string_view text, const char* file = nullptr,
                   uint32_t line = 0) {
    return host_->set_error(ctx_, status, file, static_cast<int32_t>(line), str(text));
  }

 private:
  const o2fx_weights_host* host_;
  o2fx_ctx ctx_;
};

/// The answer of find().
struct Found {
  o2fx_status status = O2FX_OK;
  o2fx_weight_answer answer{};

  /// Nothing of that name.
  static Found absent() { return {O2FX_ABSENT, {}}; }
  /// Nothing for tensors of this kind.
  static Found declined() { return {O2FX_DECLINE, {}}; }
  static Found meta() { return of_kind(O2FX_WEIGHT_META); }
  /// The model's own.
  static Found own() { return of_kind(O2FX_WEIGHT_OWN); }
  /// read() gives the bytes.
  static Found to_read() { return of_kind(O2FX_WEIGHT_READ); }
  static Found range(uint32_t file, uint64_t offset, uint64_t length) {
    Found f = of_kind(O2FX_WEIGHT_RANGE);
    f.answer.file = file;
    f.answer.offset = offset;
    f.answer.length = length;
    return f;
  }
  /// What the source holds; the host compares. `dims` lives as long as the source.
  Found typed(int32_t dtype, std::span<const int64_t> dims) && {
    answer.dtype = dtype;
    answer.rank = static_cast<int32_t>(dims.size());
    answer.dims = dims.data();
    return *this;
  }

 private:
  static Found of_kind(uint32_t kind) {
    Found f;
    f.answer.kind = kind;
    return f;
  }
};

class WeightSource {
 public:
  WeightSource() = default;
  virtual ~WeightSource() = default;
  WeightSource(const WeightSource&) = delete;
  WeightSource& operator=(const WeightSource&) = delete;

  virtual Found find(WeightsHost& host, const o2fx_weight& want) = 0;
  /// Fills want.size bytes; only after find() answered to_read().
  virtual void read(WeightsHost&, const o2fx_weight&, void*) {
    throw Unsupported("this source reads nothing into memory");
  }
  /// The index-th tensor that it holds, if it knows; lives as long as the source.
  virtual std::optional<std::string_view> name(uint64_t) { return std::nullopt; }
};

using OpenWeights = std::unique_ptr<WeightSource> (*)(WeightsHost&, const o2fx_weight_source&);

// ---- the border ----

/// Runs f(WeightsHost&) -> status; no exception leaves.
template <class F>
o2fx_status weights_trampoline(const o2fx_weights_host* h, o2fx_ctx c, F f) noexcept {
  WeightsHost host(h, c);
  try {
    return f(host);
  } catch (const Failed& e) {
    return e.status;
  } catch (const Error& e) {
    return host.fail(e.status, e.what(), e.place.file, e.place.line);
  } catch (const std::bad_alloc&) {
    return host.fail(O2FX_E_NOMEM, "out of memory");
  } catch (const std::exception& e) {
    return host.fail(O2FX_E_INTERNAL, e.what());
  } catch (...) {
    return host.fail(O2FX_E_INTERNAL, "unknown exception");
  }
}

constexpr o2fx_weight_scheme scheme(std::string_view name, const o2fx_str* suffixes = nullptr,
                                    uint32_t n_suffixes = 0) {
  return {str(name), suffixes, n_suffixes, 0};
}
/// One that reads no file.
constexpr o2fx_weight_scheme scheme_without_file(std::string_view name) {
  return {str(name), nullptr, 0, O2FX_SCHEME_WITHOUT_FILE};
}

template <OpenWeights Open, size_t N>
constexpr o2fx_weights_ext weights(const o2fx_weight_scheme (&schemes)[N]) {
  o2fx_weights_ext e{};
  e.struct_size = sizeof e;
  e.schemes = schemes;
  e.n_schemes = N;
  e.open = [](const o2fx_weights_host* h, o2fx_ctx c, const o2fx_weight_source* asked,
              void** source) {
    return weights_trampoline(h, c, [&](WeightsHost& host) {
      *source = Open(host, *asked).release();
      return O2FX_OK;
    });
  };
  e.close = [](void* source) { delete static_cast<WeightSource*>(source); };
  e.list = [](const o2fx_weights_host* h, o2fx_ctx c, void* source, uint64_t index,
              o2fx_weight* out) {
    return weights_trampoline(h, c, [&](WeightsHost&) -> o2fx_status {
      const auto name = static_cast<WeightSource*>(source)->name(index);
      if (!name) return O2FX_ABSENT;
      out->name = str(*name);
      return O2FX_OK;
    });
  };
  e.find = [](const o2fx_weights_host* h, o2fx_ctx c, void* source, const o2fx_weight* want,
              o2fx_weight_answer* out) {
    return weights_trampoline(h, c, [&](WeightsHost& host) {
      const Found found = static_cast<WeightSource*>(source)->find(host, *want);
      const uint64_t size = out->struct_size;  // of an older host: less than this header knows
      std::memcpy(out, &found.answer, std::min<uint64_t>(size, sizeof found.answer));
      out->struct_size = size;
      return found.status;
    });
  };
  e.read = [](const o2fx_weights_host* h, o2fx_ctx c, void* source, const o2fx_weight* want,
              void* to) {
    return weights_trampoline(h, c, [&](WeightsHost& host) {
      static_cast<WeightSource*>(source)->read(host, *want, to);
      return O2FX_OK;
    });
  };
  return e;
}

template <>
inline constexpr const char* kExtensionId<o2fx_weights_ext> = O2FX_EXT_WEIGHTS;

/// The same plugin with sources of weights beside what it has.
template <const o2fx_weights_ext& Weights>
o2fx_plugin with_weights(o2fx_plugin p) {
  return with_extension<Weights>(p);
}
/// The table of a plugin that has sources and no operators.
template <const o2fx_weights_ext& Weights>
o2fx_plugin weights_plugin(std::string_view id, std::string_view version) {
  return with_weights<Weights>(plugin_table(id, version, nullptr, 0));
}

}  // namespace onnx2fx

/// Defines the plugin's only exported symbol.
#define ONNX2FX_WEIGHTS_PLUGIN(id, version, weights) \
  ONNX2FX_ENTRY(weights_plugin<weights>(id, version))

#endif
