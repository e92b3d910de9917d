// Reference functions, most of which do what they may not: com.acme::Call <function> (x...) calls
// acme::FUNCTION, which gives a tensor of the type of the first x.
#include <cstdlib>
#include <onnx2fx/reference.hpp>
#include <string>

using namespace onnx2fx;

static o2fx_tensor like(ReferenceCall& c, o2fx_dtype dtype, std::span<const int64_t> shape) {
  return c.output(0, dtype, shape);
}
static void copy(ReferenceCall& c) {
  const o2fx_tensor& x = c.input(0);
  const o2fx_tensor y = like(c, x.dtype, shape_of(x));
  const size_t n = static_cast<size_t>(elements_of(x)) * x.dtype.bits / 8;
  std::memcpy(y.data, x.data, n);
}
/// How many inputs are there, of which kind, and what the options say.
static void count(ReferenceCall& c) {
  const int64_t shape[] = {2};
  const o2fx_tensor y = c.output(0, kReferenceFloat, shape);
  auto* to = static_cast<float*>(y.data);
  for (size_t i = 0; i < c.n_inputs(); i++) to[0] += c.maybe_input(i) ? 1 : 0.5F;
  to[1] = std::stof("0" + std::string(c.options()));
}
/// Only the data tell how many.
static void positive(ReferenceCall& c) {
  const o2fx_tensor& x = c.input(0);
  const auto* from = static_cast<const float*>(x.data);
  int64_t n = 0;
  for (int64_t i = 0; i < elements_of(x); i++) n += from[i] > 0;
  auto* to = static_cast<float*>(c.output(0, x.dtype, {&n, 1}).data);
  for (int64_t i = 0; i < elements_of(x); i++)
    if (from[i] > 0) *to++ = from[i];
}
static void refuse(ReferenceCall&) { throw Unsupported("x: expected a better one"); }
static void nothing(ReferenceCall&) {}
static void twice(ReferenceCall& c) {
  copy(c);
  copy(c);
}
static void longer(ReferenceCall& c) {
  const int64_t shape[] = {7};
  like(c, c.input(0).dtype, shape);
}
static void wider(ReferenceCall& c) { like(c, kReferenceDouble, shape_of(c.input(0))); }
static void beyond(ReferenceCall& c) { c.output(1, kReferenceFloat, shape_of(c.input(0))); }
static void throws(ReferenceCall&) { throw 7; }
static void crashes(ReferenceCall&) { std::abort(); }
static void ends(ReferenceCall&) { std::exit(0); }
static o2fx_status mute(const o2fx_reference_host*, o2fx_ctx, const o2fx_reference_call*,
                        const void*) {
  return -3;
}
static o2fx_status cheerful(const o2fx_reference_host* host, o2fx_ctx ctx,
                            const o2fx_reference_call*, const void*) {
  return host->set_error(ctx, O2FX_OK, nullptr, 0, str("all is well"));
}

static void call(Node& n) {
  const std::string function = "acme::" + n.text("function");
  Values inputs;
  for (size_t i = 0; i < n.n_inputs(); i++) inputs.push_back(n.maybe_input(i));
  StatedResult result{kFloat, {Int(2)}};
  if (function == "acme::positive") result = {kFloat, {Int(-1)}};
  if (function != "acme::positive" && function != "acme::count")
    result = {n.dtype(inputs[0]), n.dims(inputs[0])};
  n.outputs(call_reference(n, function, inputs, {result}, n.text("options", "")));
}

static constexpr o2fx_op kOps[] = {op("Call", 1, lower<call>, 0, "com.acme")};
static constexpr o2fx_reference kFunctions[] = {
    reference<copy>("acme::copy"),
    reference<count>("acme::count"),
    reference<positive>("acme::positive"),
    reference<refuse>("acme::refuse"),
    reference<nothing>("acme::nothing"),
    reference<twice>("acme::twice"),
    reference<longer>("acme::longer"),
    reference<wider>("acme::wider"),
    reference<beyond>("acme::beyond"),
    reference<throws>("acme::throws"),
    reference<crashes>("acme::crashes"),
    reference<ends>("acme::ends"),
    {O2FX_STR("acme::mute"), 0, 0, mute, nullptr},
    {O2FX_STR("acme::cheerful"), 0, 0, cheerful, nullptr},
};
static constexpr o2fx_reference_ext kReferences = references(kFunctions);
ONNX2FX_ENTRY(with_references<kReferences>(plugin_table("com.acme.reference", "1.0.0", kOps)))
