// onnx2fx plugin SDK: the C++20 wrapper over the extension "onnx2fx.reference/1" of reference.h.
// Header-only; nothing of it crosses the border.
//
//     static void twice(ReferenceCall& c) {
//       const o2fx_tensor& x = c.input(0);
//       const o2fx_tensor y = c.output(0, x.dtype, shape_of(x));
//       ...
//     }
//     static void lower_twice(Node& n) {
//       const Value x = n.input(0);
//       n.outputs(call_reference(n, "acme::twice", {x}, {{n.dtype(x), n.dims(x)}}));
//     }
//     static constexpr o2fx_reference kFunctions[] = {reference<twice>("acme::twice")};
//     static constexpr o2fx_reference_ext kReference = references(kFunctions);
//     ONNX2FX_ENTRY(with_references<kReference>(plugin_table("com.acme.pack", "1.0.0", kOps)))
//
// A function throws Invalid or Unsupported; the text says only what, the host adds the name.
#ifndef ONNX2FX_REFERENCE_HPP_
#define ONNX2FX_REFERENCE_HPP_

#include <onnx2fx/reference.h>

#include <onnx2fx/plugin.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onnx2fx {

// ---- in the lowering ----

/// What a reference function gives: dims that only its data tell are -1.
struct StatedResult {
  int32_t dtype = kUndefined;
  Ints dims;
};
/// A call of one of the pack's own functions; the tensors that it gives, one for each of `results`.
/// options: for the function alone, which gets it as it is.
inline Values call_reference(Node& n, std::string_view name, const Values& inputs,
                             const std::vector<StatedResult>& results,
                             std::string_view options = "") {
  std::vector<o2fx_arg> each;
  Ints ranks, sizes;
  for (const StatedResult& r : results) {
    each.push_back(Arg(Dtype{r.dtype}).raw());
    ranks.push_back(static_cast<int64_t>(r.dims.size()));
    sizes.insert(sizes.end(), r.dims.begin(), r.dims.end());
  }
  o2fx_arg dtypes{};
  dtypes.tag = O2FX_T_LIST;
  dtypes.len = static_cast<uint32_t>(each.size());
  dtypes.u.list = each.data();
  return n.calls(results.size(), "onnx2fx::reference",
                 {name, inputs, options, dtypes, ranks, sizes});
}

// ---- in the function ----

constexpr o2fx_dtype kReferenceFloat = {2, 32, 1}, kReferenceDouble = {2, 64, 1},
                     kReferenceInt64 = {0, 64, 1}, kReferenceBool = {6, 8, 1};
constexpr bool operator==(const o2fx_dtype& a, const o2fx_dtype& b) {
  return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}
inline std::span<const int64_t> shape_of(const o2fx_tensor& t) {
  return {t.shape, static_cast<size_t>(t.ndim)};
}
inline int64_t elements_of(const o2fx_tensor& t) {
  int64_t n = 1;
  for (const int64_t d : shape_of(t)) n *= d;
  return n;
}

/// One call; nothing got through it may be kept longer.
class ReferenceCall {
 public:
  ReferenceCall(const o2fx_reference_host* host, o2fx_ctx ctx, const o2fx_reference_call& call)
      : host_(host), ctx_(ctx), call_(call) {}

  size_t n_inputs() const { return call_.n_inputs; }
  size_t n_outputs() const { return call_.n_outputs; }
  std::string_view options() const { return view(call_.options); }
  /// Null: left out.
  const o2fx_tensor* maybe_input(size_t i) const {
    return i < n_inputs() ? call_.inputs[i] : nullptr;
  }
  const o2fx_tensor& input(size_t i) const {
    const o2fx_tensor* t = maybe_input(i);
    if (!t) throw Invalid("input " + std::to_string(i) + ": expected a tensor, got none");
    return *t;
  }
  /// Memory for one of the results, zeroed.
  o2fx_tensor output(size_t i, o2fx_dtype dtype, std::span<const int64_t> shape) {
    o2fx_tensor t{};
    t.dtype = dtype;
    t.ndim = static_cast<int32_t>(shape.size());
    t.shape = const_cast<int64_t*>(shape.data());
    if (const o2fx_status s = host_->output(ctx_, static_cast<uint32_t>(i), &t)) throw Failed{s};
    return t;
  }
  o2fx_status fail(o2fx_status status, std::string_view text, const char* file = nullptr,
                   uint32_t line = 0) {
    return host_->set_error(ctx_, status, file, static_cast<int32_t>(line), str(text));
  }

 private:
  const o2fx_reference_host* host_;
  o2fx_ctx ctx_;
  const o2fx_reference_call& call_;
};

/// A row of the table for `void f(ReferenceCall&)`; no exception leaves it.
template <auto F>
constexpr o2fx_reference reference(std::string_view name) {
  return {str(name), 0, 0,
          [](const o2fx_reference_host* h, o2fx_ctx c, const o2fx_reference_call* asked,
             const void*) noexcept -> o2fx_status {
            ReferenceCall call(h, c, *asked);
            try {
              F(call);
              return O2FX_OK;
            } catch (const Failed& e) {
              return e.status;
            } catch (const Error& e) {
              return call.fail(e.status, e.what(), e.place.file, e.place.line);
            } catch (const std::bad_alloc&) {
              return call.fail(O2FX_E_NOMEM, "out of memory");
            } catch (const std::exception& e) {
              return call.fail(O2FX_E_INTERNAL, e.what());
            } catch (...) {
              return call.fail(O2FX_E_INTERNAL, "unknown exception");
            }
          },
          nullptr};
}
template <size_t N>
constexpr o2fx_reference_ext references(const o2fx_reference (&functions)[N]) {
  return {sizeof(o2fx_reference_ext), functions, N, sizeof(o2fx_reference)};
}
template <>
inline constexpr const char* kExtensionId<o2fx_reference_ext> = O2FX_EXT_REFERENCE;
/// The same plugin with reference functions beside what it has.
template <const o2fx_reference_ext& References>
o2fx_plugin with_references(o2fx_plugin p) {
  return with_extension<References>(p);
}

}  // namespace onnx2fx

#endif
