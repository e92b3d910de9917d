// The leaves of the loader's runtime by target: what ATen and the higher-order operators cannot
// say.
#include <torch/csrc/jit/frontend/function_schema_parser.h>

#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <utility>

#include "core/runtime/callables.hpp"
#include "core/runtime/leaf_functions.hpp"

namespace onnx2fx::runtime {
namespace {

struct Entry {
  c10::FunctionSchema schema;
  Callable call;
};
using Entries = std::map<std::string, Entry, std::less<>>;

// TorchScript knows neither programs nor string tensors: to it they are anything.
c10::FunctionSchema parsed(const std::string& schema) {
  static const std::regex host_types("\\b(Program|Strings)\\b");
  return torch::jit::parseSchema(std::regex_replace(schema, host_types, "Any"));
}

Entries read_table() {
  Entries entries;
#define LEAF(name, family, schema) \
  entries.emplace("onnx2fx::" #name, Entry{parsed("onnx2fx::" #name schema), leaf::name});
#include "core/fx/leaves.def"
  return entries;
}

}  // namespace

Leaf find_leaf(const std::string& target) {
  if (!target.starts_with("onnx2fx::")) return {};
  static const Entries entries = read_table();
  const auto found = entries.find(target);
  if (found == entries.end()) return {};
  return {&found->second.schema, found->second.call};
}

}  // namespace onnx2fx::runtime
