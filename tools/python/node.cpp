#include "tools/python/node.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <deque>
#include <stdexcept>
#include <utility>

#include "tools/python/pack.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace onnx2fx {

Node& LoweredNode::get() const {
  if (!node_) throw std::runtime_error("the node is lowered: expected no use of it afterwards");
  return *node_;
}

namespace {

using Self = const LoweredNode&;
using Text = const std::string&;

/// Python objects as arguments of a call; owns their texts and lists.
class Arguments {
 public:
  Arg arg(nb::handle x) { return Arg(raw(x)); }
  Args args(const nb::handle& all) {
    Args r;
    for (const nb::handle x : all) r.push_back(arg(x));
    return r;
  }
  Kwargs kwargs(const nb::kwargs& all) {
    Kwargs r;
    for (const auto& [name, x] : all)
      r.push_back({texts_.emplace_back(nb::cast<std::string>(name)), arg(x)});
    return r;
  }

 private:
  o2fx_arg raw(nb::handle x) {
    if (x.is_none()) return Arg(nullptr).raw();
    if (nb::isinstance<nb::bool_>(x)) return Arg(nb::cast<bool>(x)).raw();
    if (nb::isinstance<nb::int_>(x)) return Arg(nb::cast<int64_t>(x)).raw();
    if (nb::isinstance<nb::float_>(x)) return Arg(nb::cast<double>(x)).raw();
    if (nb::isinstance<nb::str>(x))
      return Arg(std::string_view(texts_.emplace_back(nb::cast<std::string>(x)))).raw();
    if (nb::isinstance<Value>(x)) return Arg(nb::cast<Value>(x)).raw();
    if (nb::isinstance<Int>(x)) return nb::cast<Int>(x).arg;
    if (nb::isinstance<Program>(x)) return Arg(nb::cast<Program>(x)).raw();
    if (nb::isinstance<Dtype>(x)) return Arg(nb::cast<Dtype>(x)).raw();
    if (nb::isinstance<DeviceOf>(x)) return Arg(nb::cast<DeviceOf>(x)).raw();
    if (nb::isinstance<Training>(x)) return Arg(Training{}).raw();
    if (!nb::isinstance<nb::list>(x) && !nb::isinstance<nb::tuple>(x))
      throw nb::type_error(("argument: expected a Value, Int, number, text, list..., got " +
                            nb::cast<std::string>(x.type().attr("__name__")))
                               .c_str());
    std::vector<o2fx_arg> items;
    for (const nb::handle item : x) items.push_back(raw(item));
    o2fx_arg list{};
    list.tag = O2FX_T_LIST;
    list.len = static_cast<uint32_t>(items.size());
    list.u.list = lists_.emplace_back(std::move(items)).data();
    return list;
  }

  std::deque<std::string> texts_;
  std::deque<std::vector<o2fx_arg>> lists_;
};

Int int_of(nb::handle x) {
  return nb::isinstance<Int>(x) ? nb::cast<Int>(x) : Int(nb::cast<int64_t>(x));
}
/// A size that is known is an int in Python.
nb::object python_int(const Int& i) {
  return i.known() ? nb::object(nb::int_(i.arg.u.i)) : nb::cast(i);
}
nb::list python_ints(const Ints& all) {
  nb::list r;
  for (const Int& i : all) r.append(python_int(i));
  return r;
}

/// Whether a dtype of ONNX is what an array calls numbers of this kind.
bool is_kind(int32_t onnx, uint8_t code) {
  switch (static_cast<nb::dlpack::dtype_code>(code)) {
    case nb::dlpack::dtype_code::Float:
      return is_floating(onnx) && !is_float8(onnx) && onnx != kBfloat16;
    case nb::dlpack::dtype_code::Int:
      return is_integer(onnx) && !is_unsigned(onnx);
    case nb::dlpack::dtype_code::UInt:
      return is_unsigned(onnx);
    case nb::dlpack::dtype_code::Bool:
      return onnx == kBool;
    default:
      return false;
  }
}

int32_t onnx_dtype(nb::dlpack::dtype d) {
  const auto [code, width] = std::pair(d.code, int{d.bits});
#define O2FX_ONNX_DTYPE(number, onnx, sdk, bits, carrier) \
  if (width >= 8 && width == (bits) && is_kind(number, code)) return number;
#include <onnx2fx/dtypes.def>
  throw Unsupported("a constant: expected an array of numbers or truths, got another dtype");
}

using Array = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

Value constant(Self n, Text name, const Array& array, int32_t role) {
  const auto* data = static_cast<const char*>(array.data());
  std::vector<int64_t> dims;
  for (size_t i = 0; i < array.ndim(); i++) dims.push_back(static_cast<int64_t>(array.shape(i)));
  return n.get().constant(name, onnx_dtype(array.dtype()),
                          std::vector<char>(data, data + array.nbytes()), dims, role);
}

/// (bytes, dtype, dims), as ONNX packs them; None: no constant.
nb::object constant_data(Self n, Value v) {
  const auto b = n.get().constant_data(v);
  if (!b) return nb::none();
  nb::list dims;
  for (int32_t i = 0; i < b->rank; i++) dims.append(b->dims[i]);
  return nb::make_tuple(nb::bytes(b->data, b->size), b->dtype, dims);
}

/// A float, an int, or an Int that is known only when the module runs.
nb::object number(Self n, Value v) {
  const o2fx_arg a = n.get().number(v).raw();
  return a.tag == O2FX_T_FLOAT ? nb::object(nb::float_(a.u.f)) : python_int(Int(a));
}

template <class Binary>
auto size_op(Binary op) {
  return [op](Self n, nb::handle a, nb::handle b) {
    return python_int((n.get().*op)(int_of(a), int_of(b)));
  };
}

void bind_values(nb::module_& m) {
  nb::class_<Value>(m, "Value")
      .def("__bool__", [](Value v) { return static_cast<bool>(v); })
      .def("__eq__", [](Value a, Value b) { return a == b; })
      .def("__hash__", [](Value v) { return v.id; });
  nb::class_<Int>(m, "Int").def("__eq__", [](const Int& a, const Int& b) { return a == b; });
  const nb::class_<Program> program(m, "Program");
  nb::class_<Graph>(m, "Graph")
      .def_ro("n_inputs", &Graph::n_inputs)
      .def_ro("n_outputs", &Graph::n_outputs);
  nb::class_<Dtype>(m, "Dtype").def("__init__", [](Dtype* d, int32_t onnx) {
    new (d) Dtype{onnx};
  });
  nb::class_<DeviceOf>(m, "DeviceOf").def("__init__", [](DeviceOf* d, Value v) {
    new (d) DeviceOf{v};
  });
  nb::class_<Training>(m, "Training").def(nb::init<>());
  nb::class_<Info>(m, "Info")
      .def_static("tensor", &Info::tensor, "dtype"_a, "rank"_a = -1)
      .def_prop_ro("dtype", [](const Info& i) { return i.raw.dtype; })
      .def_prop_ro("rank", [](const Info& i) { return i.raw.rank; })
      .def_prop_ro("is_const", [](const Info& i) { return i.raw.is_const != 0; })
      .def_prop_ro("is_tensor", &Info::is_tensor)
      .def_prop_ro("is_stored", &Info::is_stored);
  m.attr("ROLE_PARAMETER") = static_cast<int32_t>(O2FX_ROLE_PARAMETER);
  m.attr("ROLE_BUFFER") = static_cast<int32_t>(O2FX_ROLE_BUFFER);
  m.attr("ROLE_CONSTANT") = static_cast<int32_t>(O2FX_ROLE_CONSTANT);
}

void bind_errors(nb::module_& m) {
  const nb::exception<Invalid> invalid(m, "Invalid", PyExc_ValueError);
  const nb::exception<Unsupported> unsupported(m, "Unsupported", PyExc_NotImplementedError);
  const nb::exception<Decline> decline(m, "Decline", PyExc_Exception);
  static nb::object failed;
  failed = nb::steal(PyErr_NewException("onnx_to_fx._native.Failed", nullptr, nullptr));
  m.attr("Failed") = failed;
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const Failed& f) {
      PyErr_SetObject(failed.ptr(), nb::int_(f.status).ptr());
    }
  });
}

}  // namespace

void bind_node(nb::module_& m) {
  bind_values(m);
  bind_errors(m);
  nb::class_<LoweredNode>(m, "Node")
      .def_prop_ro("op_type", [](Self n) { return n.get().op_type(); })
      .def_prop_ro("name", [](Self n) { return n.get().name(); })
      .def_prop_ro("opset", [](Self n) { return n.get().opset(); })
      .def_prop_ro("config", [](Self n) { return n.get().config(); })
      .def_prop_ro("n_inputs", [](Self n) { return n.get().n_inputs(); })
      .def_prop_ro("n_outputs", [](Self n) { return n.get().n_outputs(); })
      .def("maybe_input",
           [](Self n, size_t i) -> nb::object {
             const Value v = n.get().maybe_input(i);
             return v ? nb::cast(v) : nb::none();
           })
      .def("input", [](Self n, size_t i) { return n.get().input(i); })
      .def(
          "inputs", [](Self n, size_t from) { return n.get().inputs(from); }, "start"_a = 0)
      .def("wanted", [](Self n, size_t i) { return n.get().wanted(i); })
      .def(
          "output", [](Self n, Value v, size_t i) { n.get().output(v, i); }, "value"_a, "i"_a = 0)
      .def("outputs", [](Self n, const Values& vs) { n.get().outputs(vs); })
      // attributes
      .def("has", [](Self n, Text name) { return n.get().has(name); })
      .def(
          "int64", [](Self n, Text a, std::optional<int64_t> d) { return n.get().int64(a, d); },
          "name"_a, "default"_a = nb::none())
      .def(
          "integer", [](Self n, Text a, std::optional<int64_t> d) { return n.get().integer(a, d); },
          "name"_a, "default"_a = nb::none())
      .def(
          "flag", [](Self n, Text a, std::optional<bool> d) { return n.get().flag(a, d); },
          "name"_a, "default"_a = nb::none())
      .def(
          "real", [](Self n, Text a, std::optional<double> d) { return n.get().real(a, d); },
          "name"_a, "default"_a = nb::none())
      .def(
          "text",
          [](Self n, Text a, std::optional<std::string_view> d) { return n.get().text(a, d); },
          "name"_a, "default"_a = nb::none())
      .def(
          "int64s",
          [](Self n, Text a, const std::vector<int64_t>& d) { return n.get().int64s(a, d); },
          "name"_a, "default"_a = std::vector<int64_t>())
      .def(
          "integers",
          [](Self n, Text a, const std::vector<int64_t>& d) { return n.get().integers(a, d); },
          "name"_a, "default"_a = std::vector<int64_t>())
      .def("reals", [](Self n, Text a) { return n.get().reals(a); })
      .def("texts", [](Self n, Text a) { return n.get().texts(a); })
      .def("maybe_tensor",
           [](Self n, Text a) -> nb::object {
             const Value v = n.get().maybe_tensor(a);
             return v ? nb::cast(v) : nb::none();
           })
      .def("graph", [](Self n, Text a) { return n.get().graph(a); })
      .def("type", [](Self n, Text a) { return n.get().type(a); })
      .def("ignore", [](Self n, Text a) { n.get().ignore(a); })
      // what is known about values
      .def("info", [](Self n, Value v) { return n.get().info(v); })
      .def("formal",
           [](Self n, Graph g, bool output, size_t k) { return n.get().formal(g, output, k); })
      .def("state", [](Self n, Value v, const Info& i) { return n.get().state(v, i); })
      .def("dtype", [](Self n, Value v) { return n.get().dtype(v); })
      .def("rank_known", [](Self n, Value v) { return n.get().rank_known(v); })
      .def(
          "rank", [](Self n, Value v, int32_t least) { return n.get().rank(v, least); }, "value"_a,
          "at_least"_a = 0)
      .def_static("axis", &Node::axis)
      .def("dim", [](Self n, Value v, int64_t axis) { return python_int(n.get().dim(v, axis)); })
      .def("dims", [](Self n, Value v) { return python_ints(n.get().dims(v)); })
      .def("maybe_ints",
           [](Self n, Value v) -> nb::object {
             const auto all = n.get().maybe_ints(v);
             return all ? nb::object(python_ints(*all)) : nb::none();
           })
      .def("ints", [](Self n, Value v) { return python_ints(n.get().ints(v)); })
      .def("integer_of", [](Self n, Value v) { return python_int(n.get().integer_of(v)); })
      .def("maybe_literals", [](Self n, Value v) { return n.get().maybe_literals(v); })
      .def("literals", [](Self n, Value v, Text what) { return n.get().literals(v, what); })
      .def("constant_data", constant_data)
      .def("constant_reals", [](Self n, Value v) { return n.get().constant_reals(v); })
      .def("constant_bool", [](Self n, Value v) { return n.get().constant_bool(v); })
      .def("constant_strings", [](Self n, Value v) { return n.get().constant_strings(v); })
      .def("items", [](Self n, Value v) { return n.get().items(v); })
      .def("number", number)
      // writing
      .def("call",
           [](Self n, Text target, const nb::args& args, const nb::kwargs& kwargs) {
             Arguments a;
             return n.get().call(target, a.args(args), a.kwargs(kwargs));
           })
      .def("calls",
           [](Self n, size_t count, Text target, const nb::args& args, const nb::kwargs& kwargs) {
             Arguments a;
             return n.get().calls(count, target, a.args(args), a.kwargs(kwargs));
           })
      .def("cast", [](Self n, Value v, int32_t dtype) { return n.get().cast(v, dtype); })
      .def("constant", constant, "name"_a, "array"_a,
           "role"_a = static_cast<int32_t>(O2FX_ROLE_CONSTANT))
      .def("in_place",
           [](Self n, nb::handle x) {
             Arguments a;
             return n.get().in_place(a.arg(x));
           })
      .def("list", [](Self n, const Values& vs) { return n.get().list(vs); })
      .def("none", [](Self n) { return n.get().none(); })
      .def(
          "int_tensor",
          [](Self n, nb::handle x, int32_t dtype) {
            Arguments a;
            return n.get().int_tensor(a.arg(x), dtype);
          },
          "value"_a, "dtype"_a = static_cast<int32_t>(kInt64))
      .def("role", [](Self n, Value v, int32_t role) { return n.get().role(v, role); })
      .def("meta",
           [](Self n, Value v, Text key, nb::handle x) {
             Arguments a;
             n.get().meta(v, key, a.arg(x));
           })
      .def("annotate", [](Self n, Text key, Text text) { n.get().annotate(key, text); })
      .def("warn", [](Self n, Text text) { n.get().warn(text); })
      // sizes
      .def("add", size_op(&Node::add))
      .def("sub", size_op(&Node::sub))
      .def("mul", size_op(&Node::mul))
      .def("floordiv", size_op(&Node::floordiv))
      .def("max", size_op(&Node::max))
      .def("min", size_op(&Node::min))
      .def("product",
           [](Self n, const nb::list& all) {
             Ints sizes;
             for (const nb::handle x : all) sizes.push_back(int_of(x));
             return python_int(n.get().product(sizes));
           })
      // sub-programs
      .def("begin", [](Self n, Text hint) { n.get().begin(hint); })
      .def("placeholder",
           [](Self n, Text hint, const Info& i) { return n.get().placeholder(hint, i); })
      .def("end",
           [](Self n, nb::handle result) {
             Arguments a;
             return n.get().end(a.arg(result));
           })
      .def("close", [](Self n, const std::vector<Program>& all) { return n.get().close(all); })
      // another pack's lowering may wait for a thread that waits for the interpreter
      .def("lower",
           [](Self n, Graph g, const Values& in) {
             const nb::gil_scoped_release released;
             return n.get().lower(g, in);
           })
      .def("lower_between",
           [](Self n, const std::vector<std::string>& from, const Values& in, Text to) {
             const nb::gil_scoped_release released;
             return n.get().lower_between(from, in, to);
           });
}

}  // namespace onnx2fx
