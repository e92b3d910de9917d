#include "core/convert/opaque.hpp"

#include <deque>

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

}  // namespace

std::vector<ValueId> emit_opaque(Builder& builder, const NodeView& view,
                                 const std::string& domain) {
  Arguments make;
  const onnx::NodeProto& node = view.proto;
  const o2fx_arg attributes = make.list(node.attribute(), [&](const onnx::AttributeProto& a) {
    return make.list({host::string(a.name()), make.attribute(a)});
  });
  const o2fx_arg args[] = {host::string(domain),
                           host::string(node.op_type()),
                           host::integer(view.opset),
                           make.list(view.inputs, Arguments::value),
                           attributes,
                           host::integer(node.output_size())};
  o2fx_emit call{};
  call.struct_size = sizeof call;
  call.target = O2FX_STR("onnx2fx::opaque");
  call.args = args;
  call.n_args = std::size(args);
  call.n_unpack = static_cast<uint32_t>(node.output_size());
  return builder.emit(call);
}

}  // namespace onnx2fx::conversion
