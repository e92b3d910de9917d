// onnx2fx plugin SDK: the C++20 wrapper over plugin.h. Header-only; nothing of it crosses the
// border.
//
// A lowering is a function `void f(Node&)`. It reads inputs and attributes through getters that
// check what they read, writes FX calls, and binds outputs:
//
//     static void leaky_relu(Node& n) {
//       n.output(n.call("aten::leaky_relu", {n.input(0), n.real("alpha")}));
//     }
//     static constexpr o2fx_op kOps[] = {op("LeakyRelu", 1, lower<leaky_relu>),
//                                        direct("Relu", 1, "aten::relu")};
//     ONNX2FX_PLUGIN("com.acme.pack", "1.0.0", kOps)
//
// It throws Invalid (the model is wrong), Unsupported (the model is right, this lowering cannot say
// it) or Decline (another provider, or the op's ONNX function body, should). The text says only
// what; the host adds where. lower<f> is the only place where C++ meets C: no exception leaves it.
#ifndef ONNX2FX_PLUGIN_HPP_
#define ONNX2FX_PLUGIN_HPP_

#include <onnx2fx/plugin.h>

#include <cstring>
#include <initializer_list>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace onnx2fx {

// ---- errors ----

/// The host refused a call and holds the text itself.
struct Failed {
  o2fx_status status;
};
/// Where an error was thrown: std::source_location, which clang lacks before version 15.
struct SourcePlace {
  const char* file = "";
  uint32_t line = 0;
  static constexpr SourcePlace current(const char* file = __builtin_FILE(),
                                       uint32_t line = __builtin_LINE()) {
    return {file, line};
  }
};
struct Error : std::runtime_error {
  Error(o2fx_status s, const std::string& what, SourcePlace where)
      : std::runtime_error(what), status(s), place(where) {}
  o2fx_status status;
  SourcePlace place;  ///< shown with --debug
};
/// The model breaks the operator's contract.
struct Invalid : Error {
  explicit Invalid(const std::string& what, SourcePlace place = SourcePlace::current())
      : Error(O2FX_E_MODEL, what, place) {}
};
/// The model is right, but this lowering cannot express it. Never return a wrong tensor instead.
struct Unsupported : Error {
  explicit Unsupported(const std::string& what, SourcePlace place = SourcePlace::current())
      : Error(O2FX_E_UNSUPPORTED, what, place) {}
};
/// Not mine: the next provider is asked, in the end the operator's ONNX function body.
struct Decline : Error {
  explicit Decline(const std::string& why, SourcePlace place = SourcePlace::current())
      : Error(O2FX_DECLINE, why, place) {}
};

constexpr o2fx_str str(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view view(o2fx_str s) { return {s.data, static_cast<size_t>(s.len)}; }

// ---- values ----

/// onnx.TensorProto.DataType: kFloat, kBfloat16, kInt64...
enum DataType : int32_t {
  kUndefined = 0,
#define O2FX_ONNX_DTYPE(number, onnx, sdk, bits, carrier) sdk = number,
#include "onnx2fx/dtypes.def"
};
constexpr bool is_float8(int32_t d) {
  return (d >= kFloat8e4m3fn && d <= kFloat8e5m2fnuz) || d == kFloat8e8m0;
}
constexpr bool is_floating(int32_t d) {
  return d == kFloat || d == kFloat16 || d == kDouble || d == kBfloat16 || is_float8(d) ||
         d == kFloat4e2m1;
}
constexpr bool is_complex(int32_t d) { return d == kComplex64 || d == kComplex128; }
constexpr bool is_unsigned(int32_t d) {
  return d == kUint8 || d == kUint16 || d == kUint32 || d == kUint64 || d == kUint4 || d == kUint2;
}
/// Integers of any width, bool not among them.
constexpr bool is_integer(int32_t d) {
  return is_unsigned(d) || d == kInt8 || d == kInt16 || d == kInt32 || d == kInt64 || d == kInt4 ||
         d == kInt2;
}

/// A value of the FX program; 0 stands for "omitted".
struct Value {
  o2fx_value id = 0;
  explicit operator bool() const { return id != 0; }
  bool operator==(const Value&) const = default;
};
using Values = std::vector<Value>;
/// A finished sub-program, operand of a higher-order operator.
struct Program {
  o2fx_program id = 0;
};
/// An ONNX dtype where the torch schema wants one.
struct Dtype {
  int32_t onnx = 0;
};
/// "Is the module in train()", where the schema says bool.
struct Training {};
/// The device of a tensor, where the schema says Device.
struct DeviceOf {
  Value tensor;
};
struct MemoryFormat {
  std::string_view name;
};

/// A Python number: a literal, or a symbolic one known only when the module runs. Arithmetic goes
/// through Node, which folds literals.
struct Int {
  o2fx_arg arg{};
  Int(int64_t i = 0) {
    arg.tag = O2FX_T_INT;
    arg.u.i = i;
  }
  explicit Int(const o2fx_arg& a) : arg(a) {}
  bool known() const { return arg.tag == O2FX_T_INT; }
  bool is(int64_t i) const { return known() && arg.u.i == i; }
  /// Symbolic ones are equal if they are the same expression of the same sizes.
  bool operator==(const Int& o) const {
    return arg.tag == o.arg.tag && (known() ? arg.u.i == o.arg.u.i : arg.u.v == o.arg.u.v);
  }
  int64_t literal(std::string_view what = "a size") const {
    if (!known()) throw Unsupported("expected " + std::string(what) + " known at conversion time");
    return arg.u.i;
  }
};
using Ints = std::vector<Int>;

/// One argument of an FX call. Owns the elements of its list.
class Arg {
 public:
  Arg(std::nullptr_t) {}
  Arg(Value v) { set(v ? O2FX_T_VALUE : O2FX_T_NONE).u.v = v.id; }
  Arg(Program p) { set(O2FX_T_PROGRAM).u.v = p.id; }
  Arg(Dtype d) { set(O2FX_T_DTYPE).u.i = d.onnx; }
  Arg(DeviceOf d) { set(O2FX_T_DEVICE_OF).u.v = d.tensor.id; }
  Arg(Training) { set(O2FX_T_TRAINING); }
  Arg(MemoryFormat m) { text(O2FX_T_MEMORY_FORMAT, m.name); }
  Arg(const Int& i) : raw_(i.arg) {}
  Arg(bool b) { set(O2FX_T_BOOL).u.i = b; }
  Arg(int i) : Arg(static_cast<int64_t>(i)) {}
  Arg(int64_t i) { set(O2FX_T_INT).u.i = i; }
  Arg(double f) { set(O2FX_T_FLOAT).u.f = f; }
  Arg(const char* s) { text(O2FX_T_STR, s); }
  Arg(std::string_view s) { text(O2FX_T_STR, s); }
  Arg(const Ints& l) {
    list(l, [](const Int& i) { return i.arg; });
  }
  Arg(const Values& l) {
    list(l, [](Value v) { return Arg(v).raw(); });
  }
  Arg(const std::vector<int64_t>& l) {
    list(l, [](int64_t i) { return Int(i).arg; });
  }
  Arg(const std::vector<double>& l) {
    list(l, [](double f) { return Arg(f).raw(); });
  }
  Arg(const std::vector<bool>& l) {
    list(l, [](bool b) { return Arg(b).raw(); });
  }
  /// Strings are borrowed: they must outlive the call.
  Arg(const std::vector<std::string_view>& l) {
    list(l, [](std::string_view s) { return Arg(s).raw(); });
  }
  Arg(const std::vector<std::string>& l) {
    list(l, [](std::string_view s) { return Arg(s).raw(); });
  }
  Arg(const o2fx_arg& a) : raw_(a) {}

  o2fx_arg raw() const {
    o2fx_arg a = raw_;
    if (!items_.empty()) a.u.list = items_.data();
    return a;
  }

 private:
  o2fx_arg& set(uint32_t tag) {
    raw_.tag = tag;
    return raw_;
  }
  void text(uint32_t tag, std::string_view s) {
    set(tag).u.s = s.data();
    raw_.len = static_cast<uint32_t>(s.size());
  }
  template <class L, class F>
  void list(const L& l, F element) {
    set(O2FX_T_LIST).len = static_cast<uint32_t>(l.size());
    for (const auto& x : l) items_.push_back(element(x));
  }
  o2fx_arg raw_{};
  std::vector<o2fx_arg> items_;
};
struct Kwarg {
  std::string_view name;
  Arg arg;
};
using Args = std::vector<Arg>;
using Kwargs = std::vector<Kwarg>;

/// What is known of a value. Pointers live until the lowering returns.
struct Info {
  o2fx_value_info raw{
      sizeof(o2fx_value_info), O2FX_KIND_UNKNOWN, 0, -1, 0, nullptr, nullptr, nullptr};
  static Info tensor(int32_t dtype, int32_t rank = -1) {
    Info i;
    i.raw.kind = O2FX_KIND_TENSOR;
    i.raw.dtype = dtype;
    i.raw.rank = rank;
    return i;
  }
  /// A tensor of the model, not one that is computed of such.
  bool is_stored() const { return raw.is_const == O2FX_CONST_STORED; }
  bool is_tensor() const { return raw.kind == O2FX_KIND_TENSOR; }
};
/// An ONNX graph held by an attribute.
struct Graph {
  o2fx_graph id = 0;
  uint32_t n_inputs = 0, n_outputs = 0;
};

// ---- the node being lowered ----

class Node {
 public:
  Node(const o2fx_host_api* host, o2fx_ctx ctx) : h_(host), c_(ctx) {
    info_.struct_size = sizeof info_;
    check(h_->node_info(c_, &info_));
  }

  std::string_view op_type() const { return view(info_.op_type); }
  /// Of the node; often empty.
  std::string_view name() const { return view(info_.name); }
  /// Of the node's own domain, in the scope (model or function) that holds the node.
  int64_t opset() const { return info_.opset; }
  /// A JSON object: what the manifest says of this plugin.
  std::string_view config() const {
    o2fx_str s{};
    check(h_->config(c_, &s));
    return view(s);
  }

  // ---- inputs and outputs

  size_t n_inputs() const { return info_.n_inputs; }
  size_t n_outputs() const { return info_.n_outputs; }
  Value maybe_input(size_t i) { return {h_->input(c_, static_cast<uint32_t>(i))}; }
  Value input(size_t i) {
    const Value v = maybe_input(i);
    if (!v) throw Invalid("input " + std::to_string(i) + ": expected a value, got none");
    return v;
  }
  /// All inputs from `from` on; none of them may be omitted.
  Values inputs(size_t from = 0) {
    Values r;
    for (size_t i = from; i < n_inputs(); i++) r.push_back(input(i));
    return r;
  }
  bool wanted(size_t i) const { return h_->output_wanted(c_, static_cast<uint32_t>(i)) != 0; }
  void output(Value v, size_t i = 0) { check(h_->set_output(c_, static_cast<uint32_t>(i), v.id)); }
  /// Binds the wanted ones among the first vs.size() outputs.
  void outputs(const Values& vs) {
    for (size_t i = 0; i < vs.size(); i++)
      if (wanted(i)) output(vs[i], i);
  }

  // ---- attributes: the ONNX schema's default of the node's opset comes before `or_else`

  bool has(std::string_view name) { return find(name).has_value(); }
  /// Any integer of 64 bits.
  int64_t int64(std::string_view name, std::optional<int64_t> or_else = {}) {
    const auto a = attribute(name, "an integer", O2FX_T_INT, or_else.has_value());
    return a ? a->u.i : *or_else;
  }
  /// A count, an axis, a size, an enumerator: of 32 bits, so that no product of two overflows.
  int64_t integer(std::string_view name, std::optional<int64_t> or_else = {}) {
    const auto a = attribute(name, "an integer", O2FX_T_INT, or_else.has_value());
    return a ? of_32_bits(name, a->u.i) : *or_else;
  }
  bool flag(std::string_view name, std::optional<bool> or_else = {}) {
    return integer(name, or_else ? std::optional<int64_t>(*or_else) : std::nullopt) != 0;
  }
  double real(std::string_view name, std::optional<double> or_else = {}) {
    const auto a = attribute(name, "a float", O2FX_T_FLOAT, or_else.has_value());
    return a ? a->u.f : *or_else;
  }
  std::string text(std::string_view name, std::optional<std::string_view> or_else = {}) {
    const auto a = attribute(name, "a string", O2FX_T_STR, or_else.has_value());
    return a ? std::string(a->u.s, a->len) : std::string(*or_else);
  }
  /// Any integers of 64 bits; their number must be that of or_else, unless or_else is empty.
  std::vector<int64_t> int64s(std::string_view name, std::vector<int64_t> or_else = {}) {
    const auto a = list(name, "integers", O2FX_T_INT);
    if (!a) return or_else;
    if (!or_else.empty() && a->len != or_else.size())
      throw Invalid(quoted(name) + ": expected " + std::to_string(or_else.size()) +
                    " values, got " + std::to_string(a->len));
    std::vector<int64_t> r;
    for (uint32_t i = 0; i < a->len; i++) r.push_back(a->u.list[i].u.i);
    return r;
  }
  /// As int64s, each of 32 bits as `integer` is.
  std::vector<int64_t> integers(std::string_view name, std::vector<int64_t> or_else = {}) {
    std::vector<int64_t> r = int64s(name, std::move(or_else));
    for (const int64_t i : r) of_32_bits(name, i);
    return r;
  }
  std::vector<double> reals(std::string_view name) {
    std::vector<double> r;
    if (const auto a = list(name, "floats", O2FX_T_FLOAT))
      for (uint32_t i = 0; i < a->len; i++) r.push_back(a->u.list[i].u.f);
    return r;
  }
  std::vector<std::string> texts(std::string_view name) {
    std::vector<std::string> r;
    if (const auto a = list(name, "strings", O2FX_T_STR))
      for (uint32_t i = 0; i < a->len; i++) r.emplace_back(a->u.list[i].u.s, a->u.list[i].len);
    return r;
  }
  /// A TENSOR (or SPARSE_TENSOR, dense) attribute as a value; empty if absent.
  Value maybe_tensor(std::string_view name) {
    Value v;
    if (const auto a = find(name)) check(h_->attr_tensor(c_, a->id, 0, &v.id));
    return v;
  }
  Graph graph(std::string_view name) {
    const auto a = find(name);
    if (!a) throw Invalid(quoted(name) + ": expected a graph, got none");
    Graph g;
    check(h_->attr_graph(c_, a->id, 0, &g.id));
    o2fx_graph_info i{};
    i.struct_size = sizeof i;
    check(h_->graph_info(c_, g.id, &i));
    g.n_inputs = i.n_inputs;
    g.n_outputs = i.n_outputs;
    return g;
  }
  /// The type of a TYPE_PROTO attribute; kind UNKNOWN if absent.
  Info type(std::string_view name) {
    Info i;
    if (const auto a = find(name)) check(h_->attr_type(c_, a->id, 0, &i.raw));
    return i;
  }
  /// States that the attribute changes nothing here.
  void ignore(std::string_view name) { check(h_->ignore_attr(c_, str(name))); }

  // ---- what is known about values

  Info info(Value v) const {
    Info i;
    check(h_->value_info(c_, v.id, &i.raw));
    return i;
  }
  /// The declared type of a formal input or output of a graph.
  Info formal(Graph g, bool is_output, size_t k) const {
    Info i;
    check(h_->graph_value_info(c_, g.id, is_output, static_cast<uint32_t>(k), &i.raw));
    return i;
  }
  /// States the type of a result of the pack's own torch op; the host knows that of all others.
  Value state(Value v, const Info& i) {
    check(h_->set_value_info(c_, v.id, &i.raw));
    return v;
  }
  int32_t dtype(Value v) const {
    const int32_t d = info(v).raw.dtype;
    if (!d) throw Unsupported("expected an input of known dtype");
    return d;
  }
  bool rank_known(Value v) const { return info(v).raw.rank >= 0; }
  int32_t rank(Value v, int32_t at_least = 0) const {
    const int32_t r = info(v).raw.rank;
    if (r < 0) throw Unsupported("expected an input of known rank");
    if (r < at_least)
      throw Invalid("expected rank " + std::to_string(at_least) + " or more, got " +
                    std::to_string(r));
    return r;
  }
  /// An axis counted from the front.
  static int64_t axis(int64_t a, int64_t rank) {
    if (a < -rank || a >= rank)
      throw Invalid("axis: expected a value in [" + std::to_string(-rank) + ", " +
                    std::to_string(rank - 1) + "], got " + std::to_string(a));
    return a < 0 ? a + rank : a;
  }
  Int dim(Value v, int64_t axis) {
    o2fx_arg a{};
    check(h_->dim(c_, v.id, static_cast<int32_t>(axis), &a));
    return Int(a);
  }
  Ints dims(Value v) {
    Ints r;
    for (int32_t i = 0; i < rank(v); i++) r.push_back(dim(v, i));
    return r;
  }
  /// The elements of a small integer tensor, literal or symbolic; nullopt if its length is unknown
  /// (or, with O2FX_INTS_KNOWN_ONLY, if reading it would need its data at run time).
  std::optional<Ints> maybe_ints(Value v, uint32_t flags = 0) {
    o2fx_arg a{};
    if (!ask(h_->int_list(c_, v.id, flags, &a))) return std::nullopt;
    Ints r;
    for (uint32_t i = 0; i < a.len; i++) r.push_back(Int(a.u.list[i]));
    return r;
  }
  Ints ints(Value v) {
    auto r = maybe_ints(v);
    if (!r) throw Unsupported("expected a shape-like input of known length");
    return *r;
  }
  Int integer_of(Value v) {
    const Ints r = ints(v);
    if (r.size() != 1) throw Invalid("expected one integer, got " + std::to_string(r.size()));
    return r[0];
  }
  /// All elements, if they are literals.
  std::optional<std::vector<int64_t>> maybe_literals(Value v) {
    const auto all = maybe_ints(v, O2FX_INTS_KNOWN_ONLY);
    if (!all) return std::nullopt;
    std::vector<int64_t> r;
    for (const Int& i : *all) {
      if (!i.known()) return std::nullopt;
      r.push_back(i.arg.u.i);
    }
    return r;
  }
  std::vector<int64_t> literals(Value v, std::string_view what) {
    auto r = maybe_literals(v);
    if (!r) throw Unsupported("expected " + std::string(what) + " known at conversion time");
    return *r;
  }
  std::optional<o2fx_bytes> constant_data(Value v) {
    o2fx_bytes b{};
    return ask(h_->const_data(c_, v.id, &b)) ? std::optional(b) : std::nullopt;
  }
  /// Elements of a constant float tensor (float or double), as double.
  std::optional<std::vector<double>> constant_reals(Value v) {
    const auto b = constant_data(v);
    if (!b || (b->dtype != kFloat && b->dtype != kDouble)) return std::nullopt;
    std::vector<double> r(b->size / (b->dtype == kFloat ? 4 : 8));
    for (size_t i = 0; i < r.size(); i++)
      r[i] = b->dtype == kFloat ? element<float>(*b, i) : element<double>(*b, i);
    return r;
  }
  std::optional<bool> constant_bool(Value v) {
    const auto b = constant_data(v);
    return b && b->dtype == kBool && b->size ? std::optional(element<char>(*b, 0) != 0)
                                             : std::nullopt;
  }
  std::optional<std::vector<std::string>> constant_strings(Value v) {
    o2fx_arg a{};
    if (!ask(h_->const_strings(c_, v.id, &a))) return std::nullopt;
    std::vector<std::string> r;
    for (uint32_t i = 0; i < a.len; i++) r.emplace_back(a.u.list[i].u.s, a.u.list[i].len);
    return r;
  }
  /// The elements of a sequence known at conversion time; nullopt: a list that exists at run time.
  std::optional<Values> items(Value v) {
    o2fx_arg a{};
    if (!ask(h_->list_items(c_, v.id, &a))) return std::nullopt;
    Values r;
    for (uint32_t i = 0; i < a.len; i++) r.push_back({a.u.list[i].u.v});
    return r;
  }
  /// The one element of a tensor as a Python number: a literal if it is a constant of type float,
  /// double or a tracked integer, else aten::_local_scalar_dense.
  Arg number(Value v) {
    if (const auto reals = constant_reals(v); reals && reals->size() == 1) return (*reals)[0];
    if (const auto ints = maybe_ints(v, O2FX_INTS_KNOWN_ONLY); ints && ints->size() == 1)
      return (*ints)[0];
    return call("aten::_local_scalar_dense", {v});
  }

  // ---- writing

  Value call(std::string_view target, const Args& args, const Kwargs& kwargs = {}) {
    Value v;
    emit(target, args, kwargs, 0, &v.id);
    return v;
  }
  /// A call whose result is a tuple or list of n; n = 0 emits it and unpacks nothing.
  Values calls(size_t n, std::string_view target, const Args& args, const Kwargs& kwargs = {}) {
    std::vector<o2fx_value> ids(n ? n : 1);
    emit(target, args, kwargs, static_cast<uint32_t>(n), ids.data());
    Values r;
    for (size_t i = 0; i < n; i++) r.push_back({ids[i]});
    return r;
  }
  Value cast(Value v, int32_t dtype) {
    return info(v).raw.dtype == dtype ? v : call("aten::to.dtype", {v, Dtype{dtype}});
  }
  /// A tensor made by the lowering.
  template <class T>
  Value constant(std::string_view name, int32_t dtype, const std::vector<T>& data,
                 const std::vector<int64_t>& dims, int32_t role = O2FX_ROLE_CONSTANT) {
    const o2fx_bytes b{data.data(), data.size() * sizeof(T), dtype,
                       static_cast<int32_t>(dims.size()), dims.data()};
    Value v;
    check(h_->constant(c_, str(name), &b, role, &v.id));
    return v;
  }
  /// A sequence, or None, or an int, written where it is used.
  Value in_place(const Arg& a) {
    Value r;
    const o2fx_arg raw = a.raw();
    check(h_->in_place(c_, &raw, &r.id));
    return r;
  }
  Value list(const Values& vs) { return in_place(vs); }
  Value none() { return in_place(nullptr); }
  /// An integer tensor given by its elements: Int (rank 0) or Ints (rank 1).
  Value int_tensor(const Arg& a, int32_t dtype = kInt64) {
    Value r;
    const o2fx_arg raw = a.raw();
    check(h_->int_tensor(c_, &raw, dtype, &r.id));
    return r;
  }
  Value role(Value v, int32_t r) {
    check(h_->set_role(c_, v.id, r));
    return v;
  }
  void meta(Value v, std::string_view key, const Arg& a) {
    const o2fx_arg raw = a.raw();
    check(h_->set_meta(c_, v.id, str(key), &raw));
  }
  /// A line about this node for report.json.
  void annotate(std::string_view key, std::string_view text) {
    check(h_->annotate(c_, str(key), str(text)));
  }
  void warn(std::string_view text) { h_->log(c_, 1, str(text)); }

  // ---- arithmetic on sizes; literals fold

  Int add(Int a, Int b) {
    if (a.is(0)) return b;
    if (b.is(0)) return a;
    return size_op("operator::add", a, b, [](int64_t x, int64_t y) {
      const int64_t r = wrapped(word(x) + word(y));
      return exact(r, ((x ^ r) & (y ^ r)) >= 0);
    });
  }
  Int sub(Int a, Int b) {
    if (b.is(0)) return a;
    return size_op("operator::sub", a, b, [](int64_t x, int64_t y) {
      const int64_t r = wrapped(word(x) - word(y));
      return exact(r, ((x ^ y) & (x ^ r)) >= 0);
    });
  }
  Int mul(Int a, Int b) {
    if (a.is(1)) return b;
    if (b.is(1)) return a;
    return size_op("operator::mul", a, b, [](int64_t x, int64_t y) {
      const int64_t r = wrapped(word(x) * word(y));
      return exact(r, x == 0 || (!(x == -1 && y == INT64_MIN) && r / x == y));
    });
  }
  /// Python's floor division.
  Int floordiv(Int a, Int b) {
    if (b.is(1)) return a;
    if (b.is(0)) throw Invalid("a size is divided by 0");
    return size_op("operator::floordiv", a, b, [](int64_t x, int64_t y) {
      if (y == -1 && x == INT64_MIN) return exact(0, false);
      return exact(x / y - (x % y != 0 && (x < 0) != (y < 0)), true);
    });
  }
  Int max(Int a, Int b) {
    return size_op("torch::sym_max", a, b,
                   [](int64_t x, int64_t y) { return exact(x > y ? x : y, true); });
  }
  Int min(Int a, Int b) {
    return size_op("torch::sym_min", a, b,
                   [](int64_t x, int64_t y) { return exact(x < y ? x : y, true); });
  }
  Int product(const Ints& l) {
    Int r(1);
    for (const Int& i : l) r = mul(r, i);
    return r;
  }

  // ---- sub-programs

  void begin(std::string_view hint) { check(h_->program_begin(c_, str(hint))); }
  Value placeholder(std::string_view hint, const Info& i) {
    Value v;
    check(h_->placeholder(c_, str(hint), &i.raw, &v.id));
    return v;
  }
  /// A Value is returned bare, Values as a tuple.
  Program end(const Arg& result) {
    Program p;
    const o2fx_arg raw = result.raw();
    check(h_->program_end(c_, &raw, &p.id));
    return p;
  }
  /// The captured operands that all these programs now take after their own.
  Values close(const std::vector<Program>& programs) {
    std::vector<o2fx_program> ids;
    ids.reserve(programs.size());
    for (const Program p : programs) ids.push_back(p.id);
    o2fx_arg a{};
    check(h_->program_close(c_, ids.data(), static_cast<uint32_t>(ids.size()), &a));
    Values r;
    for (uint32_t i = 0; i < a.len; i++) r.push_back({a.u.list[i].u.v});
    return r;
  }
  /// Lowers all nodes of the graph into the current program.
  Values lower(Graph g, const Values& in) {
    std::vector<o2fx_value> a, r(g.n_outputs + 1);
    for (const Value v : in) a.push_back(v.id);
    check(h_->lower_subgraph(c_, g.id, a.data(), static_cast<uint32_t>(a.size()), r.data(),
                             g.n_outputs));
    Values out;
    for (uint32_t i = 0; i < g.n_outputs; i++) out.push_back({r[i]});
    return out;
  }

  /// Lowers once more the nodes of this node's graph that lead from the values named, now `in`, to
  /// the one named `to`.
  Value lower_between(const std::vector<std::string>& from, const Values& in, std::string_view to) {
    std::vector<o2fx_str> names(from.size());
    std::vector<o2fx_value> ids(from.size());
    for (size_t i = 0; i < from.size(); i++) {
      names[i] = str(from[i]);
      ids[i] = in.at(i).id;
    }
    Value v;
    check(h_->lower_between(c_, names.data(), ids.data(), static_cast<uint32_t>(names.size()),
                            str(to), &v.id));
    return v;
  }

  const o2fx_host_api* api() const { return h_; }
  o2fx_ctx ctx() const { return c_; }

 private:
  static std::string quoted(std::string_view name) {
    return "attribute '" + std::string(name) + "'";
  }
  static void check(o2fx_status s) {
    if (s) throw Failed{s > 0 ? O2FX_E_INTERNAL : s};
  }
  static bool ask(o2fx_status s) {
    if (s < 0) throw Failed{s};
    return s == O2FX_OK;
  }
  template <class T>
  static T element(const o2fx_bytes& b, size_t i) {
    T x;
    std::memcpy(&x, static_cast<const char*>(b.data) + i * sizeof(T), sizeof(T));
    return x;
  }
  std::optional<o2fx_attr_info> find(std::string_view name) {
    o2fx_attr_info a{};
    a.struct_size = sizeof a;
    return ask(h_->attr(c_, str(name), &a)) ? std::optional(a) : std::nullopt;
  }
  std::optional<o2fx_arg> attribute(std::string_view name, const char* expected, uint32_t tag,
                                    bool optional) {
    const auto a = find(name);
    if (!a) {
      if (!optional) throw Invalid(quoted(name) + ": expected " + expected + ", got none");
      return std::nullopt;
    }
    o2fx_arg v{};
    check(h_->attr_arg(c_, a->id, &v));
    if (v.tag != tag) throw Invalid(quoted(name) + ": expected " + expected + ", got another type");
    return v;
  }
  std::optional<o2fx_arg> list(std::string_view name, const char* expected, uint32_t tag) {
    const auto a = attribute(name, expected, O2FX_T_LIST, true);
    if (a && a->len && a->u.list[0].tag != tag)
      throw Invalid(quoted(name) + ": expected " + expected + ", got a list of another type");
    return a;
  }
  static int64_t of_32_bits(std::string_view name, int64_t i) {
    if (i < INT32_MIN || i > INT32_MAX)
      throw Invalid(quoted(name) + ": expected an integer of 32 bits, got " + std::to_string(i));
    return i;
  }
  static uint64_t word(int64_t i) { return static_cast<uint64_t>(i); }
  static int64_t wrapped(uint64_t i) { return static_cast<int64_t>(i); }
  static std::optional<int64_t> exact(int64_t i, bool is_exact) {
    return is_exact ? std::optional(i) : std::nullopt;
  }
  /// What does not fit into 64 bits is left to the host.
  template <class F>
  Int size_op(const char* target, const Int& a, const Int& b, F fold) {
    if (a.known() && b.known())
      if (const std::optional<int64_t> literal = fold(a.arg.u.i, b.arg.u.i)) return Int(*literal);
    o2fx_arg r{};
    r.tag = O2FX_T_VALUE;
    r.u.v = call(target, {a, b}).id;
    return Int(r);
  }
  void emit(std::string_view target, const Args& args, const Kwargs& kwargs, uint32_t unpack,
            o2fx_value* results) {
    std::vector<o2fx_arg> raw;
    std::vector<o2fx_named_arg> named;
    raw.reserve(args.size());
    for (const Arg& a : args) raw.push_back(a.raw());
    for (const Kwarg& k : kwargs) named.push_back({str(k.name), k.arg.raw()});
    o2fx_emit e{};
    e.struct_size = sizeof e;
    e.target = str(target);
    e.args = raw.data();
    e.n_args = static_cast<uint32_t>(raw.size());
    e.kwargs = named.data();
    e.n_kwargs = static_cast<uint32_t>(named.size());
    e.n_unpack = unpack;
    check(h_->emit(c_, &e, results));
  }

  const o2fx_host_api* h_;
  o2fx_ctx c_;
  o2fx_node_info info_{};
};

// ---- the border: C calls in, C++ runs, nothing is thrown out ----

template <class F>
o2fx_status trampoline(const o2fx_host_api* h, o2fx_ctx c, F f) noexcept {
  try {
    f();
    return O2FX_OK;
  } catch (const Failed& e) {
    return e.status;
  } catch (const Error& e) {
    return h->set_error(c, e.status, e.place.file, static_cast<int32_t>(e.place.line),
                        str(e.what()));
  } catch (const std::bad_alloc&) {
    return h->set_error(c, O2FX_E_NOMEM, nullptr, 0, str("out of memory"));
  } catch (const std::exception& e) {
    return h->set_error(c, O2FX_E_INTERNAL, nullptr, 0, str(e.what()));
  } catch (...) {
    return h->set_error(c, O2FX_E_INTERNAL, nullptr, 0, str("unknown exception"));
  }
}

/// The C function of a lowering `void f(Node&)`.
template <auto Lowering>
o2fx_status lower(const o2fx_host_api* h, o2fx_ctx c, const void*) {
  return trampoline(h, c, [&] {
    Node n(h, c);
    Lowering(n);
  });
}
/// The C function of a family `void f(Node&, const char* target)`: the row names the target.
template <auto Lowering>
o2fx_status lower_to(const o2fx_host_api* h, o2fx_ctx c, const void* target) {
  return trampoline(h, c, [&] {
    Node n(h, c);
    Lowering(n, static_cast<const char*>(target));
  });
}
/// All inputs in order, omitted ones as None, one target, one result.
inline void same_arguments(Node& n, const char* target) {
  Args args;
  for (size_t i = 0; i < n.n_inputs(); i++) args.push_back(n.maybe_input(i));
  n.output(n.call(target, args));
}

// ---- rows of the op table; `until` is inclusive, 0 = open end ----

constexpr o2fx_op op(std::string_view type, int32_t since, o2fx_lower_fn f, int32_t until = 0,
                     std::string_view domain = {}) {
  return {str(domain), str(type), since, until, 0, 0, f, nullptr};
}
/// A member of a family: f is lower_to<...>.
constexpr o2fx_op op_to(std::string_view type, int32_t since, o2fx_lower_fn f, const char* target,
                        int32_t until = 0, std::string_view domain = {}) {
  return {str(domain), str(type), since, until, 0, 0, f, target};
}
/// A 1:1 op.
constexpr o2fx_op direct(std::string_view type, int32_t since, const char* target,
                         int32_t until = 0, std::string_view domain = {}) {
  return {str(domain), str(type), since, until, 0, 0, lower_to<same_arguments>, target};
}

constexpr o2fx_plugin plugin_table(std::string_view id, std::string_view version,
                                   const o2fx_op* ops, size_t n_ops) {
  return {sizeof(o2fx_plugin),
          O2FX_ABI_MAJOR,
          O2FX_ABI_MINOR,
          O2FX_TARGET_MINOR,
          0,
          str(id),
          str(version),
          ops,
          static_cast<uint32_t>(n_ops),
          sizeof(o2fx_op),
          nullptr,
          nullptr,
          nullptr};
}

template <size_t N>
constexpr o2fx_plugin plugin_table(std::string_view id, std::string_view version,
                                   const o2fx_op (&ops)[N]) {
  return plugin_table(id, version, ops, N);
}

/// The rows of one op family, for plugins of several source files: each file ends with
/// `extern const Family kConv = family(kOps);`.
struct Family {
  const o2fx_op* rows;
  size_t n;
};
template <size_t N>
constexpr Family family(const o2fx_op (&rows)[N]) {
  return {rows, N};
}
/// The table of a plugin of several families: plugin_of<&kConv, &kPool>("com.acme.pack", "1.0.0").
template <const Family*... All>
o2fx_plugin plugin_of(std::string_view id, std::string_view version) {
  static const std::vector<o2fx_op> ops = [] {
    std::vector<o2fx_op> r;
    for (const Family* f : {All...}) r.insert(r.end(), f->rows, f->rows + f->n);
    return r;
  }();
  return plugin_table(id, version, ops.data(), ops.size());
}

// ---- what more a table may say: each takes one and gives it back

/// Its lowerings and sources may run on several threads at once: they share nothing that changes.
constexpr o2fx_plugin concurrent(o2fx_plugin p) {
  p.flags |= O2FX_PLUGIN_CONCURRENT;
  return p;
}
/// `void f(std::string_view config)` runs before the first use. config: the JSON object that the
/// manifest gives this plugin. It throws Invalid for what it cannot take.
template <auto Init>
constexpr o2fx_plugin with_init(o2fx_plugin p) {
  p.init = [](const o2fx_host_api* h, o2fx_ctx c) {
    return trampoline(h, c, [&] {
      o2fx_str config{};
      if (const o2fx_status s = h->config(c, &config)) throw Failed{s};
      Init(view(config));
    });
  };
  return p;
}

/// Under which id a plugin offers a table of this type (get_extension).
template <class Table>
inline constexpr const char* kExtensionId = nullptr;
/// The same plugin, which offers this table beside those that it has.
template <const auto& Table>
o2fx_plugin with_extension(o2fx_plugin p) {
  static const auto others = p.get_extension;
  p.get_extension = [](const char* id) -> const void* {
    if (std::string_view(id) == kExtensionId<std::remove_cvref_t<decltype(Table)>>) return &Table;
    return others ? others(id) : nullptr;
  };
  return p;
}

}  // namespace onnx2fx

/// Defines the plugin's only exported symbol over its table, in the words of this namespace:
/// ONNX2FX_ENTRY(concurrent(plugin_table("com.acme.pack", "1.0.0", kOps)))
#define ONNX2FX_ENTRY(...)                                               \
  extern "C" const o2fx_plugin* O2FX_CALL onnx2fx_plugin_entry_1(void) { \
    using namespace onnx2fx;                                             \
    static const o2fx_plugin plugin = __VA_ARGS__;                       \
    return &plugin;                                                      \
  }

/// The same of one table of rows.
#define ONNX2FX_PLUGIN(id, version, ops) ONNX2FX_ENTRY(plugin_table(id, version, ops))

#endif
