// PyTorch's exporter writes the FX node that an ONNX node comes from into the metadata of the
// latter: "%linear_1 : [num_users=1] = call_function[...]". The last call that came from it, which
// gives its result, takes its name; what was computed on the way is numbered after it.
#include "core/convert/node_names.hpp"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/build/names.hpp"
#include "core/fx/provenance.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Node;
using fx::Program;

/// Of the exporter's node; empty: not known.
std::string_view original_name(const Node& n) {
  if (n.op != fx::Op::kCallFunction && n.op != fx::Op::kCallModule) return {};
  const std::string* said = fx::exported_from(n);
  if (!said || !said->starts_with('%')) return {};
  const std::string_view text = std::string_view(*said).substr(1);
  const auto end = std::ranges::find_if_not(text, fx::is_word);
  const std::string_view name = text.substr(0, static_cast<size_t>(end - text.begin()));
  const bool is_name = !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) &&
                       !fx::is_reserved_identifier(name);
  return is_name ? name : std::string_view();
}

/// One of the results of the call before, from the same ONNX node.
bool is_item(const Program& program, const Node& n) {
  if (n.target != "operator::getitem" || !n.args[1].as<int64_t>()) return false;
  const auto* from = n.args[0].as<fx::NodeRef>();
  return from && program.nodes[from->index].onnx == n.onnx;
}

void name_nodes(Program& program) {
  std::vector<std::string_view> original;
  std::unordered_map<std::string_view, size_t> result;
  for (const Node& n : program.nodes) {
    original.push_back(original_name(n));
    if (!original.back().empty() && !is_item(program, n))
      result[original.back()] = original.size() - 1;
  }
  if (result.empty()) return;
  NameSet names;
  for (size_t i = 0; i < program.nodes.size(); i++)
    if (original[i].empty()) names.claim(program.nodes[i].name);
  std::vector<bool> named(program.nodes.size());
  for (const auto& [name, i] : result) {
    if (names.contains(std::string(name))) continue;
    program.nodes[i].name = names.claim(std::string(name));
    named[i] = true;
  }
  for (size_t i = 0; i < program.nodes.size(); i++)
    if (!original[i].empty() && !named[i])
      program.nodes[i].name = names.claim(std::string(original[i]));
}

}  // namespace

void name_nodes(fx::Module& module) {
  for (Program& program : module.programs) name_nodes(program);
}

}  // namespace onnx2fx::conversion
