#include "core/convert/budget.hpp"

#include <algorithm>
#include <utility>

namespace onnx2fx::conversion {
namespace {

// Room for a small model whose Loops are all unrolled, and one Loop in another.
constexpr uint64_t kBodies = 20'000, kNodes = 200'000;
// A Loop is unrolled into 64 steps at most, and a node becomes 3 on the average.
constexpr uint64_t kBodiesPerNode = 100, kNodesPerNode = 200;

template <class Nodes>
uint64_t count(const Nodes& nodes) {
  uint64_t n = 0;
  for (const onnx::NodeProto& node : nodes) {
    n++;
    for (const onnx::AttributeProto& a : node.attribute()) {
      if (a.has_g()) n += count(a.g().node());
      for (const onnx::GraphProto& g : a.graphs()) n += count(g.node());
    }
  }
  return n;
}

std::string nodes_of(uint64_t n) { return std::to_string(n) + (n == 1 ? " node" : " nodes"); }

}  // namespace

Budget::Budget(const onnx::ModelProto& model, std::string model_name, uint32_t factor)
    : model_name_(std::move(model_name)), factor_(std::max<uint32_t>(factor, 1)) {
  size_ = count(model.graph().node());
  for (const onnx::FunctionProto& f : model.functions()) size_ += count(f.node());
  max_bodies_ = factor_ * (kBodies + kBodiesPerNode * size_);
  max_nodes_ = factor_ * (kNodes + kNodesPerNode * size_);
  open_.push_back(&*uses_.try_emplace("its graph").first);
}

Budget::Body::Body(Budget& budget, const std::string& what) : budget_(budget) {
  Uses::value_type& use = *budget.uses_.try_emplace(what).first;
  budget.open_.push_back(&use);
  use.second.bodies++;
  if (++budget.bodies_ <= budget.max_bodies_ || budget.spent_) return;
  const auto most = std::max_element(
      budget.uses_.begin(), budget.uses_.end(),
      [](const auto& a, const auto& b) { return a.second.bodies < b.second.bodies; });
  budget.spend(*most, "expanded bodies", budget.max_bodies_);
}

void Budget::count_node() {
  open_.back()->second.nodes++;
  if (++nodes_ <= max_nodes_ || spent_) return;
  const auto most = std::max_element(uses_.begin(), uses_.end(), [](const auto& a, const auto& b) {
    return a.second.nodes < b.second.nodes;
  });
  spend(*most, "nodes", max_nodes_);
}

void Budget::spend(const Uses::value_type& use, const std::string& on, uint64_t limit) {
  const auto& [what, spent] = use;
  spent_ = Diagnostic{
      Severity::kError,
      model_name_,
      on + ": expected at most " + std::to_string(limit) + " from a model of " + nodes_of(size_) +
          ", got more: " + what + " was expanded " + std::to_string(spent.bodies) +
          " times, into " + nodes_of(spent.nodes),
      {"if the model is meant to become so large, raise the budget: --budget " +
       std::to_string(10 * uint64_t{factor_}) + ", or budget in the options of an embedder"}};
}

}  // namespace onnx2fx::conversion
