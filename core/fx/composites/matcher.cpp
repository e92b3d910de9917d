#include "core/fx/composites/matcher.hpp"

#include <algorithm>
#include <cmath>

#include "core/fx/schema.hpp"

namespace onnx2fx::fx::composites {
namespace {

using Kind = Term::Kind;
constexpr size_t kMostSteps = 20000;  // of one body at one node

/// What can be told apart at once goes first.
int rank_of(const Part& p) {
  switch (p.term->kind) {
    case Kind::kTensor:
      return p.term->optional ? 3 : 2;
    case Kind::kLet:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

std::optional<Bindings> Matcher::match(TermRef body, uint32_t node,
                                       const std::function<bool(const Bindings&)>& accepts) {
  bindings_.assign(pattern_.variables.size() + pattern_.lets.size(), std::nullopt);
  steps_ = 0;
  Bindings found;
  const bool matched = opened(body, node, [&] {
    if (!accepts(bindings_)) return false;
    found = bindings_;
    return true;
  });
  return matched ? std::optional(std::move(found)) : std::nullopt;
}

bool Matcher::term(TermRef p, TermRef t, const Next& next) {
  if (++steps_ > kMostSteps || !t) return false;
  switch (p->kind) {
    case Kind::kAnything:
      return next();
    case Kind::kOneOf:
      return std::ranges::any_of(p->children, [&](TermRef c) { return term(c, t, next); });
    case Kind::kTensor:
      if (t->origin) t = program_.terms().node(*t->origin);
      return t->kind == Kind::kNode && bind(p, {t, NodeRef{t->index}}, next);
    case Kind::kScalar:
      return t->kind == Kind::kNumber && bind(p, {t, t->number}, next);
    case Kind::kNumber:
      return t->kind == Kind::kNumber && close(p->number, t->number) && next();
    case Kind::kLet:
      return let(p, t, next);
    default:
      return t->kind == Kind::kNode ? opened(p, t->index, next) : formula(p, t, next);
  }
}

bool Matcher::opened(TermRef p, uint32_t node, const Next& next) {
  if (p->kind == Kind::kOneOf || p->kind == Kind::kLet)
    return term(p, program_.terms().node(node), next);
  if (p->kind == Kind::kCall && call(p, node, next)) return true;
  TermRef deep = program_.deep(node);
  if (formula(p, deep, next)) return true;
  TermRef shallow = program_.shallow(node);
  return compare(*deep, *shallow) != 0 && formula(p, shallow, next);
}

bool Matcher::formula(TermRef p, TermRef t, const Next& next) {
  if (p->kind == Kind::kProduct) return parts(*p, as_product(t), next);
  if (p->kind == Kind::kSum) return parts(*p, as_sum(t), next);
  if (p->kind != Kind::kCall || t->kind != Kind::kCall || p->name != t->name ||
      p->children.size() != t->children.size())
    return false;
  const std::function<bool(size_t)> from = [&](size_t i) {
    return i == p->children.size()
               ? next()
               : term(p->children[i], t->children[i], [&, i] { return from(i + 1); });
  };
  return from(0);
}

bool Matcher::bind(TermRef variable, Binding value, const Next& next) {
  std::optional<Binding>& bound = bindings_[variable->index];
  if (bound) {
    const bool same = !bound->term || !value.term ? bound->argument == value.argument
                      : value.term->kind == Kind::kNumber && bound->term->kind == Kind::kNumber
                          ? close(value.term->number, bound->term->number)
                          : compare(*value.term, *bound->term) == 0;
    return same && next();
  }
  bound = std::move(value);
  if (next()) return true;
  bindings_[variable->index].reset();
  return false;
}

bool Matcher::let(TermRef p, TermRef t, const Next& next) {
  const size_t at = pattern_.variables.size() + p->index;
  if (t->origin) t = program_.terms().node(*t->origin);
  if (bindings_[at]) return compare(*bindings_[at]->term, *t) == 0 && next();
  return term(pattern_.lets[p->index].second, t, [&] {
    bindings_[at] = {t, t->kind == Kind::kNode ? Argument(NodeRef{t->index}) : Argument()};
    if (next()) return true;
    bindings_[at].reset();
    return false;
  });
}

bool Matcher::parts(const Term& p, const Term& t, const Next& next) {
  const bool sum = p.kind == Kind::kSum;
  std::vector<Part> wanted;
  TermRef scalar = nullptr;
  for (const Part& part : p.parts) {
    if (part.term->kind == Kind::kScalar && part.number == 1 && !scalar)
      scalar = part.term;
    else
      wanted.push_back(part);
  }
  std::ranges::stable_sort(wanted, {}, rank_of);
  const auto rest = [&] { return assign(wanted, t.parts, sum, next); };
  if (!scalar) return close(p.number, t.number) && rest();
  const double value = sum ? t.number - p.number : t.number / p.number;
  if (sum && value == 0) return false;
  return bind(scalar, {program_.terms().number(value), value}, rest);
}

/// Each wanted part is one of those given; a tensor that is optional may be none.
bool Matcher::assign(const std::vector<Part>& wanted, std::vector<Part> given, bool sum,
                     const Next& next) {
  if (++steps_ > kMostSteps) return false;
  if (wanted.empty()) return given.empty() && next();
  const Part& p = wanted.front();
  const std::vector<Part> others(wanted.begin() + 1, wanted.end());
  for (size_t i = 0; i < given.size(); i++) {
    std::vector<Part> left = given;
    left.erase(left.begin() + static_cast<ptrdiff_t>(i));
    const auto rest = [&] { return assign(others, left, sum, next); };
    if (close(given[i].number, p.number)) {
      if (term(p.term, given[i].term, rest)) return true;
    } else if (sum && p.term->kind == Kind::kProduct) {
      TermRef whole = program_.terms().product(given[i].number / p.number, {{given[i].term, 1}});
      if (term(p.term, whole, rest)) return true;
    }
  }
  if (p.term->kind != Kind::kTensor || !p.term->optional) return false;
  return bind(p.term, {}, [&] { return assign(others, given, sum, next); });
}

bool Matcher::call(TermRef p, uint32_t index, const Next& next) {
  const Node& n = program_.node(index);
  if (call_name(n) != p->name) return false;
  const Schema* schema = find_schema(n.target);
  const auto all = schema ? bind_arguments(*schema, n) : std::nullopt;
  if (!all || p->children.size() > all->size()) return false;
  const std::optional<int64_t> rank = rank_of_first(*all);
  std::vector<Given> given;
  for (size_t i = 0; i < all->size(); i++) {
    if (!(*all)[i]) return false;
    const SchemaArgument& a = schema->arguments[i];
    if (i < p->children.size())
      given.push_back({&n, *(*all)[i], a.name == "dim" || a.name == "dims" ? rank : std::nullopt});
    else if (!(*all)[i]->is_none() && *(*all)[i] != a.default_value &&
             *(*all)[i] != Argument(Dtype{n.type.dtype}))
      return false;
  }
  return in_order(p->children, given, 0, next);
}

std::optional<int64_t> Matcher::rank_of_first(
    const std::vector<std::optional<Argument>>& all) const {
  const NodeRef* self = all.empty() || !all[0] ? nullptr : all[0]->as<NodeRef>();
  if (!self || !program_.node(self->index).type.shape) return {};
  return static_cast<int64_t>(program_.node(self->index).type.shape->size());
}

bool Matcher::in_order(const std::vector<TermRef>& p, const std::vector<Given>& given, size_t from,
                       const Next& next) {
  if (from == p.size()) return next();
  return argument(p[from], given[from], [&] { return in_order(p, given, from + 1, next); });
}

bool Matcher::argument(TermRef p, const Given& given, const Next& next) {
  const Argument& a = given.value;
  if (p->kind == Kind::kAnything) return next();
  if (p->kind == Kind::kCall && p->name == "full") {
    const auto number = program_.uniform(a);
    return number && close(p->children[1]->number, *number) && next();
  }
  if (need_not_be_called(*p)) return next();
  if (p->kind == Kind::kLiteral) return p->literal == a && next();
  if (p->kind == Kind::kScalar) return bind(p, {program_.of(*given.call, a), a}, next);
  if (p->kind == Kind::kList) {
    const List* list = a.as<List>();
    if (!list || list->size() != p->children.size()) return false;
    std::vector<Given> all;
    for (const Argument& one : *list) all.push_back({given.call, one, given.rank});
    return in_order(p->children, all, 0, next);
  }
  TermRef t = program_.of(*given.call, a);
  if (p->kind != Kind::kNumber || !t) return term(p, t, next);
  if (t->kind != Kind::kNumber) return false;
  const bool counts_from_end = given.rank && p->number < 0 && t->number >= 0;
  const double at = counts_from_end ? static_cast<double>(*given.rank) : 0;
  return close(p->number, t->number - at) && next();
}

}  // namespace onnx2fx::fx::composites
