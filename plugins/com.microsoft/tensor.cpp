// Ops on tensors that are older than, or the same as, those of the default domain: ExpandDims,
// Inverse, Pad, Trilu.
#include "plugins/com.microsoft/families.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/padding.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

void inverse(Node& n) {
  const Value x = n.input(0);
  n.output(n.call("aten::linalg_inv", {x}));
}

void trilu(Node& n) {
  const Value x = n.input(0), k = n.n_inputs() > 1 ? n.maybe_input(1) : Value{};
  const Int diagonal = k ? n.integer_of(k) : Int(0);
  const char* target = n.flag("upper", true) ? "aten::triu" : "aten::tril";
  n.output(n.call(target, {x, diagonal}));
}

void expand_dims(Node& n) {
  const Value x = n.input(0);
  const int64_t rank = n.rank(x) + 1;
  const int64_t axis = Node::axis(n.integer_of(n.input(1)).literal("the axis"), rank);
  n.output(n.call("aten::unsqueeze", {x, axis}));
}

void pad(Node& n) {
  const Value x = n.input(0);
  const std::string mode = one_of(n, "mode", {"constant", "edge", "reflect"}, "constant");
  const Value fill = n.maybe_input(2);
  Value amounts = n.input(1);
  if (n.rank(amounts) == 2) amounts = n.call("aten::reshape", {amounts, Ints{-1}});
  const Ints all = n.ints(amounts);
  const size_t rank = static_cast<size_t>(n.rank(x, 1));
  if (all.size() != 2 * rank)
    throw Invalid("input 'pads': expected " + std::to_string(2 * rank) + " elements, got " +
                  std::to_string(all.size()));
  const auto middle = all.begin() + static_cast<int64_t>(rank);
  const Padding p{Ints(all.begin(), middle), Ints(middle, all.end())};
  n.output(mode != "constant" ? padded_by_itself(n, x, p, mode)
                              : padded(n, x, p, fill ? n.number(fill) : Arg(0)));
}

constexpr o2fx_op kOps[] = {
    row("ExpandDims", lower<expand_dims>),
    row("Inverse", lower<inverse>),
    row("Pad", lower<pad>),
    row("Trilu", lower<trilu>),
};

}  // namespace

const Family kTensor = family(kOps);
