// A number gives what the constant gives where the other operand has its dtype, so that neither
// promotes the other, and no lower rank, so that it adds no axis. What is divided by a tensor stays
// a tensor: torch takes the reciprocal then. In the aten dialect a number may stand for a Tensor,
// as torch.export writes it.
#include "core/convert/numbers.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/fx/decimal.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Argument;
using fx::Node;
using fx::NodeRef;

/// What a call becomes with a number for the last of its two operands, and for the first: another
/// target, with both in their places or changing them. Empty: the number cannot stand there.
struct Row {
  std::string_view target, last, first;
  bool first_changes_places = false;
  size_t operands = 0;  ///< where the two begin
};
constexpr Row same(std::string_view target, size_t operands = 0) {
  return {target, target, target, false, operands};
}
constexpr auto kRows = std::to_array<Row>({
    same("operator::add"),
    same("operator::eq"),
    same("operator::ge"),
    same("operator::gt"),
    same("operator::le"),
    same("operator::lt"),
    same("operator::mul"),
    same("operator::ne"),
    same("operator::sub"),
    {"operator::truediv", "operator::truediv", ""},
    same("torch::where", 1),
    {"aten::add.Tensor", "aten::add.Tensor", "aten::add.Tensor", true},
    {"aten::div.Tensor", "aten::div.Tensor", ""},
    {"aten::eq.Tensor", "aten::eq.Scalar", "aten::eq.Scalar", true},
    {"aten::ge.Tensor", "aten::ge.Scalar", "aten::le.Scalar", true},
    {"aten::gt.Tensor", "aten::gt.Scalar", "aten::lt.Scalar", true},
    {"aten::le.Tensor", "aten::le.Scalar", "aten::ge.Scalar", true},
    {"aten::lt.Tensor", "aten::lt.Scalar", "aten::gt.Scalar", true},
    {"aten::mul.Tensor", "aten::mul.Tensor", "aten::mul.Tensor", true},
    {"aten::ne.Tensor", "aten::ne.Scalar", "aten::ne.Scalar", true},
    {"aten::sub.Tensor", "aten::sub.Tensor", "aten::rsub.Scalar", true},
    {"aten::where.self", "aten::where.ScalarOther", "aten::where.ScalarSelf", false, 1},
});

template <class T>
T element(std::span<const uint8_t> bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

Argument number_in(int32_t dtype, std::span<const uint8_t> bytes) {
  switch (dtype) {
    case onnx::TensorProto::FLOAT:
      return fx::decimal(element<float>(bytes));
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
    const auto* row = std::ranges::find(kRows, call.target, &Row::target);
    if (row == kRows.end() || call.args.size() != row->operands + 2) return;
    Argument &first = call.args[row->operands], &last = call.args[row->operands + 1];
    if (Argument n = beside(program, last, first); !n.is_none()) {
      last = std::move(n);
      call.target = row->last;
    } else if (n = beside(program, first, last); !row->first.empty() && !n.is_none()) {
      first = std::move(n);
      if (row->first_changes_places) std::swap(first, last);
      call.target = row->first;
    }
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
    if (!t || !r) return {};
    const size_t rank = t->dims.size();
    const fx::TypeText& type = program.nodes[r->index].type;
    const fx::Tensor* o = tensor(program, other);
    const bool same = o ? o->dtype == t->dtype && o->dims.size() >= rank
                        : type.dtype == t->dtype && type.shape && type.shape->size() >= rank;
    TensorEntry& e = *entries_[static_cast<size_t>(t - module_.tensors.data())];
    if (!same || (o && o->role == fx::Role::kConstant) || e.count() != 1) return {};
    return number_of(*t, e, tensors_);
  }

  const fx::Module& module_;
  const std::vector<TensorEntry*>& entries_;
  Tensors& tensors_;
};

}  // namespace

Argument number_of(const fx::Tensor& tensor, TensorEntry& entry, Tensors& tensors) {
  constexpr int64_t kMost = 4096;
  const int64_t count = entry.count();
  if (tensor.role != fx::Role::kConstant || count < 1 || count > kMost || tensors.absent(entry))
    return {};
  const std::span<const uint8_t> bytes = tensors.bytes(entry);
  const size_t size = bytes.size() / static_cast<size_t>(count);
  const bool same =
      std::equal(bytes.begin() + static_cast<ptrdiff_t>(size), bytes.end(), bytes.begin());
  return same ? number_in(entry.dtype, bytes.first(size)) : Argument();
}

void write_numbers(fx::Module& module, const std::vector<TensorEntry*>& entries, Tensors& tensors) {
  Numbers numbers(module, entries, tensors);
  for (fx::Program& program : module.programs)
    for (Node& n : program.nodes) numbers.write(program, n);
}

}  // namespace onnx2fx::conversion
