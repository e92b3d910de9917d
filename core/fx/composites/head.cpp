#include "core/fx/composites/head.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ranges>

namespace onnx2fx::fx::composites {
namespace {

using Kind = Term::Kind;
using Dims = std::vector<std::string>;

std::optional<int64_t> integer(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

/// Names of two inputs' extents may stand for the same one. An extent of 1 is one: what x has there
/// would show in the result.
bool fits(const Dims& x, const Dims& dims) {
  if (x.size() > dims.size()) return false;
  for (size_t i = 0; i < x.size(); i++) {
    const std::string& d = dims[i + dims.size() - x.size()];
    const bool both_known = integer(x[i]) && integer(d);
    if (x[i] != "1" && x[i] != d && (d == "1" || both_known)) return false;
  }
  return true;
}

/// [C, 1, 1] or [1, C, 1, 1] for [N, C, H, W].
bool per_channel(const Dims& w, const Dims& x) {
  if (x.size() < 2 || w.size() > x.size() || w.size() + 1 < x.size()) return false;
  const size_t channel = w.size() + 1 - x.size();
  for (size_t i = 0; i < w.size(); i++)
    if (w[i] != (i == channel ? x[1] : "1")) return false;
  return true;
}

}  // namespace

const Node* Head::node(TermRef t) const {
  if (t->kind != Kind::kTensor && t->kind != Kind::kLet) return nullptr;
  const size_t first = t->kind == Kind::kLet ? pattern_.variables.size() : 0;
  const auto& bound = bindings_[first + t->index];
  const bool is_node = bound && bound->term && bound->term->kind == Kind::kNode;
  return is_node ? &program_.nodes[bound->term->index] : nullptr;
}

bool Head::holds() const {
  return std::ranges::all_of(pattern_.conditions, [&](const Condition& c) { return holds(c); });
}

/// Of a tensor that is left out nothing is asked.
bool Head::is_left_out(TermRef term) const {
  if (term->kind == Kind::kTensor) return pattern_.variables[term->index].optional && !node(term);
  return std::ranges::any_of(term->children, [&](TermRef t) { return is_left_out(t); });
}

bool Head::holds(const Condition& c) const {
  if (is_left_out(c.left)) return true;
  const Value left = value(c.left);
  if (!c.right) return left == Value(true);
  const Value right = value(c.right);
  if (left.index() == 0 || right.index() == 0) return false;
  if (c.comparison == "==") return left == right;
  const double *a = std::get_if<double>(&left), *b = std::get_if<double>(&right);
  return a && b && (c.comparison == "<" ? *a < *b : *a <= *b);
}

Head::Value Head::value(TermRef term) const {
  if (term->kind == Kind::kNumber) return term->number;
  if (term->kind == Kind::kScalar) {
    const auto& bound = bindings_[term->index];
    return bound && bound->term ? Value(bound->term->number) : Value();
  }
  if (term->kind == Kind::kList) {
    Dims dims;
    for (TermRef t : term->children) {
      const Value d = value(t);
      if (const std::string* text = std::get_if<std::string>(&d)) dims.push_back(*text);
      if (const double* n = std::get_if<double>(&d))
        dims.push_back(std::to_string(static_cast<int64_t>(*n)));
    }
    return dims.size() == term->children.size() ? Value(dims) : Value();
  }
  return term->kind == Kind::kCall ? fact(*term) : Value();
}

Head::Value Head::fact(const Term& call) const {
  if (call.name == "stated") return stated_;
  if (call.name == "divides") return divides(call.children[0], call.children[1]);
  const Node* x = node(call.children[0]);
  if (!x) return {};
  if (call.name == "floating") return is_floating(x->type.dtype);
  if (call.name == "boolean") return x->type.dtype == "bool";
  if (!x->type.shape) return {};
  const Dims& shape = *x->type.shape;
  if (call.name == "rank") return static_cast<double>(shape.size());
  if (call.name == "shape") return shape;
  if (call.name == "fits") {
    const Value dims = value(call.children[1]);
    return std::holds_alternative<Dims>(dims) && fits(shape, std::get<Dims>(dims));
  }
  if (call.name == "per_channel") {
    const Node* by = node(call.children[1]);
    return by && by->type.shape && per_channel(shape, *by->type.shape);
  }
  if (call.name != "size") return {};
  const double at = call.children[1]->number;
  const double i = at < 0 ? at + static_cast<double>(shape.size()) : at;
  if (i < 0 || i >= static_cast<double>(shape.size())) return {};
  return shape[static_cast<size_t>(i)];
}

bool Head::divides(TermRef number, TermRef dim) const {
  const Value n = value(number), d = value(dim);
  const double* by = std::get_if<double>(&n);
  const std::string* text = std::get_if<std::string>(&d);
  const auto whole = text ? integer(*text) : std::nullopt;
  return by && *by >= 1 && whole && *whole % static_cast<int64_t>(*by) == 0;
}

std::vector<Node> Head::call() const {
  std::vector<Node> nodes;
  Node call;
  call.target = pattern_.target;
  for (TermRef t : pattern_.arguments) {
    auto a = argument(t, nodes);
    if (!a) return {};
    call.args.push_back(std::move(*a));
  }
  for (const auto& [name, t] : pattern_.keywords) {
    auto a = argument(t, nodes);
    if (!a) return {};
    if (!a->is_none()) call.kwargs.emplace_back(name, std::move(*a));
  }
  while (!call.args.empty() && call.args.back().is_none()) call.args.pop_back();
  nodes.push_back(std::move(call));
  return nodes;
}

std::optional<Argument> Head::argument(TermRef term, std::vector<Node>& before) const {
  switch (term->kind) {
    case Kind::kNumber:
      if (term->number == std::floor(term->number))
        return Argument(static_cast<int64_t>(term->number));
      return Argument(term->number);
    case Kind::kLiteral:
      return term->literal;
    case Kind::kTensor:
    case Kind::kScalar: {
      const auto& bound = bindings_[term->index];
      return bound ? bound->argument : Argument();
    }
    case Kind::kList: {
      List all;
      for (TermRef t : term->children) {
        auto a = argument(t, before);
        if (!a) return {};
        all.push_back(std::move(*a));
      }
      return Argument(std::move(all));
    }
    default:
      return term->kind == Kind::kCall ? call_argument(*term, before) : std::nullopt;
  }
}

std::optional<Argument> Head::call_argument(const Term& call, std::vector<Node>& before) const {
  if (call.name == "swapped" || call.name == "flat") {
    const Node* x = node(call.children[0]);
    if (!x) return Argument();
    const NodeRef ref{bindings_[call.children[0]->index]->term->index};
    if (call.name == "flat") return flat(ref, before);
    return swapped(*x, ref, before);
  }
  if (call.name == "in_training") return in_training(call.children[0], before);
  if (call.name == "unless_usual") return unless_usual(call.children[0], call.children[1]);
  const Value v = fact(call);
  if (const std::string* dim = std::get_if<std::string>(&v)) {
    const auto n = integer(*dim);
    return n ? std::optional<Argument>(*n) : std::nullopt;
  }
  if (const Dims* dims = std::get_if<Dims>(&v)) {
    List all;
    for (const std::string& d : *dims)
      if (const auto n = integer(d)) all.push_back(*n);
    return all.size() == dims->size() ? std::optional<Argument>(std::move(all)) : std::nullopt;
  }
  return {};
}

Argument Head::unless_usual(TermRef scale, TermRef query) const {
  const Argument& s = bindings_[scale->index]->argument;
  const Node* q = node(query);
  const auto size = q && q->type.shape ? integer(q->type.shape->back()) : std::nullopt;
  const Value number = value(scale);
  const double* given = std::get_if<double>(&number);
  const bool usual = size && given && close(*given, 1 / std::sqrt(static_cast<double>(*size)));
  return usual ? Argument() : s;
}

Argument Head::in_training(TermRef number, std::vector<Node>& before) const {
  const auto p = argument(number, before);
  return put({.target = "operator::mul", .args = {p.value_or(Argument()), Training{}}}, before);
}

NodeRef Head::put(Node node, std::vector<Node>& before) const {
  before.push_back(std::move(node));
  return {static_cast<uint32_t>(program_.nodes.size() + before.size() - 1)};
}

/// What was given axes of one element has them taken back.
std::optional<Argument> Head::flat(NodeRef ref, std::vector<Node>& before) const {
  const Node* x = &program_.nodes[ref.index];
  if (!x->type.shape) return {};
  const auto wide =
      std::ranges::find_if(*x->type.shape, [](const std::string& d) { return d != "1"; });
  const std::string count = wide == x->type.shape->end() ? "1" : *wide;
  NodeRef inner = ref;
  while (x->target == "aten::unsqueeze" || x->target == "aten::reshape") {
    inner = *x->args[0].as<NodeRef>();
    x = &program_.nodes[inner.index];
  }
  if (x->type.shape == Dims{count}) return Argument(inner);
  const auto n = integer(count);
  if (!n) return {};
  Node reshape{.target = "aten::reshape", .args = {ref, List{*n}}};
  reshape.type = {program_.nodes[ref.index].type.dtype, Dims{count}};
  return put(std::move(reshape), before);
}

/// x with its last two axes exchanged, where that is a value that the program has.
const Node* Head::unswapped(const Node& x) const {
  const auto input = [&](const Node* n, std::string_view target) -> const Node* {
    const NodeRef* r =
        n && n->target == target && !n->args.empty() ? n->args[0].as<NodeRef>() : nullptr;
    return r ? &program_.nodes[r->index] : nullptr;
  };
  if (!x.type.shape || x.type.shape->size() < 2) return nullptr;
  Dims dims = *x.type.shape;
  std::swap(dims.end()[-1], dims.end()[-2]);
  // Merged to three axes, exchanged, and split up again.
  const Node* exchanged = input(&x, "aten::reshape");
  const Node* merged = input(exchanged, "aten::permute");
  const Node* whole = input(merged, "aten::reshape");
  if (!whole || exchanged->args[1] != Argument(List{int64_t{0}, int64_t{2}, int64_t{1}}))
    return nullptr;
  const auto& three = merged->type.shape;
  const bool kept = three && three->size() == 3 && whole->type.shape == dims &&
                    std::equal(three->end() - 2, three->end(), dims.end() - 2);
  return kept ? whole : nullptr;
}

/// What a permutation did to them is taken back; nothing is left of a plain exchange.
Argument Head::swapped(const Node& x, NodeRef ref, std::vector<Node>& before) const {
  if (const Node* whole = unswapped(x))
    return NodeRef{static_cast<uint32_t>(whole - program_.nodes.data())};
  Node swap;
  swap.target = "aten::transpose.int";
  swap.args = {ref, int64_t{-2}, int64_t{-1}};
  swap.type = x.type;
  if (x.type.shape && x.type.shape->size() >= 2)
    std::swap(swap.type.shape->end()[-1], swap.type.shape->end()[-2]);
  const List* order =
      x.target == "aten::permute" && x.args.size() == 2 ? x.args[1].as<List>() : nullptr;
  if (order && order->size() >= 2) {
    List axes = *order;
    std::swap(axes.end()[-1], axes.end()[-2]);
    std::vector<int64_t> moved;
    for (size_t i = 0; i < axes.size(); i++)
      if (axes[i] != Argument(static_cast<int64_t>(i))) moved.push_back(static_cast<int64_t>(i));
    if (moved.empty()) return x.args[0];
    if (moved.size() == 2) swap.args = {x.args[0], moved[0], moved[1]};
  }
  return put(std::move(swap), before);
}

}  // namespace onnx2fx::fx::composites
