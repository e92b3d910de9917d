// com.example::SoftClip becomes a call of a C++ function of this same library, so that a model runs
// before anybody writes a kernel: on the CPU, without a gradient.
#include <cmath>
#include <onnx2fx/reference.hpp>

using namespace onnx2fx;

static void compute(ReferenceCall& c) {
  const o2fx_tensor& x = c.input(0);
  if (!(x.dtype == kReferenceFloat)) throw Unsupported("x: expected float32");
  const float limit = std::stof(std::string(c.options()));
  const o2fx_tensor y = c.output(0, x.dtype, shape_of(x));
  const float* from = static_cast<const float*>(x.data);
  float* to = static_cast<float*>(y.data);
  for (int64_t i = 0; i < elements_of(x); i++) to[i] = limit * std::tanh(from[i] / limit);
}

// What the function gives is stated here; `options` is a text for the function alone.
static void soft_clip(Node& n) {
  const Value x = n.input(0);
  const std::string limit = std::to_string(n.real("limit", 1.0));
  n.outputs(call_reference(n, "example::soft_clip", {x}, {{n.dtype(x), n.dims(x)}}, limit));
}

static constexpr o2fx_op kOps[] = {op("SoftClip", 1, lower<soft_clip>, 0, "com.example")};
static constexpr o2fx_reference kFunctions[] = {reference<compute>("example::soft_clip")};
static constexpr o2fx_reference_ext kReferences = references(kFunctions);
ONNX2FX_ENTRY(concurrent(with_references<kReferences>(plugin_table("com.example.pack", "1.0.0",
                                                                   kOps))))
