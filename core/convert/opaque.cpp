#include "core/convert/opaque.hpp"

#include <deque>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/border/arguments.hpp"

namespace onnx2fx::conversion {
namespace {

// Arguments of a call; lists and texts live as long as this.
class Arguments {
 public:
  static o2fx_arg value(ValueId id) {
    return id ? host::value_arg(id) : o2fx_arg{};  // zero is None
  }
  o2fx_arg list(std::vector<o2fx_arg> items) {
    lists_.push_back(std::move(items));
    o2fx_arg a{};
    a.tag = O2FX_T_LIST;
    a.len = static_cast<uint32_t>(lists_.back().size());
    a.u.list = lists_.back().data();
    return a;
  }
  template <class Range, class F>
  o2fx_arg list(const Range& range, F&& f) {
    std::vector<o2fx_arg> items;
    items.reserve(range.size());
    for (const auto& x : range) items.push_back(f(x));
    return list(std::move(items));
  }

  /// None for what is neither a number nor a text.
  o2fx_arg attribute(const onnx::AttributeProto& a) {
    switch (a.type()) {
      case onnx::AttributeProto::INT:
        return host::integer(a.i());
      case onnx::AttributeProto::FLOAT:
        return host::real(a.f());
      case onnx::AttributeProto::STRING:
        return host::string(a.s());
      case onnx::AttributeProto::INTS:
        return list(a.ints(), host::integer);
      case onnx::AttributeProto::FLOATS:
        return list(a.floats(), host::real);
      case onnx::AttributeProto::STRINGS:
        return list(a.strings(), host::string);
      default:
        return {};
    }
  }

 private:
  std::deque<std::vector<o2fx_arg>> lists_;
};

bool is_plain(const Type& type) {
  return type.is_tensor() && type.dtype && type.dtype != onnx::TensorProto::STRING && type.dims;
}

// As JSON, in the order of the model; nullopt: one is no number, text or list of such.
std::optional<std::string> json_of(const onnx::NodeProto& node) {
  auto all = nlohmann::ordered_json::object();
  for (const onnx::AttributeProto& a : node.attribute()) {
    auto& j = all[a.name()];
    switch (a.type()) {
      case onnx::AttributeProto::INT:
        j = a.i();
        break;
      case onnx::AttributeProto::FLOAT:
        j = a.f();
        break;
      case onnx::AttributeProto::STRING:
        j = a.s();
        break;
      case onnx::AttributeProto::INTS:
        j = a.ints();
        break;
      case onnx::AttributeProto::FLOATS:
        j = a.floats();
        break;
      case onnx::AttributeProto::STRINGS:
        j = a.strings();
        break;
      default:
        return {};
    }
  }
  return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool can_be_traced(Builder& builder, const NodeView& view, const std::vector<Type>& types) {
  for (const ValueId id : view.inputs)
    if (id && !builder.type(id).is_tensor()) return false;
  for (int k = 0; k < view.proto.output_size(); k++)
    if (!view.proto.output(k).empty() && !is_plain(types[static_cast<size_t>(k)])) return false;
  return true;
}

std::vector<ValueId> emit(Builder& builder, const std::string& target,
                          const std::vector<o2fx_arg>& args, int unpacked) {
  o2fx_emit call{};
  call.struct_size = sizeof call;
  call.target = {target.data(), static_cast<uint32_t>(target.size())};
  call.args = args.data();
  call.n_args = static_cast<uint32_t>(args.size());
  call.n_unpack = static_cast<uint32_t>(unpacked);
  return builder.emit(call);
}

std::vector<ValueId> emit_custom_calls(Builder& builder, const NodeView& view,
                                       const std::string& domain, const std::vector<Type>& types,
                                       const std::string& attributes) {
  Arguments make;
  const onnx::NodeProto& node = view.proto;
  const o2fx_arg inputs = make.list(view.inputs, Arguments::value);
  std::vector<ValueId> results;
  for (int k = 0; k < node.output_size(); k++) {
    results.push_back(0);
    if (node.output(k).empty()) continue;
    const Type& type = types[static_cast<size_t>(k)];
    o2fx_arg dtype = host::integer(type.dtype);
    dtype.tag = O2FX_T_DTYPE;
    const o2fx_arg shape = make.list(*type.dims, [&](const MaybeSym& d) {
      return !d || d->is_literal() ? host::integer(d ? d->literal() : -1)
                                   : host::value_arg(builder.add_number(*d));
    });
    results.back() =
        emit(builder, "onnx2fx::custom_call",
             {host::string(domain), host::string(node.op_type()), host::integer(view.opset),
              host::integer(k), inputs, host::string(attributes), dtype, shape},
             0)[0];
  }
  return results;
}

}  // namespace

std::vector<ValueId> emit_opaque(Builder& builder, const NodeView& view, const std::string& domain,
                                 const std::vector<Type>& types) {
  if (can_be_traced(builder, view, types))
    if (const auto attributes = json_of(view.proto))
      return emit_custom_calls(builder, view, domain, types, *attributes);
  Arguments make;
  const onnx::NodeProto& node = view.proto;
  const o2fx_arg attributes = make.list(node.attribute(), [&](const onnx::AttributeProto& a) {
    return make.list({host::string(a.name()), make.attribute(a)});
  });
  return emit(
      builder, "onnx2fx::opaque",
      {host::string(domain), host::string(node.op_type()), host::integer(view.opset),
       make.list(view.inputs, Arguments::value), attributes, host::integer(node.output_size())},
      node.output_size());
}

}  // namespace onnx2fx::conversion
