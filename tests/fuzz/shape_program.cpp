#include "tests/fuzz/shape_program.hpp"

namespace onnx2fx::fuzz {
namespace {

using onnx::AttributeProto;
using onnx::GraphProto;
using onnx::NodeProto;
using onnx::TensorProto;

constexpr int32_t kInt64 = TensorProto::INT64, kInt32 = TensorProto::INT32,
                  kBool = TensorProto::BOOL, kFloat = TensorProto::FLOAT;

void set(NodeProto& n, const std::string& name, int64_t value) {
  AttributeProto& a = *n.add_attribute();
  a.set_name(name);
  a.set_type(AttributeProto::INT);
  a.set_i(value);
}
GraphProto& set_graph(NodeProto& n, const std::string& name) {
  AttributeProto& a = *n.add_attribute();
  a.set_name(name);
  a.set_type(AttributeProto::GRAPH);
  a.mutable_g()->set_name(name);
  return *a.mutable_g();
}
void declare(onnx::ValueInfoProto& info, const Var& v, const std::vector<std::string>& dims = {}) {
  info.set_name(v.name);
  auto& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(v.dtype);
  if (v.rank < 0) return;
  auto& shape = *type.mutable_shape();
  for (int i = 0; i < v.rank; i++) {
    auto& dim = *shape.add_dim();
    if (static_cast<size_t>(i) >= dims.size() || dims[static_cast<size_t>(i)].empty()) continue;
    const std::string& text = dims[static_cast<size_t>(i)];
    if (text[0] >= '0' && text[0] <= '9')
      dim.set_dim_value(std::stoll(text));
    else
      dim.set_dim_param(text);
  }
}

}  // namespace

NodeProto& Body::node(const std::string& op, const std::vector<std::string>& inputs) {
  NodeProto& n = *nodes_.Add();
  n.set_op_type(op);
  for (const std::string& i : inputs) n.add_input(i);
  return n;
}

Var Body::result(NodeProto& n, int32_t dtype, int rank) {
  const Var v{"v" + std::to_string(counter_++), dtype, rank};
  n.add_output(v.name);
  vars_.push_back(v);
  return v;
}

int32_t Body::integer_type() { return bytes_.chance(25) ? kInt32 : kInt64; }

Var Body::constant(int32_t dtype, int rank) {
  NodeProto& n = node("Constant", {});
  AttributeProto& a = *n.add_attribute();
  a.set_name("value");
  a.set_type(AttributeProto::TENSOR);
  TensorProto& t = *a.mutable_t();
  t.set_data_type(dtype);
  const size_t count = rank == 0 ? 1 : bytes_.below(5);
  if (rank == 1) t.add_dims(static_cast<int64_t>(count));
  for (size_t i = 0; i < count; i++) {
    const int64_t x = bytes_.integer();
    if (dtype == kInt64) t.add_int64_data(x);
    if (dtype == kInt32) t.add_int32_data(static_cast<int32_t>(x));
    if (dtype == kBool) t.add_int32_data(static_cast<int32_t>(x & 1));
    if (dtype == kFloat) t.add_float_data(static_cast<float>(x) / 2);
  }
  return result(n, dtype, rank);
}

// One of those that are there, the newest more often; a constant where there is none.
Var Body::any(int32_t dtype, int rank) {
  std::vector<size_t> found;
  for (size_t i = 0; i < vars_.size(); i++)
    if (vars_[i].dtype == dtype && vars_[i].rank == rank) found.push_back(i);
  if (found.empty() || bytes_.chance(15)) return constant(dtype, rank);
  if (bytes_.chance(50)) return vars_[found.back()];
  return vars_[found[bytes_.below(found.size())]];
}
Var Body::vector(int32_t dtype) { return any(dtype, 1); }
Var Body::scalar(int32_t dtype) { return any(dtype, 0); }
Var Body::data() {
  std::vector<size_t> found;
  for (size_t i = 0; i < vars_.size(); i++)
    if (vars_[i].dtype == kFloat && vars_[i].rank != 0) found.push_back(i);
  if (found.empty()) return constant(kFloat, 1);
  return vars_[found[bytes_.below(found.size())]];
}

void Body::arithmetic() {
  static constexpr const char* kBinary[] = {"Add", "Sub", "Mul", "Div", "Mod", "Max", "Min"};
  static constexpr const char* kUnary[] = {"Neg", "Abs", "Identity", "Sign"};
  const int32_t dtype = bytes_.chance(15) ? kFloat : integer_type();
  const int rank = static_cast<int>(bytes_.below(2));
  const Var a = any(dtype, rank);
  if (bytes_.chance(25)) {
    result(node(bytes_.one_of(kUnary), {a.name}), dtype, rank);
    return;
  }
  const Var b = any(dtype, bytes_.chance(30) ? 1 - rank : rank);
  NodeProto& n = node(bytes_.one_of(kBinary), {a.name, b.name});
  if (n.op_type() == "Mod" && (dtype == kFloat || bytes_.chance(30))) set(n, "fmod", 1);
  result(n, dtype, std::max(a.rank, b.rank));
}

void Body::comparison() {
  static constexpr const char* kCompare[] = {"Equal", "Less", "Greater", "LessOrEqual",
                                             "GreaterOrEqual"};
  static constexpr const char* kLogic[] = {"And", "Or", "Xor"};
  const int rank = static_cast<int>(bytes_.below(2));
  if (bytes_.chance(60)) {
    const int32_t dtype = integer_type();
    const Var a = any(dtype, rank), b = any(dtype, rank);
    result(node(bytes_.one_of(kCompare), {a.name, b.name}), kBool, rank);
  } else if (bytes_.chance(30)) {
    result(node("Not", {any(kBool, rank).name}), kBool, rank);
  } else if (bytes_.chance(50)) {
    const Var a = any(kBool, rank), b = any(kBool, rank);
    result(node(bytes_.one_of(kLogic), {a.name, b.name}), kBool, rank);
  } else {
    const int32_t dtype = integer_type();
    const Var c = any(kBool, rank), a = any(dtype, rank), b = any(dtype, rank);
    result(node("Where", {c.name, a.name, b.name}), dtype, rank);
  }
}

void Body::conversion() {
  static constexpr int32_t kTypes[] = {kInt64, kInt32, kFloat, kBool};
  static constexpr const char* kRound[] = {"Floor", "Ceil", "Round", "Sqrt"};
  const int rank = static_cast<int>(bytes_.below(2));
  if (bytes_.chance(30)) {
    result(node(bytes_.one_of(kRound), {any(kFloat, rank).name}), kFloat, rank);
    return;
  }
  const int32_t to = bytes_.one_of(kTypes);
  NodeProto& n = node("Cast", {any(bytes_.one_of(kTypes), rank).name});
  set(n, "to", to);
  result(n, to, rank);
}

void Body::indexing() {
  const int32_t dtype = integer_type();
  const Var v = vector(dtype);
  switch (bytes_.below(6)) {
    case 0: {
      const int rank = static_cast<int>(bytes_.below(2));
      NodeProto& n = node("Gather", {v.name, any(kInt64, rank).name});
      if (bytes_.chance(30)) set(n, "axis", bytes_.chance(50) ? 0 : -1);
      result(n, dtype, rank);
      return;
    }
    case 1:
      result(node("Unsqueeze", {scalar(dtype).name, constant(kInt64, 1).name}), dtype, 1);
      return;
    case 2: {
      NodeProto& n = node("Squeeze", {v.name});
      if (bytes_.chance(50)) n.add_input(constant(kInt64, 1).name);
      result(n, dtype, 0);
      return;
    }
    case 3: {
      const Var index = vector(kInt64), update = vector(dtype);
      NodeProto& n = node("ScatterElements", {v.name, index.name, update.name});
      set(n, "axis", 0);
      result(n, dtype, 1);
      return;
    }
    case 4: {
      NodeProto& n = node("Split", {v.name});
      set(n, "axis", 0);
      if (bytes_.chance(50)) n.add_input(vector(kInt64).name);
      result(n, dtype, 1);
      if (bytes_.chance(70)) result(n, dtype, 1);
      return;
    }
    default: {
      const Var other = vector(dtype);
      NodeProto& n = node("Concat", {v.name, other.name});
      set(n, "axis", bytes_.chance(50) ? 0 : -1);
      result(n, dtype, 1);
    }
  }
}

// Every optional input in turn: there, "", or left out.
void Body::slicing() {
  const int32_t dtype = integer_type();
  const Var v = vector(dtype);
  NodeProto& n = *nodes_.Add();
  n.set_op_type("Slice");
  std::vector<std::string> inputs{v.name};
  // The node stands before its constants; the checker sorts.
  const auto part = [&] { return bytes_.chance(60) ? constant(kInt64, 1) : vector(kInt64); };
  inputs.push_back(part().name);
  inputs.push_back(part().name);
  if (bytes_.chance(60)) inputs.push_back(bytes_.chance(30) ? "" : part().name);
  if (inputs.size() == 4 && bytes_.chance(60)) inputs.push_back(part().name);
  for (const std::string& i : inputs) n.add_input(i);
  result(n, dtype, 1);
}

void Body::making() {
  const int32_t dtype = integer_type();
  switch (bytes_.below(6)) {
    case 0: {
      NodeProto& n = node("Shape", {data().name});
      if (bytes_.chance(30)) set(n, "start", bytes_.integer());
      if (bytes_.chance(30)) set(n, "end", bytes_.integer());
      result(n, kInt64, 1);
      return;
    }
    case 1:
      result(node("Size", {data().name}), kInt64, 0);
      return;
    case 2: {
      const Var a = scalar(dtype), b = scalar(dtype), c = scalar(dtype);
      result(node("Range", {a.name, b.name, c.name}), dtype, 1);
      return;
    }
    case 3: {
      NodeProto& n = node("ConstantOfShape", {constant(kInt64, 1).name});
      AttributeProto& a = *n.add_attribute();
      a.set_name("value");
      a.set_type(AttributeProto::TENSOR);
      a.mutable_t()->set_data_type(kInt64);
      a.mutable_t()->add_dims(1);
      a.mutable_t()->add_int64_data(bytes_.integer());
      result(n, kInt64, 1);
      return;
    }
    case 4:
      result(node("Expand", {vector(dtype).name, constant(kInt64, 1).name}), dtype, 1);
      return;
    default:
      result(node("Tile", {vector(dtype).name, constant(kInt64, 1).name}), dtype, 1);
  }
}

void Body::reducing() {
  static constexpr const char* kReduce[] = {"ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin"};
  const int32_t dtype = integer_type();
  if (bytes_.chance(20)) {
    NodeProto& n = node("CumSum", {vector(kInt64).name, scalar(kInt64).name});
    if (bytes_.chance(30)) set(n, "exclusive", 1);
    if (bytes_.chance(30)) set(n, "reverse", 1);
    result(n, kInt64, 1);
    return;
  }
  NodeProto& n = node(bytes_.one_of(kReduce), {vector(dtype).name});
  const bool keep = bytes_.chance(50);
  set(n, "keepdims", keep);
  if (bytes_.chance(40)) n.add_input(constant(kInt64, 1).name);
  if (bytes_.chance(20)) set(n, "noop_with_empty_axes", 1);
  result(n, dtype, keep ? 1 : 0);
}

void Body::consuming() {
  const Var x = data();
  switch (bytes_.below(6)) {
    case 0: {
      NodeProto& n = node("Reshape", {x.name, vector(kInt64).name});
      if (bytes_.chance(20)) set(n, "allowzero", 1);
      result(n, kFloat, -1);
      return;
    }
    case 1:
      result(node("Expand", {x.name, vector(kInt64).name}), kFloat, -1);
      return;
    case 2: {
      const Var from = vector(kInt64), to = vector(kInt64);
      result(node("Slice", {x.name, from.name, to.name}), kFloat, x.rank);
      return;
    }
    case 3:
      result(node("ConstantOfShape", {vector(kInt64).name}), kFloat, -1);
      return;
    case 4:
      result(node("Pad", {x.name, vector(kInt64).name}), kFloat, x.rank);
      return;
    default:
      result(node("Tile", {x.name, vector(kInt64).name}), kFloat, x.rank);
  }
}

void Body::branching() {
  const Var condition = scalar(kBool);
  NodeProto& n = *nodes_.Add();
  n.set_op_type("If");
  n.add_input(condition.name);
  const int32_t dtype = integer_type();
  const int rank = static_cast<int>(bytes_.below(2));
  for (const char* branch : {"then_branch", "else_branch"}) {
    GraphProto& g = set_graph(n, branch);
    Body inner(bytes_, *g.mutable_node(), counter_, vars_, depth_ + 1);
    inner.functions = functions;
    inner.write(static_cast<int>(bytes_.below(4)));
    const Var last = inner.any(dtype, rank);
    NodeProto& copy = inner.node("Identity", {last.name});
    declare(*g.add_output(), inner.result(copy, dtype, rank));
  }
  result(n, dtype, rank);
}

void Body::looping() {
  NodeProto& n = *nodes_.Add();
  n.set_op_type("Loop");
  const bool has_trips = bytes_.chance(80), has_condition = bytes_.chance(40);
  n.add_input(has_trips ? (bytes_.chance(50) ? constant(kInt64, 0) : scalar(kInt64)).name : "");
  n.add_input(has_condition ? scalar(kBool).name : "");
  std::vector<Var> carried;
  for (size_t k = 1 + bytes_.below(2); k > 0; k--)
    carried.push_back(any(integer_type(), static_cast<int>(bytes_.below(2))));
  const bool scans = bytes_.chance(40);
  GraphProto& g = set_graph(n, "body");
  std::vector<Var> visible = vars_;
  const Var step{"v" + std::to_string(counter_++), kInt64, 0};
  const Var alive{"v" + std::to_string(counter_++), kBool, 0};
  declare(*g.add_input(), step);
  declare(*g.add_input(), alive);
  visible.insert(visible.end(), {step, alive});
  for (const Var& c : carried) {
    n.add_input(c.name);
    const Var formal{"v" + std::to_string(counter_++), c.dtype, c.rank};
    declare(*g.add_input(), formal);
    visible.push_back(formal);
  }
  Body inner(bytes_, *g.mutable_node(), counter_, visible, depth_ + 1);
  inner.functions = functions;
  inner.write(static_cast<int>(bytes_.below(5)));
  const Var go = bytes_.chance(60) ? alive : inner.any(kBool, 0);
  declare(*g.add_output(), inner.result(inner.node("Identity", {go.name}), kBool, 0));
  for (const Var& c : carried) {
    const Var last = inner.any(c.dtype, c.rank);
    declare(*g.add_output(), inner.result(inner.node("Identity", {last.name}), c.dtype, c.rank));
  }
  const Var slice = scans ? inner.any(kInt64, 0) : Var{};
  if (scans)
    declare(*g.add_output(), inner.result(inner.node("Identity", {slice.name}), kInt64, 0));
  for (const Var& c : carried) result(n, c.dtype, c.rank);
  if (scans) result(n, kInt64, 1);
}

void Body::scanning() {
  const Var state = scalar(kInt64), sequence = vector(kInt64);
  NodeProto& n = node("Scan", {state.name, sequence.name});
  set(n, "num_scan_inputs", 1);
  GraphProto& g = set_graph(n, "body");
  std::vector<Var> visible = vars_;
  for (int i = 0; i < 2; i++) {
    const Var formal{"v" + std::to_string(counter_++), kInt64, 0};
    declare(*g.add_input(), formal);
    visible.push_back(formal);
  }
  Body inner(bytes_, *g.mutable_node(), counter_, visible, depth_ + 1);
  inner.functions = functions;
  inner.write(static_cast<int>(bytes_.below(4)));
  for (int i = 0; i < 2; i++) {
    const Var last = inner.any(kInt64, 0);
    declare(*g.add_output(), inner.result(inner.node("Identity", {last.name}), kInt64, 0));
  }
  result(n, kInt64, 0);
  result(n, kInt64, 1);
}

void Body::calling() {
  if (functions.empty()) return arithmetic();
  const auto& [name, inputs] = functions[bytes_.below(functions.size())];
  std::vector<std::string> given;
  given.reserve(static_cast<size_t>(inputs));
  for (int i = 0; i < inputs; i++)
    given.push_back(i > 0 && bytes_.chance(15) ? "" : vector(kInt64).name);
  NodeProto& n = node(name, given);
  n.set_domain("f");
  result(n, kInt64, 1);
}

void Body::write(int count) {
  using Step = void (Body::*)();
  static constexpr Step kSteps[] = {
      &Body::arithmetic, &Body::arithmetic, &Body::comparison, &Body::conversion, &Body::indexing,
      &Body::indexing,   &Body::slicing,    &Body::making,     &Body::making,     &Body::reducing,
      &Body::consuming,  &Body::calling,    &Body::branching,  &Body::looping,    &Body::scanning};
  const size_t steps = std::size(kSteps) - (depth_ >= 3 ? 3 : 0);
  for (; count > 0; count--) (this->*kSteps[bytes_.below(steps)])();
}

static void add_functions(Bytes& bytes, onnx::ModelProto& model, int& counter,
                          std::vector<std::pair<std::string, int>>& functions) {
  for (size_t k = bytes.below(3); k > 0; k--) {
    onnx::FunctionProto& f = *model.add_functions();
    f.set_domain("f");
    f.set_name("F" + std::to_string(functions.size()));
    auto& import = *f.add_opset_import();
    import.set_version(18);
    auto& own = *f.add_opset_import();
    own.set_domain("f");
    own.set_version(1);
    const int inputs = 1 + static_cast<int>(bytes.below(2));
    std::vector<Var> visible;
    for (int i = 0; i < inputs; i++) {
      visible.push_back({"v" + std::to_string(counter++), kInt64, 1});
      f.add_input(visible.back().name);
    }
    Body body(bytes, *f.mutable_node(), counter, visible, 1);
    body.functions = functions;
    body.write(1 + static_cast<int>(bytes.below(4)));
    const Var last = body.vector(kInt64);
    NodeProto& copy = *f.add_node();
    copy.set_op_type("Identity");
    copy.add_input(last.name);
    copy.add_output(f.name() + "_result");
    f.add_output(f.name() + "_result");
    functions.emplace_back(f.name(), inputs);
  }
}

onnx::ModelProto shape_model(Bytes& bytes) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(18);
  auto& own = *model.add_opset_import();
  own.set_domain("f");
  own.set_version(1);
  int counter = 0;
  std::vector<std::pair<std::string, int>> functions;
  add_functions(bytes, model, counter, functions);
  GraphProto& g = *model.mutable_graph();
  g.set_name("g");
  const std::vector<Var> inputs{
      {"x", kFloat, 3}, {"y", kFloat, -1}, {"s", kInt64, 1}, {"k", kInt64, 0}, {"c", kBool, 0}};
  declare(*g.add_input(), inputs[0], {"N", "3", "M"});
  declare(*g.add_input(), inputs[1]);
  declare(*g.add_input(), inputs[2], {"4"});
  declare(*g.add_input(), inputs[3]);
  declare(*g.add_input(), inputs[4]);
  Body body(bytes, *g.mutable_node(), counter, inputs, 0);
  body.functions = functions;
  body.write(2 + static_cast<int>(bytes.below(14)));
  size_t outputs = 0;
  for (size_t i = body.vars().size(); i-- > inputs.size() && outputs < 3; outputs++)
    declare(*g.add_output(), body.vars()[i]);
  return model;
}

}  // namespace onnx2fx::fuzz
