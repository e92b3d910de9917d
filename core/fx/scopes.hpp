// Where the module that an ONNX node was exported from stood in the author's model.
#ifndef ONNX2FX_CORE_FX_SCOPES_HPP_
#define ONNX2FX_CORE_FX_SCOPES_HPP_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// The path of a module of torch.nn of class `type`, as PyTorch's exporter says it in the node's
/// metadata: "encoder.layer.0.fc". Empty: it does not.
std::string stated_scope(const Provenance& node, std::string_view type);

constexpr std::string_view kUnknownClass = "Block";

/// A module of the author's that was running: "encoder.layer.0", "BertLayer".
struct Frame {
  std::string path;
  std::string type;       ///< an identifier; kUnknownClass where the exporter does not say it
  bool of_torch = false;  ///< the class is one of torch.nn
};

/// The modules that were running when the node was computed, the outermost first, without the model
/// itself. nullopt: the exporter says nothing of the node.
std::optional<std::vector<Frame>> frames(const Provenance& node);

/// The scope in a node's name as the older exporter writes it: "/layer1/layer1.0/fc/MatMul" is
/// "layer1.0.fc". Whose scope that is it does not tell. Empty: the name is of another form.
std::string traced_scope(const Provenance& node);

}  // namespace onnx2fx::fx

#endif
