// The C++ API for embedding: an ONNX model in, an FX program out. No LibTorch is needed or loaded.
//
//     onnx2fx::Options options;
//     onnx2fx::Conversion c = onnx2fx::convert("model.onnx", options);
//     onnx2fx::write_package(c, "out");
//
// Thread safety: conversions are independent of each other; one may run per thread, with a Registry
// each or with one that they share.
#ifndef ONNX2FX_CONVERT_HPP_
#define ONNX2FX_CONVERT_HPP_

#include <cstdint>
#include <memory>
#include <onnx2fx/diagnostic.hpp>
#include <onnx2fx/export.hpp>
#include <onnx2fx/options.hpp>
#include <onnx2fx/program.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onnx2fx {

namespace plugin {
class Registry;
}
namespace weights {
class Store;
}

/// What happened, node by node; written as report.json.
struct Report {
  struct Node {
    std::string name, op_type, domain;
    int64_t opset = 0;
    std::string function_path;  ///< empty: in the graph itself
    std::string provider;  ///< "plugin version", "host: shape tracking", "function body", "none"
    std::vector<std::string> declined;                       ///< "plugin: why"
    std::vector<std::pair<std::string, std::string>> notes;  ///< what the lowering said (annotate)
  };
  std::string model;  ///< its file, without folders
  std::vector<Node> nodes;
  std::vector<Diagnostic> warnings;
  std::vector<UnsupportedOperator> unsupported;  ///< with keep_going
  std::vector<std::pair<std::string, std::string>>
      plugins;  ///< id, version of those that lowered something
  std::vector<std::pair<std::string, std::string>>
      names;  ///< attribute path or identifier -> ONNX name, where they differ
  std::vector<std::pair<std::string, int64_t>> opsets;  ///< domain, version that the model imports
};

struct ONNX2FX_API Conversion {
  fx::Module module;
  Report report;
  weights::Mode weights = weights::Mode::kReference;
  bool has_weight_rules = false;  ///< a manifest had its word before the mode
  /// Bytes of a tensor of the module; empty when weightless. Lives as long as the Conversion.
  std::span<const uint8_t> bytes(const fx::TensorData& data) const;

  std::shared_ptr<void> model;  ///< keeps the mapped files alive
  std::shared_ptr<weights::Store> store;
};

/// Throws UnsupportedOperatorError (every offending node), PluginError, ConversionError.
/// `registry`: an embedder's own (with in-process plugins); null: made from options.plugins.
ONNX2FX_API Conversion convert(const std::string& path, const Options& options,
                               plugin::Registry* registry = nullptr);
/// A model in memory. directory: of external data; empty: there must be none.
ONNX2FX_API Conversion convert(std::shared_ptr<const std::string> bytes, const std::string& name,
                               const std::string& directory, const Options& options,
                               plugin::Registry* registry = nullptr);

/// Writes an FX package (see core/write/FORMAT.md) to `folder`; nothing is left behind on failure.
ONNX2FX_API void write_package(const Conversion& conversion, const std::string& folder);

}  // namespace onnx2fx

#endif
