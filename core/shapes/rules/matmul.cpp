// Products of matrices. Operands are of one dtype: torch promotes nothing here.
#include <algorithm>
#include <map>

#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

std::optional<Dims> product(const Sizes& sizes, const std::optional<Dims>& a,
                            const std::optional<Dims>& b) {
  if (!a || !b || a->empty() || b->empty()) return {};
  const auto batch = [](const Dims& d) {
    return Dims(d.begin(), d.end() - static_cast<std::ptrdiff_t>(std::min<size_t>(d.size(), 2)));
  };
  Dims r = sizes.broadcast(batch(*a), batch(*b));
  if (a->size() > 1) r.push_back((*a)[a->size() - 2]);
  if (b->size() > 1) r.push_back(b->back());
  return r;
}

Returned matmul(const TorchCall& c) {
  const Type &a = c.self(), &b = c.tensor(c.schema.arguments[1].name);
  return tensor_of(a.dtype ? a.dtype : b.dtype, product(c.sizes, a.dims, b.dims));
}

// addmm, baddbmm: self is only added.
Returned matmul_added(const TorchCall& c) {
  const Type &a = c.tensor(c.schema.arguments[1].name), &b = c.tensor(c.schema.arguments[2].name);
  return tensor_of(a.dtype, product(c.sizes, a.dims, b.dims));
}

Returned linear(const TorchCall& c) {
  const auto& weight = c.tensor("weight").dims;
  auto dims = c.self().dims;
  if (!dims || dims->empty() || !weight || weight->empty()) return tensor_of(c.self().dtype, {});
  dims->pop_back();
  if (weight->size() > 1) dims->push_back((*weight)[0]);
  return tensor_of(c.self().dtype, std::move(dims));
}

Returned attention(const TorchCall& c) {
  const auto &q = c.tensor("query").dims, &v = c.tensor("value").dims;
  if (!q || !v || q->size() < 2 || v->empty()) return tensor_of(c.self().dtype, {});
  Dims dims = *q;
  dims.back() = v->back();
  return tensor_of(c.self().dtype, std::move(dims));
}

// Distances of rows: [..., P, M] and [..., R, M] -> [..., P, R].
Returned cdist(const TorchCall& c) {
  const auto &a = c.tensor("x1").dims, &b = c.tensor("x2").dims;
  if (!a || !b || a->size() < 2 || b->size() < 2) return tensor_of(c.self().dtype, {});
  Dims dims = c.sizes.broadcast({a->begin(), a->end() - 2}, {b->begin(), b->end() - 2});
  dims.push_back((*a)[a->size() - 2]);
  dims.push_back((*b)[b->size() - 2]);
  return tensor_of(c.self().dtype, std::move(dims));
}

// The axes of one operand of an einsum, by letter; of those under an ellipsis, their extents.
struct Subscripts {
  std::string before, after;  ///< the ellipsis; all letters are `before` without one
  bool ellipsis = false;
};

Subscripts subscripts(std::string_view text) {
  Subscripts s;
  for (const char ch : text) {
    if (ch == '.')
      s.ellipsis = true;
    else if (ch != ' ')
      (s.ellipsis ? s.after : s.before) += ch;
  }
  return s;
}

struct Letters {
  std::map<char, MaybeSym> extents;
  std::map<char, int> count;
  Dims ellipsis;
};

bool read(const Sizes& sizes, const Subscripts& s, const Dims& dims, Letters& all) {
  const size_t letters = s.before.size() + s.after.size();
  if (dims.size() < letters || (!s.ellipsis && dims.size() != letters)) return false;
  const auto take = [&](char ch, const MaybeSym& d) {
    const auto [at, fresh] = all.extents.try_emplace(ch, d);
    if (!fresh) at->second = sizes.broadcast(at->second, d);
    all.count[ch]++;
  };
  for (size_t i = 0; i < s.before.size(); i++) take(s.before[i], dims[i]);
  const size_t middle = dims.size() - letters;
  const auto begin = dims.begin() + static_cast<std::ptrdiff_t>(s.before.size());
  const auto end = begin + static_cast<std::ptrdiff_t>(middle);
  all.ellipsis = sizes.broadcast(all.ellipsis, Dims(begin, end));
  for (size_t i = 0; i < s.after.size(); i++)
    take(s.after[i], *(end + static_cast<std::ptrdiff_t>(i)));
  return true;
}

// Without "->": the ellipsis, then the letters that come once, sorted.
std::string implicit_output(const Letters& all) {
  std::string out = "...";
  for (const auto& [ch, n] : all.count)
    if (n == 1) out += ch;
  return out;
}

Returned einsum(const TorchCall& c) {
  const std::string& equation = c.operand("equation").text;
  const TorchCall::Tensors tensors = c.tensors("tensors");
  const int32_t dtype = tensors.types.empty() ? 0 : tensors.types[0].dtype;
  const size_t arrow = equation.find("->");
  std::string_view left = std::string_view(equation).substr(0, arrow);
  Letters all;
  for (const Type& t : tensors.types) {
    const size_t comma = left.find(',');
    if (tensors.open || !t.dims || !read(c.sizes, subscripts(left.substr(0, comma)), *t.dims, all))
      return tensor_of(dtype, {});
    left.remove_prefix(comma == std::string_view::npos ? left.size() : comma + 1);
  }
  const Subscripts out =
      subscripts(arrow == std::string::npos ? implicit_output(all) : equation.substr(arrow + 2));
  Dims dims;
  for (const char ch : out.before) dims.push_back(all.extents[ch]);
  if (out.ellipsis) dims.insert(dims.end(), all.ellipsis.begin(), all.ellipsis.end());
  for (const char ch : out.after) dims.push_back(all.extents[ch]);
  return tensor_of(dtype, std::move(dims));
}

constexpr TypeRule kRules[] = {
    {"matmul", matmul}, {"matmul_added", matmul_added},
    {"linear", linear}, {"attention", attention},
    {"cdist", cdist},   {"einsum", einsum},
};

}  // namespace

constinit const TypeRules kMatmulRules = kRules;

}  // namespace onnx2fx::conversion
