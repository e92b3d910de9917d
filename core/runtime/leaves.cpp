// The leaves of the loader's runtime: what ATen and the higher-order operators cannot say. One
// function for each line of core/fx/leaf_schemas.txt, the same as in the Python package's
// files of those names.
#include <torch/csrc/jit/frontend/function_schema_parser.h>

#include <algorithm>
#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <utility>

#include "core/runtime/callables.hpp"
#include "core/runtime/leaf_functions.hpp"

namespace onnx2fx::embedded {
extern const std::string_view leaf_schemas_txt;
}

namespace onnx2fx::runtime {
namespace {

struct Entry {
  c10::FunctionSchema schema;
  Callable call;
};
using Entries = std::map<std::string, Entry, std::less<>>;

Callable find_function(std::string_view name) {
  for (const std::span<const NamedLeaf> family :
       {control_leaves(), map_leaves(), random_leaves(), sequence_leaves(), string_leaves()})
    for (const NamedLeaf& leaf : family)
      if (leaf.name == name) return leaf.function;
  return {};
}

Entries read_schemas() {
  static const std::regex host_types("\\b(Program|Strings)\\b");
  Entries entries;
  std::string_view rest = embedded::leaf_schemas_txt;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line[0] == '#') continue;
    // TorchScript knows neither programs nor string tensors: to it they are anything
    c10::FunctionSchema schema =
        torch::jit::parseSchema(std::regex_replace(line, host_types, "Any"));
    const std::string name = schema.name();
    entries.emplace(name,
                    Entry{std::move(schema), find_function(name.substr(name.find("::") + 2))});
  }
  return entries;
}

}  // namespace

Leaf find_leaf(const std::string& target) {
  if (!target.starts_with("onnx2fx::")) return {};
  static const Entries entries = read_schemas();
  const auto found = entries.find(target);
  if (found == entries.end()) return {};
  return {&found->second.schema, found->second.call};
}

}  // namespace onnx2fx::runtime
