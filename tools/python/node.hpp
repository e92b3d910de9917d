// The node that a function in Python lowers.
#ifndef ONNX2FX_TOOLS_PYTHON_NODE_HPP_
#define ONNX2FX_TOOLS_PYTHON_NODE_HPP_

#include <nanobind/nanobind.h>

#include <memory>
#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// What Python holds: it may outlive the lowering, and is of no use then.
class LoweredNode {
 public:
  explicit LoweredNode(Node* node) : node_(node) {}
  /// Throws std::runtime_error once the lowering has returned.
  Node& get() const;
  void end() { node_ = nullptr; }

 private:
  Node* node_;
};

/// One call of a function.
class Lowering {
 public:
  Lowering(const o2fx_host_api* h, o2fx_ctx c)
      : node_(h, c), shared_(std::make_shared<LoweredNode>(&node_)) {}
  ~Lowering() { shared_->end(); }
  Lowering(const Lowering&) = delete;
  Lowering& operator=(const Lowering&) = delete;
  std::shared_ptr<LoweredNode> node() const { return shared_; }

 private:
  Node node_;
  std::shared_ptr<LoweredNode> shared_;
};

}  // namespace onnx2fx

#endif
