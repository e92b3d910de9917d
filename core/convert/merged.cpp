#include "core/convert/merged.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/convert/roles.hpp"
#include "core/convert/signature.hpp"
#include "core/fx/paths.hpp"

namespace onnx2fx::conversion {
namespace {

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

/// The one of `all` that `belongs`; null: none, or several.
template <class T, class Belongs>
const T* only(const std::vector<T>& all, Belongs belongs) {
  const auto first = std::ranges::find_if(all, belongs);
  if (first == all.end() || std::find_if(first + 1, all.end(), belongs) != all.end())
    return nullptr;
  return &*first;
}

class Merged {
 public:
  explicit Merged(onnx::GraphProto& graph) : graph_(graph) {
    for (int i = 0; i < graph.initializer_size(); i++) by_name_[graph.initializer(i).name()] = i;
  }

  const onnx::TensorProto* find(const std::string& name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : &graph_.initializer(at->second);
  }

  /// An initializer `name` of the payload of `of`.
  void add(const std::string& name, const std::string& of) {
    if (find(name)) return;
    const onnx::TensorProto copied = *find(of);
    by_name_[name] = graph_.initializer_size();
    onnx::TensorProto& t = *graph_.add_initializer();
    t = copied;
    t.set_name(name);
  }

 private:
  onnx::GraphProto& graph_;
  std::map<std::string, int> by_name_;
};

// ---- the dynamo exporter

class ByText {
 public:
  ByText(onnx::GraphProto& graph, const Signature& signature, Merged& merged)
      : graph_(graph), signature_(signature), merged_(merged) {}

  void part() {
    find_own(graph_.node());
    part(*graph_.mutable_node());
  }

 private:
  /// Reads of parameters by the nodes that were exported of them.
  void find_own(const Nodes& nodes) {
    for (const auto& n : nodes)
      for (const std::string_view text = fx_node_of(n); const std::string& input : n.input())
        if (signature_.mentions(text, input)) own_.insert(input);
  }

  void part(Nodes& nodes) {
    for (auto& n : nodes) {
      part(n);
      for (auto& a : *n.mutable_attribute())
        if (a.has_g()) part(*a.mutable_g()->mutable_node());
    }
  }

  void part(onnx::NodeProto& node) {
    const std::string_view text = fx_node_of(node);
    std::vector<int> foreign;
    for (int i = 0; i < node.input_size(); i++)
      if (is_foreign(text, node.input(i))) foreign.push_back(i);
    if (foreign.empty()) return;
    std::vector<std::string> gone;
    for (const Signature::Entry* e : signature_.computed(text)) gone.push_back(e->target);
    for (const int i : foreign) {
      const std::string read = node.input(i);
      const auto is_of_kind = [&](const std::string& name) {
        return fx::last_part(name) == fx::last_part(read);
      };
      const std::string* meant = only(gone, is_of_kind);
      if (!meant && foreign.size() == 1 && gone.size() == 1 && !reads_computed(node))
        meant = &gone[0];
      if (!meant) continue;
      merged_.add(*meant, read);
      node.set_input(i, *meant);
    }
  }

  /// An initializer that is none of the model's own: what is gone may be in it.
  bool reads_computed(const onnx::NodeProto& node) const {
    return std::ranges::any_of(node.input(), [&](const std::string& input) {
      return merged_.find(input) && !signature_.find(input);
    });
  }

  /// A parameter that has readers of its own, of which this, by its text, is none.
  bool is_foreign(std::string_view text, const std::string& input) const {
    const Signature::Entry* said = signature_.find(input);
    return said && said->kind == Signature::Kind::kParameter && own_.count(input) &&
           !signature_.mentions(text, input);
  }

  onnx::GraphProto& graph_;
  const Signature& signature_;
  Merged& merged_;
  std::set<std::string> own_;
};

// ---- the older exporter

/// "encoder.norm.bias", not "/encoder/Identity_output_0", "onnx::Add_12" or "35".
bool is_of_module(const std::string& name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && is_path(name);
}

/// Several elements, and all of them one number. Not so of what is absent.
bool is_uniform(const onnx::TensorProto& t, weights::Store& store) {
  size_t count = 1;
  for (const int64_t d : t.dims()) count *= static_cast<size_t>(d);
  if (count < 2 || !is_trainable_dtype(t.data_type()) || store.absent_file(t, t.name()))
    return false;
  const auto bytes = store.bytes(t);
  const size_t width = bytes.size() / count;
  return width > 0 && std::memcmp(bytes.data(), bytes.data() + width, bytes.size() - width) == 0;
}

void part_aliases(onnx::GraphProto& graph, weights::Store& store, Merged& merged) {
  std::set<std::string> outputs;
  for (const auto& o : graph.output()) outputs.insert(o.name());
  const auto is_parted = [&](const onnx::NodeProto& n) {
    if (n.op_type() != "Identity" || n.input_size() != 1 || n.output_size() != 1) return false;
    const onnx::TensorProto* of = merged.find(n.input(0));
    return of && is_of_module(n.input(0)) && is_of_module(n.output(0)) &&
           !outputs.count(n.output(0)) && is_uniform(*of, store);
  };
  Nodes kept;
  for (auto& n : *graph.mutable_node())
    if (is_parted(n))
      merged.add(n.output(0), n.input(0));
    else
      *kept.Add() = std::move(n);
  graph.mutable_node()->Swap(&kept);
}

}  // namespace

void part_merged(onnx::ModelProto& model, weights::Store& store) {
  if (model.producer_name() != "pytorch") return;
  onnx::GraphProto& graph = *model.mutable_graph();
  Merged merged(graph);
  if (const Signature signature(graph); signature.known())
    ByText(graph, signature, merged).part();
  else
    part_aliases(graph, store, merged);
}

}  // namespace onnx2fx::conversion
