// QuantizeLinear and then DequantizeLinear is, of floats d in units of the scale,
//
//   back = float(int8(clamp(round(d) + zero, least, greatest)))
//
// through which no gradient comes. torch has an operator with a straight-through one,
//
//   fake_quantize_per_tensor_affine(d, 1, zero, least, greatest) = clamp(...) - zero
//
// With a scale of 1 it computes just that; with the real one it multiplies by the reciprocal where
// ONNX divides, and rounds some numbers to the neighbour. It casts to int64 before it clamps, so
// that what lies far out, infinities among it, is cut before it, one unit beyond the range: there
// its gradient is 0 already.
//
// Where the zero points are not one number of the file (by channel, or a buffer behind a Cast), or
// a Clip narrows the integers, the arithmetic stays, in floats, which hold it exactly: a
// fake_quantize that is wide enough for any zero point rounds, the casts go, clamp has a gradient.
#include "core/convert/fake_quantize.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Argument;
using fx::Node;
using fx::NodeRef;

/// A round trip through an integer type.
struct Trip {
  uint32_t from;  ///< d
  uint32_t back;
  int64_t zero, least, greatest;
  std::vector<Node> after;  ///< what follows the rounding, if it stays: add, clamp, Clip
};

class Trips {
 public:
  Trips(const fx::Program& program, const std::vector<TensorEntry*>& entries, Tensors& tensors)
      : nodes_(program.nodes), entries_(entries), tensors_(tensors) {}

  std::optional<Trip> ending_at(uint32_t back) {
    if (!casts_to(nodes_[back], "float32") || !is_of(nodes_[back], "DequantizeLinear")) return {};
    const Node* integer = operand(nodes_[back], 0);
    std::vector<Node> after;  // from the end
    for (; integer && is_of(*integer, "Clip"); integer = operand(*integer, 0))
      if (integer->target.starts_with("aten::clamp"))
        after.push_back(*integer);
      else if (!casts_to(*integer, "int") && !casts_to(*integer, "uint"))
        return {};
    if (!integer || !(casts_to(*integer, "int") || casts_to(*integer, "uint"))) return {};
    const Node* clamp = operand(*integer, 0);
    if (!clamp || clamp->target != "aten::clamp" || clamp->args.size() != 3) return {};
    if (!is_of(*clamp, "QuantizeLinear")) return {};
    const int64_t *least = clamp->args[1].as<int64_t>(), *greatest = clamp->args[2].as<int64_t>();
    const Node* rounded = operand(*clamp, 0);
    if (!least || !greatest || !rounded || *greatest - *least > UINT16_MAX) return {};
    const bool narrow = !after.empty();
    after.push_back(*clamp);
    std::optional<int64_t> zero = 0;
    if (rounded->target == "aten::add.Tensor" && rounded->args.size() == 2) {
      zero = zero_of(rounded->args[1]);
      after.push_back(*rounded);
      rounded = operand(*rounded, 0);
    }
    if (!rounded || rounded->target != "aten::round") return {};
    const NodeRef* from = rounded->args[0].as<NodeRef>();
    if (!from || nodes_[from->index].type.dtype != "float32") return {};
    if (zero && !narrow) return Trip{from->index, back, *zero, *least, *greatest, {}};
    const int64_t range = *greatest - *least;
    return Trip{from->index, back, 0, -range, range, {after.rbegin(), after.rend()}};
  }

  /// The number that all elements of a zero point are, behind casts and views.
  std::optional<int64_t> zero_of(const Argument& a) {
    const Node* n = node(a);
    while (n && (n->target == "aten::to.dtype" || n->target == "aten::reshape")) n = operand(*n, 0);
    if (!n || n->op != fx::Op::kGetAttr || !n->tensor) return {};
    TensorEntry& e = *entries_[*n->tensor];
    if (e.role == O2FX_ROLE_MUTATED || e.count() == 0 || tensors_.absent(e)) return {};
    const auto count = static_cast<uint64_t>(e.count());
    return all_equal(weights::carrier(e.dtype), weights::unpack(e.dtype, tensors_.bytes(e), count));
  }

 private:
  static bool is_of(const Node& n, std::string_view op_type) {
    return n.onnx && n.onnx->op_type == op_type;
  }
  static bool casts_to(const Node& n, std::string_view kind) {
    const fx::Dtype* to =
        n.target == "aten::to.dtype" && n.args.size() == 2 ? n.args[1].as<fx::Dtype>() : nullptr;
    return to && to->name.starts_with(kind);
  }
  const Node* node(const Argument& a) const {
    const NodeRef* r = a.as<NodeRef>();
    return r ? &nodes_[r->index] : nullptr;
  }
  const Node* operand(const Node& n, size_t i) const {
    return i < n.args.size() ? node(n.args[i]) : nullptr;
  }

  template <class T>
  static std::optional<int64_t> equal(const std::string& bytes) {
    T first{}, each{};
    std::memcpy(&first, bytes.data(), sizeof first);
    for (size_t i = 0; i + sizeof each <= bytes.size(); i += sizeof each) {
      std::memcpy(&each, bytes.data() + i, sizeof each);
      if (each != first) return {};
    }
    return first;
  }
  static std::optional<int64_t> all_equal(const std::string& dtype, const std::string& bytes) {
    if (dtype == "int8") return equal<int8_t>(bytes);
    if (dtype == "uint8") return equal<uint8_t>(bytes);
    if (dtype == "int16") return equal<int16_t>(bytes);
    if (dtype == "uint16") return equal<uint16_t>(bytes);
    return {};
  }

  const std::vector<Node>& nodes_;
  const std::vector<TensorEntry*>& entries_;
  Tensors& tensors_;
};

/// Two nodes before `back`, which becomes the sum that gives it the zero point again.
void insert(std::vector<Node>& into, std::set<std::string>& names, const Node& back,
            const Trip& trip, uint32_t from) {
  const auto call = [&](const char* target, std::vector<Argument> args, const char* what) {
    Node n = back;
    n.target = target;
    n.args = std::move(args);
    n.kwargs.clear();
    n.name += what;
    while (!names.insert(n.name).second) n.name += "_";
    into.push_back(std::move(n));
    return NodeRef{static_cast<uint32_t>(into.size() - 1)};
  };
  const NodeRef cut =
      call("aten::clamp",
           {NodeRef{from}, trip.least - trip.zero - 1, trip.greatest - trip.zero + 1}, "_cut");
  call("aten::fake_quantize_per_tensor_affine", {cut, 1.0, trip.zero, trip.least, trip.greatest},
       "_fake");
}

void rewrite(fx::Program& program, const std::map<uint32_t, Trip>& trips,
             const std::map<uint32_t, uint32_t>& centred) {
  std::set<std::string> names;
  for (const Node& n : program.nodes) names.insert(n.name);
  std::vector<Node> nodes;
  std::vector<uint32_t> place(program.nodes.size()), fake(program.nodes.size());
  for (uint32_t i = 0; i < program.nodes.size(); i++) {
    Node n = std::move(program.nodes[i]);
    const auto move = [&](Argument& a) {
      fx::for_each_ref(a, [&](NodeRef& r) { r.index = place[r.index]; });
    };
    for (Argument& a : n.args) move(a);
    for (fx::NamedArgument& a : n.kwargs) move(a.second);
    if (const auto trip = trips.find(i); trip != trips.end()) {
      insert(nodes, names, n, trip->second, place[trip->second.from]);
      fake[i] = static_cast<uint32_t>(nodes.size() - 1);
      for (Node kept : trip->second.after) {
        for (Argument& a : kept.args) move(a);
        kept.args[0] = NodeRef{static_cast<uint32_t>(nodes.size() - 1)};
        kept.type = n.type;
        while (!names.insert(kept.name).second) kept.name += "_";
        nodes.push_back(std::move(kept));
      }
      n.target = "aten::add.Scalar";
      n.args = {NodeRef{fake[i]}, trip->second.zero};
    }
    place[i] = static_cast<uint32_t>(nodes.size());
    nodes.push_back(std::move(n));
    if (const auto c = centred.find(i); c != centred.end()) place[i] = fake[c->second];
    if (const auto trip = trips.find(i); trip != trips.end() && trip->second.zero == 0)
      place[i] = fake[i] + static_cast<uint32_t>(trip->second.after.size());
  }
  program.nodes = std::move(nodes);
}

void fake_quantize(fx::Program& program, const std::vector<TensorEntry*>& entries,
                   Tensors& tensors) {
  Trips all(program, entries, tensors);
  std::map<uint32_t, Trip> trips;
  std::map<uint32_t, uint32_t> centred;  // back less its zero point -> back
  for (uint32_t i = 0; i < program.nodes.size(); i++) {
    if (const auto trip = all.ending_at(i)) trips.emplace(i, *trip);
    const Node& n = program.nodes[i];
    if (n.target != "aten::sub.Tensor" || n.args.size() != 2) continue;
    const NodeRef* back = n.args[0].as<NodeRef>();
    const auto trip = back ? trips.find(back->index) : trips.end();
    if (trip != trips.end() && trip->second.after.empty() &&
        all.zero_of(n.args[1]) == trip->second.zero)
      centred[i] = back->index;
  }
  if (!trips.empty()) rewrite(program, trips, centred);
}

}  // namespace

void fake_quantize(fx::Module& module, const std::vector<TensorEntry*>& entries, Tensors& tensors) {
  for (fx::Program& program : module.programs) fake_quantize(program, entries, tensors);
}

}  // namespace onnx2fx::conversion
