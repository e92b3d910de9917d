// Ops on tensors that are older than, or the same as, those of the default domain: ExpandDims,
// Inverse, Pad, Trilu.
#include <algorithm>

#include "plugins/com.microsoft/extents.hpp"
#include "plugins/com.microsoft/families.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

void inverse(Node& n) {
  const Value x = n.input(0);
  n.output(like(n, n.call("aten::linalg_inv", {x}), x));
}

void trilu(Node& n) {
  const Value x = n.input(0), k = n.n_inputs() > 1 ? n.maybe_input(1) : Value{};
  const Int diagonal = k ? n.integer_of(k) : Int(0);
  const char* target = n.flag("upper", true) ? "aten::triu" : "aten::tril";
  n.output(like(n, n.call(target, {x, diagonal}), x));
}

void expand_dims(Node& n) {
  const Value x = n.input(0);
  const int64_t rank = n.rank(x) + 1;
  const int64_t axis = Node::axis(n.integer_of(n.input(1)).literal("the axis"), rank);
  Extents extents = extents_of(n, x);
  extents->insert(extents->begin() + axis, Extent(1));
  n.output(typed(n, n.call("aten::unsqueeze", {x, axis}), n.dtype(x), extents));
}

// ATen repeats edges, and mirrors, on at most the last three axes, and only with batch axes before.
Value padded(Node& n, Value x, const Ints& begin, const Ints& end, const std::string& mode) {
  const size_t rank = begin.size();
  size_t first = rank;
  for (size_t i = rank; i-- > 0;)
    if (!begin[i].is(0) || !end[i].is(0)) first = i;
  const size_t axes = rank - first;
  if (axes == 0) return x;
  if (mode != "constant" && axes > 3)
    throw Unsupported("input 'pads': expected 0 before the last three axes");
  Ints flat;
  for (size_t i = rank; i-- > first;) {
    flat.push_back(begin[i]);
    flat.push_back(end[i]);
  }
  if (mode == "constant") {
    const Value fill = n.maybe_input(2);
    return n.call("aten::constant_pad_nd", {x, flat, fill ? n.number(fill) : Arg(0)});
  }
  Value y = x;
  for (size_t r = rank; r < axes + 2; r++) y = n.call("aten::unsqueeze", {y, 0});
  y = n.call("aten::pad", {y, flat, mode == "edge" ? "replicate" : "reflect"});
  for (size_t r = rank; r < axes + 2; r++) y = n.call("aten::squeeze.dim", {y, 0});
  return y;
}

void pad(Node& n) {
  const Value x = n.input(0);
  const std::string mode = n.text("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect")
    throw Unsupported("attribute 'mode': expected constant, edge or reflect, got '" + mode + "'");
  if (mode != "constant") n.maybe_input(2);
  Value amounts = n.input(1);
  if (n.rank(amounts) == 2) amounts = n.call("aten::reshape", {amounts, Ints{-1}});
  const Ints all = n.ints(amounts);
  const size_t rank = static_cast<size_t>(n.rank(x, 1));
  if (all.size() != 2 * rank)
    throw Invalid("input 'pads': expected " + std::to_string(2 * rank) + " elements, got " +
                  std::to_string(all.size()));
  const Ints begin(all.begin(), all.begin() + static_cast<int64_t>(rank)),
      end(all.begin() + static_cast<int64_t>(rank), all.end());
  std::vector<Extent> extents;
  for (size_t i = 0; i < rank; i++)
    extents.push_back(n.add(n.dim(x, static_cast<int64_t>(i)), n.add(begin[i], end[i])));
  const Value y = padded(n, x, begin, end, mode);
  n.output(y == x ? y : typed(n, y, n.dtype(x), extents));
}

constexpr o2fx_op kOps[] = {
    row("ExpandDims", lower<expand_dims>),
    row("Inverse", lower<inverse>),
    row("Pad", lower<pad>),
    row("Trilu", lower<trilu>),
};

}  // namespace

const Family kTensor = family(kOps);
