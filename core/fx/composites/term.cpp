#include "core/fx/composites/term.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace onnx2fx::fx::composites {
namespace {

using Kind = Term::Kind;

bool is_whole(double e) { return e == std::floor(e); }

/// Adds a part to those of equal terms.
void gather(std::vector<Part>& all, TermRef term, double number) {
  const auto same =
      std::ranges::find_if(all, [&](const Part& p) { return compare(*p.term, *term) == 0; });
  if (same == all.end())
    all.push_back({term, number});
  else
    same->number += number;
}

bool order(std::vector<Part>& parts) {
  std::ranges::sort(parts,
                    [](const Part& a, const Part& b) { return compare(*a.term, *b.term) < 0; });
  return std::ranges::none_of(parts, [](const Part& p) { return p.number == 0; });
}

/// (a * b) ** e may be written as a ** e * b ** e: not so for roots, which lose signs.
bool opens(const Term& product, double e) {
  if (!is_whole(e))
    return product.number == 1 && product.parts.size() == 1 && product.parts[0].number == -1;
  return std::ranges::all_of(
      product.parts, [&](const Part& p) { return is_whole(p.number) || !is_whole(p.number * e); });
}

/// What a sum is a multiple of: its largest coefficient.
double scale_of(const std::vector<Part>& summands) {
  double scale = summands[0].number;
  for (const Part& p : summands)
    if (std::abs(p.number) > std::abs(scale) || (p.number == std::abs(scale) && scale < 0))
      scale = p.number;
  return scale;
}

void add(std::vector<Part>& all, double& front, Terms& terms, TermRef term, double k) {
  if (term->kind == Kind::kNumber) {
    front += k * term->number;
  } else if (term->kind == Kind::kSum) {
    front += k * term->number;
    for (const Part& p : term->parts) gather(all, p.term, k * p.number);
  } else if (term->kind == Kind::kProduct && term->number != 1) {
    add(all, front, terms, terms.product(1, term->parts), k * term->number);
  } else {
    gather(all, term, k);
  }
}

}  // namespace

int compare(const Term& a, const Term& b) {
  if (&a == &b) return 0;
  const auto first = std::tie(a.kind, a.index, a.name, a.number);
  const auto second = std::tie(b.kind, b.index, b.name, b.number);
  if (first != second) return first < second ? -1 : 1;
  if (a.parts.size() != b.parts.size()) return a.parts.size() < b.parts.size() ? -1 : 1;
  if (a.children.size() != b.children.size()) return a.children.size() < b.children.size() ? -1 : 1;
  for (size_t i = 0; i < a.parts.size(); i++) {
    if (a.parts[i].number != b.parts[i].number)
      return a.parts[i].number < b.parts[i].number ? -1 : 1;
    if (const int c = compare(*a.parts[i].term, *b.parts[i].term)) return c;
  }
  for (size_t i = 0; i < a.children.size(); i++)
    if (const int c = compare(*a.children[i], *b.children[i])) return c;
  return a.literal == b.literal ? 0 : (&a < &b ? -1 : 1);
}

bool close(double a, double b) {
  constexpr double kFloat32 = 2e-6;
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return a == b || std::abs(a - b) <= kFloat32 * std::max(std::abs(a), std::abs(b));
}

TermRef Terms::number(double value) { return make({.kind = Kind::kNumber, .number = value}); }
TermRef Terms::node(uint32_t index) { return make({.kind = Kind::kNode, .index = index}); }

TermRef Terms::product(double front, const std::vector<Part>& factors) {
  std::vector<Part> all;
  for (const auto& [term, e] : factors) {
    if (!term) return nullptr;
    if (term->kind == Kind::kNumber) {
      front *= std::pow(term->number, e);
    } else if (term->kind == Kind::kProduct && opens(*term, e)) {
      front *= std::pow(term->number, e);
      for (const Part& p : term->parts) gather(all, p.term, p.number * e);
    } else {
      gather(all, term, e);
    }
  }
  if (!std::isfinite(front) || front == 0 || !order(all)) return nullptr;
  if (all.empty()) return number(front);
  if (front == 1 && all.size() == 1 && all[0].number == 1) return all[0].term;
  return make({.kind = Kind::kProduct, .number = front, .parts = std::move(all)});
}

TermRef Terms::sum(double front, const std::vector<Part>& summands) {
  std::vector<Part> all;
  for (const auto& [term, k] : summands) {
    if (!term) return nullptr;
    add(all, front, *this, term, k);
  }
  if (!std::isfinite(front) || !order(all)) return nullptr;
  if (all.empty()) return number(front);
  const double scale = scale_of(all);
  for (Part& p : all) p.number /= scale;
  front /= scale;
  TermRef sum = front == 0 && all.size() == 1
                    ? all[0].term
                    : make({.kind = Kind::kSum, .number = front, .parts = std::move(all)});
  return scale == 1 ? sum : product(scale, {{sum, 1}});
}

Term as_product(TermRef term) {
  if (term->kind == Kind::kProduct) return *term;
  if (term->kind == Kind::kNumber) return {.kind = Kind::kProduct, .number = term->number};
  return {.kind = Kind::kProduct, .number = 1, .parts = {{term, 1}}};
}

Term as_sum(TermRef term) {
  if (term->kind == Kind::kSum) return *term;
  if (term->kind == Kind::kNumber) return {.kind = Kind::kSum, .number = term->number};
  return {.kind = Kind::kSum, .number = 0, .parts = {{term, 1}}};
}

}  // namespace onnx2fx::fx::composites
