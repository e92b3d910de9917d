#include "core/convert/ties.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>

#include "core/convert/evidence.hpp"
#include "core/convert/signature.hpp"
#include "core/fx/provenance.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Node;

bool is_table_reader(const Node& n) { return n.target.starts_with("aten::embedding"); }
bool is_product(const Node& n) {
  static constexpr std::string_view kProducts[] = {"aten::matmul", "aten::mm", "aten::addmm"};
  return std::find(std::begin(kProducts), std::end(kProducts), n.target) != std::end(kProducts);
}

template <class T>
bool equal_transposed(const uint8_t* a, const uint8_t* b, int64_t rows, int64_t columns) {
  constexpr int64_t kBlock = 64;  // both sides of a block stay in the cache
  const auto at = [](const uint8_t* p, int64_t i) {
    T x;
    std::memcpy(&x, p + i * static_cast<int64_t>(sizeof(T)), sizeof x);
    return x;
  };
  for (int64_t r = 0; r < rows; r += kBlock)
    for (int64_t c = 0; c < columns; c += kBlock)
      for (int64_t i = r; i < std::min(r + kBlock, rows); i++)
        for (int64_t j = c; j < std::min(c + kBlock, columns); j++)
          if (at(a, i * columns + j) != at(b, j * rows + i)) return false;
  return true;
}

class Ties {
 public:
  Ties(fx::Module& module, const std::vector<TensorEntry*>& entries, const Signature& signature,
       Tensors& tensors)
      : module_(module),
        entries_(entries),
        evidence_(module),
        signature_(signature),
        tensors_(tensors) {
    for (uint32_t i = 0; i < module.tensors.size(); i++) {
      const fx::Tensor& t = module.tensors[i];
      if (entries[i]->proto && t.dims.size() == 2 && t.role == fx::Role::kParameter)
        by_dims_[{t.dims[0], t.dims[1]}].push_back(i);
    }
  }

  /// The tensor that `copy` is the transposed of.
  std::optional<uint32_t> original_of(uint32_t copy) {
    const fx::Tensor& t = module_.tensors[copy];
    if (t.dims.size() != 2 || !entries_[copy]->proto || signature_.find(t.name)) return {};
    const auto same = by_dims_.find({t.dims[1], t.dims[0]});
    if (same == by_dims_.end()) return {};
    for (const uint32_t other : same->second) {
      const fx::Tensor& o = module_.tensors[other];
      if (other == copy || o.dtype != t.dtype) continue;
      const bool named = is_named(copy, o.name);
      if ((named || is_used_as_table(copy, other)) && is_equal(copy, other, named)) return other;
    }
    return {};
  }

 private:
  bool is_named(uint32_t copy, const std::string& original) const {
    const auto readers = evidence_.readers(copy);
    return std::any_of(readers.begin(), readers.end(), [&](const Node* n) {
      const std::string* text = fx::exported_from(*n);
      return text && signature_.mentions(*text, original);
    });
  }

  bool is_used_as_table(uint32_t copy, uint32_t other) const {
    const auto table = evidence_.readers(other), product = evidence_.readers(copy);
    return std::any_of(table.begin(), table.end(),
                       [](const Node* n) { return is_table_reader(*n); }) &&
           !product.empty() && std::all_of(product.begin(), product.end(), [](const Node* n) {
             return is_product(*n);
           });
  }

  bool is_equal(uint32_t copy, uint32_t other, bool named) {
    TensorEntry &a = *entries_[copy], &b = *entries_[other];
    if (tensors_.absent(a) || tensors_.absent(b)) return named;
    const auto x = tensors_.bytes(a), y = tensors_.bytes(b);
    const int64_t rows = a.dims[0], columns = a.dims[1];
    if (x.size() != y.size() || rows * columns == 0) return false;
    switch (x.size() / static_cast<size_t>(rows * columns)) {
      case 2:
        return equal_transposed<uint16_t>(x.data(), y.data(), rows, columns);
      case 4:
        return equal_transposed<uint32_t>(x.data(), y.data(), rows, columns);
      case 8:
        return equal_transposed<uint64_t>(x.data(), y.data(), rows, columns);
      default:
        return false;
    }
  }

  fx::Module& module_;
  const std::vector<TensorEntry*>& entries_;
  const Evidence evidence_;
  const Signature& signature_;
  Tensors& tensors_;
  std::map<std::pair<int64_t, int64_t>, std::vector<uint32_t>> by_dims_;  ///< of parameters
};

/// The get_attr of `original` stands before that of `copy`; nullopt: one of them is not read.
struct Readers {
  uint32_t original, copy;
};
std::optional<Readers> ordered_readers(std::vector<Node>& nodes, uint32_t copy, uint32_t original) {
  const auto reads = [](uint32_t tensor) {
    return [tensor](const Node& n) { return n.op == fx::Op::kGetAttr && n.tensor == tensor; };
  };
  const auto place = std::find_if(nodes.begin(), nodes.end(), reads(copy));
  const auto source = std::find_if(nodes.begin(), nodes.end(), reads(original));
  if (place == nodes.end() || source == nodes.end()) return {};
  const auto at = static_cast<uint32_t>(place - nodes.begin());
  const auto from = static_cast<uint32_t>(source - nodes.begin());
  if (from < at) return Readers{from, at};
  std::rotate(place, source, source + 1);  // a get_attr may stand anywhere before its readers
  const auto moved = [&](uint32_t i) { return i == from ? at : i >= at && i < from ? i + 1 : i; };
  for (Node& n : nodes) fx::for_each_ref(n, [&](fx::NodeRef& r) { r.index = moved(r.index); });
  return Readers{at, at + 1};
}

/// Reads `original` through aten::t where the root reads `copy`.
void read_transposed(fx::Module& module, uint32_t copy, uint32_t original) {
  std::vector<Node>& nodes = module.programs[0].nodes;
  const auto readers = ordered_readers(nodes, copy, original);
  if (!readers) return;
  Node& n = nodes[readers->copy];
  n.op = fx::Op::kCallFunction;
  n.target = "aten::t";
  n.tensor.reset();
  n.args = {fx::NodeRef{readers->original}};
}

/// Reads `original` where the root reads `copy`, which is left dead.
void read_instead(fx::Module& module, uint32_t copy, uint32_t original) {
  std::vector<Node>& nodes = module.programs[0].nodes;
  const auto readers = ordered_readers(nodes, copy, original);
  if (!readers) return;
  for (Node& n : nodes)
    fx::for_each_ref(n, [&](fx::NodeRef& r) {
      if (r.index == readers->copy) r.index = readers->original;
    });
}

bool is_same(Tensors& tensors, TensorEntry& a, TensorEntry& b) {
  if (tensors.absent(a) || tensors.absent(b)) return true;
  return std::ranges::equal(tensors.bytes(a), tensors.bytes(b));
}

}  // namespace

void tie_transposed(fx::Module& module, const std::vector<TensorEntry*>& entries,
                    const Signature& signature, Tensors& tensors) {
  if (module.tensors.size() < 2) return;
  std::vector<std::pair<uint32_t, uint32_t>> found;
  {
    Ties ties(module, entries, signature, tensors);
    for (uint32_t i = 0; i < module.tensors.size(); i++)
      if (const auto original = ties.original_of(i)) found.emplace_back(i, *original);
  }
  for (const auto& [copy, original] : found) read_transposed(module, copy, original);
}

void tie_copies(fx::Module& module, const std::vector<TensorEntry*>& entries, Tensors& tensors) {
  std::map<std::string, uint32_t> firsts;
  for (uint32_t i = 0; i < module.tensors.size(); i++) {
    const fx::Tensor& t = module.tensors[i];
    if (t.transposed_of.empty()) continue;
    const auto [first, is_first] = firsts.emplace(t.transposed_of, i);
    const fx::Tensor& f = module.tensors[first->second];
    if (!is_first && f.dims == t.dims && f.dtype == t.dtype &&
        is_same(tensors, *entries[first->second], *entries[i]))
      read_instead(module, i, first->second);
  }
}

}  // namespace onnx2fx::conversion
