#include "core/plugin/similar_operator.hpp"

#include <strings.h>

#include <algorithm>
#include <utility>

#include "core/plugin/nearest.hpp"

namespace onnx2fx::plugin {

std::optional<std::string> similar_operator(const std::vector<const Provider*>& providers,
                                            const std::string& domain, const std::string& op_type) {
  std::vector<std::pair<std::string, std::string>> known;  // domain, operator
  std::vector<std::string> neighbours;
  for (const Provider* p : providers) {
    if (!p->usable()) continue;
    for (const DescribedOp& op : p->descriptor->ops) {
      known.emplace_back(op.domain, op.op_type);
      if (op.domain == domain && op.op_type == op_type) return std::nullopt;
      if (op.domain == domain) neighbours.push_back(op.op_type);
    }
  }
  std::sort(known.begin(), known.end());
  const auto find = [&](auto&& fits) {
    return std::find_if(known.begin(), known.end(),
                        [&](const auto& k) { return fits(k.first, k.second); });
  };
  const auto in_another_case = [&](const std::string& name) {
    return strcasecmp(name.c_str(), op_type.c_str()) == 0;
  };
  auto at = find([&](const auto& d, const auto& op) { return d == domain && in_another_case(op); });
  if (at == known.end()) at = find([&](const auto&, const auto& op) { return op == op_type; });
  if (at == known.end()) {
    const auto near = nearest(op_type, neighbours);
    at = near ? find([&](const auto& d, const auto& op) { return d == domain && op == *near; })
              : find([&](const auto&, const auto& op) { return in_another_case(op); });
  }
  if (at == known.end()) return std::nullopt;
  const auto& [d, op] = *at;
  return "did you mean '" + op + "'" +
         (d == domain ? "" : " of domain '" + (d.empty() ? "ai.onnx" : d) + "'") + "?";
}

}  // namespace onnx2fx::plugin
