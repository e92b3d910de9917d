// Spectra: DFT, STFT, MelWeightMatrix, and the windows of an STFT. ONNX has complex numbers as a
// last axis of two.
#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/padding.hpp"
#include "plugins/lowering/real.hpp"
#include "plugins/lowering/sizes.hpp"
#include "plugins/lowering/windows.hpp"

using namespace onnx2fx;

namespace {

struct Spectrum {
  Value x;  // without the axis of parts; real or complex
  bool is_real;
};

int32_t computed_as(int32_t dtype) { return dtype == kDouble ? kDouble : kFloat; }

Spectrum from_parts(Node& n, Value x) {
  const int64_t parts = n.dim(x, -1).literal("the last extent of the signal");
  x = n.cast(x, computed_as(n.dtype(x)));
  if (parts == 1) return {n.call("aten::squeeze.dim", {x, -1}), true};
  if (parts != 2)
    throw Invalid("signal: expected a last extent of 1 or 2, got " + std::to_string(parts));
  const Values v = n.calls(2, "aten::unbind.int", {x, -1});
  return {n.call("aten::complex", {v[0], v[1]}), false};
}

Value typed(Node& n, Value v, int32_t dtype) {
  return computed_as(dtype) == dtype ? v : n.call("aten::to.dtype", {v, Dtype{dtype}});
}

// `length` none: as long as the axis.
Value forward(Node& n, const Spectrum& s, const Arg& length, const Int& axis, bool onesided) {
  if (onesided && s.is_real)
    return n.call("aten::view_as_real", {n.call("aten::fft_rfft", {s.x, length, axis})});
  Value y = n.call("aten::fft_fft", {s.x, length, axis});
  if (onesided) {
    const Int whole = sizes::extent(n, y, axis);
    y = n.call("aten::slice.Tensor", {y, axis, 0, n.add(n.floordiv(whole, 2), 1)});
  }
  return n.call("aten::view_as_real", {y});
}

Int axis_of(Node& n, Value x) {
  const int64_t rank = n.rank(x, 2);
  Int axis = n.opset() < 20 ? Int(n.integer("axis")) : Int(-2);
  if (n.opset() >= 20)
    if (const Value v = n.maybe_input(2)) axis = n.integer_of(v);
  if (axis.known()) return Node::axis(axis.literal(), rank);
  return sizes::from_front(n, axis, rank);
}

void dft(Node& n) {
  const Value x = n.input(0), given = n.maybe_input(1);
  const Int axis = axis_of(n, x);
  const Arg length = given ? Arg(n.integer_of(given)) : Arg(nullptr);
  const bool onesided = n.flag("onesided");
  const Spectrum s = from_parts(n, x);
  Value y;
  if (!n.flag("inverse"))
    y = forward(n, s, length, axis, onesided);
  else if (onesided)
    y = n.call("aten::unsqueeze", {n.call("aten::fft_irfft", {s.x, length, axis}), -1});
  else
    y = n.call("aten::view_as_real",  // of a real signal ATen gives a view that conjugates
               {n.call("aten::resolve_conj", {n.call("aten::fft_ifft", {s.x, length, axis})})});
  n.output(typed(n, y, n.dtype(x)));
}

void stft(Node& n) {
  const Value signal = n.input(0), window = n.maybe_input(2), stated = n.maybe_input(3);
  const int32_t dtype = n.dtype(signal);
  const Spectrum s = n.rank(signal) == 2 ? Spectrum{n.cast(signal, computed_as(dtype)), true}
                                         : from_parts(n, signal);
  const Int length = stated ? n.integer_of(stated) : window ? n.dim(window, 0) : n.dim(signal, 1);
  Spectrum frames{n.call("aten::unfold", {s.x, 1, length, n.integer_of(n.input(1))}), s.is_real};
  if (window) {
    const Value w = n.cast(n.role(window, O2FX_ROLE_BUFFER), computed_as(dtype));
    const Value fitted =
        n.dim(window, 0) == length ? w : padded(n, w, {{0}, {n.sub(length, n.dim(window, 0))}});
    frames.x = n.call("aten::mul.Tensor", {frames.x, fitted});
  }
  n.output(typed(n, forward(n, frames, nullptr, -1, n.flag("onesided")), dtype));
}

// ---- MelWeightMatrix ----

// 2595 log10(1 + f / 700), of a literal or a scalar.
Real mel(Node& n, Value hertz) {
  const Value f = n.call("aten::to.dtype", {hertz, Dtype{kDouble}});
  return Real(n, n.call("aten::log10", {n.call("aten::add.Scalar",
                                               {n.call("aten::div.Scalar", {f, 700.0}), 1.0})})) *
         2595.0;
}

// The bins of the spectrum at which the filters begin, peak and end: (filters + 2).
Value edges(Node& n, const Int& filters, const Int& length) {
  const Value low_hertz = n.input(3);
  const Real low = mel(n, low_hertz), high = mel(n, n.input(4));
  const Int count = n.add(filters, 2);
  const Real place(n, arange(n, count, low_hertz, kDouble));
  const Real step = (high - low) / Real(n, count);
  const Real mels = place * Real::as_is(n, n.call("aten::reshape", {step.tensor(), Ints{}})) + low;
  const Real hertz =
      (Real::as_is(n, n.call("aten::pow.Scalar", {10.0, (mels / 2595.0).tensor()})) - 1.0) * 700.0;
  return (hertz * Real(n, n.add(length, 1)) / Real(n, n.integer_of(n.input(2))))
      .call("aten::floor")
      .tensor();
}

void mel_weight_matrix(Node& n) {
  const Int filters = n.integer_of(n.input(0)), length = n.integer_of(n.input(1));
  const Value at = edges(n, filters, length);
  const auto edge = [&](int64_t i) {
    return Real::as_is(n, n.call("aten::slice.Tensor", {at, 0, i, n.add(filters, i)}));
  };
  const Real low = edge(0), peak = edge(1), high = edge(2);
  Value bins = arange(n, n.add(n.floordiv(length, 2), 1), at, kDouble);
  bins = n.call("aten::unsqueeze", {bins, 1});
  const Real bin = Real::as_is(n, bins);
  const auto is = [&](const char* target, const Real& a, const Real& b) {
    return a.call(target, {b.tensor()}).tensor();
  };
  const auto both = [&](Value a, Value b) { return n.call("aten::logical_and", {a, b}); };
  const auto choose = [&](Value c, const Real& a, const Arg& b) {
    return Real::as_is(n, n.call("aten::where.ScalarOther", {c, a.tensor(), b}));
  };
  const Real up = choose(both(is("aten::ge.Tensor", bin, low), is("aten::lt.Tensor", bin, peak)),
                         (bin - low) / (peak - low), 0.0);
  const Real down = choose(both(is("aten::gt.Tensor", bin, peak), is("aten::lt.Tensor", bin, high)),
                           (high - bin) / (high - peak), 0.0);
  const Value top = is("aten::eq.Tensor", bin, peak);
  const Value y = n.call("aten::where.ScalarSelf", {top, 1.0, (up + down).tensor()});
  n.output(
      n.call("aten::to.dtype", {y, Dtype{static_cast<int32_t>(n.integer("output_datatype"))}}));
}

// ---- HannWindow, HammingWindow, BlackmanWindow

// Of a single element ATen makes 1, whatever the formula says: there ONNX's function body speaks.
void window(Node& n, const char* target) {
  const Value size = n.input(0);
  const auto length = n.maybe_literals(size);
  const int32_t dtype = static_cast<int32_t>(n.integer("output_datatype"));
  if (!length || length->size() != 1 || length->front() < 2)
    throw Decline("expected a size known at conversion time, and greater than 1");
  if (dtype != kFloat && dtype != kDouble) throw Decline("expected float or double elements");
  Args args{length->front(), n.flag("periodic")};
  if (target == std::string_view("aten::hamming_window.periodic_alpha_beta"))
    args.insert(args.end(), {25.0 / 46, 21.0 / 46});
  n.output(n.call(target, args, {{"dtype", Dtype{dtype}}, {"device", DeviceOf{size}}}));
}

constexpr o2fx_op kOps[] = {
    op_to("BlackmanWindow", 17, lower_to<window>, "aten::blackman_window.periodic"),
    op("DFT", 17, lower<dft>),
    op_to("HammingWindow", 17, lower_to<window>, "aten::hamming_window.periodic_alpha_beta"),
    op_to("HannWindow", 17, lower_to<window>, "aten::hann_window.periodic"),
    op("MelWeightMatrix", 17, lower<mel_weight_matrix>),
    op("STFT", 17, lower<stft>),
};

}  // namespace

const Family kSignal = family(kOps);
