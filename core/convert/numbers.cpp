// A number gives what the constant gives where the other operand has its dtype, so that neither
// promotes the other, and no lower rank, so that it adds no axis. What is divided by a tensor stays
// a tensor: torch takes the reciprocal then.
#include "core/convert/numbers.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace onnx2fx::conversion {
namespace {

using fx::Argument;
using fx::Node;
using fx::NodeRef;

constexpr auto kEitherSide = std::to_array<std::string_view>(
    {"operator::add", "operator::eq", "operator::ge", "operator::gt", "operator::le",
     "operator::lt", "operator::mul", "operator::ne", "operator::sub", "torch::where"});

template <class T>
T element(std::span<const uint8_t> bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

Argument number_of(int32_t dtype, std::span<const uint8_t> bytes) {
  switch (dtype) {
    case onnx::TensorProto::FLOAT:
      return static_cast<double>(element<float>(bytes));
    case onnx::TensorProto::DOUBLE:
      return element<double>(bytes);
    case onnx::TensorProto::INT64:
      return element<int64_t>(bytes);
    case onnx::TensorProto::INT32:
      return int64_t{element<int32_t>(bytes)};
    default:
      return {};
  }
}

class Numbers {
 public:
  Numbers(const fx::Module& module, const std::vector<TensorEntry*>& entries, Tensors& tensors)
      : module_(module), entries_(entries), tensors_(tensors) {}

  void write(const fx::Program& program, Node& call) {
    if (call.op != fx::Op::kCallFunction || !call.kwargs.empty()) return;
    const bool either = std::ranges::find(kEitherSide, call.target) != kEitherSide.end();
    const size_t first = call.target == "torch::where" ? 1 : 0;
    if (!(either || call.target == "operator::truediv") || call.args.size() != first + 2) return;
    Argument &left = call.args[first], &right = call.args[first + 1];
    if (Argument n = beside(program, right, left); !n.is_none())
      right = std::move(n);
    else if (n = beside(program, left, right); either && !n.is_none())
      left = std::move(n);
  }

 private:
  const fx::Tensor* tensor(const fx::Program& program, const Argument& a) const {
    const NodeRef* r = a.as<NodeRef>();
    const Node* n = r ? &program.nodes[r->index] : nullptr;
    return n && n->op == fx::Op::kGetAttr && n->tensor ? &module_.tensors[*n->tensor] : nullptr;
  }

  /// The constant `a` as a number beside a tensor, `other`; None: it has to stay.
  Argument beside(const fx::Program& program, const Argument& a, const Argument& other) {
    const fx::Tensor* t = tensor(program, a);
    const NodeRef* r = other.as<NodeRef>();
    if (!t || !r || t->role != fx::Role::kConstant) return {};
    const size_t rank = t->dims.size();
    const fx::TypeText& type = program.nodes[r->index].type;
    const fx::Tensor* o = tensor(program, other);
    const bool same = o ? o->dtype == t->dtype && o->dims.size() >= rank
                        : type.dtype == t->dtype && type.shape && type.shape->size() >= rank;
    TensorEntry& e = *entries_[static_cast<size_t>(t - module_.tensors.data())];
    if (!same || (o && o->role == fx::Role::kConstant) || e.count() != 1 || tensors_.absent(e))
      return {};
    return number_of(e.dtype, tensors_.bytes(e));
  }

  const fx::Module& module_;
  const std::vector<TensorEntry*>& entries_;
  Tensors& tensors_;
};

}  // namespace

void write_numbers(fx::Module& module, const std::vector<TensorEntry*>& entries, Tensors& tensors) {
  Numbers numbers(module, entries, tensors);
  for (fx::Program& program : module.programs)
    for (Node& n : program.nodes) numbers.write(program, n);
}

}  // namespace onnx2fx::conversion
