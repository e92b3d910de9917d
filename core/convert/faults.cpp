#include <algorithm>
#include <set>

#include "core/convert/converter.hpp"

namespace onnx2fx::conversion {

static bool same_operator(const UnsupportedOperator& a, const UnsupportedOperator& b) {
  return a.domain == b.domain && a.op_type == b.op_type && a.opset == b.opset;
}

static void add(std::vector<UnsupportedOperator>& all, UnsupportedOperator op) {
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](const UnsupportedOperator& o) { return same_operator(o, op); });
  if (at == all.end())
    all.push_back(std::move(op));
  else
    at->nodes.insert(at->nodes.end(), op.nodes.begin(), op.nodes.end());
}

std::vector<UnsupportedOperator> group(const Faults& faults) {
  std::vector<UnsupportedOperator> all;
  for (const Fault& f : faults)
    if (f.unsupported) add(all, {f.domain, f.op_type, f.opset, {f.node}, f.reasons});
  return all;
}

void keep(std::vector<UnsupportedOperator> operators, Report& report) {
  for (UnsupportedOperator& o : operators) add(report.unsupported, std::move(o));
}

void raise(const Faults& faults) {
  std::vector<Diagnostic> diagnostics;
  std::set<std::string> seen;
  for (const Fault& f : faults)
    if (seen.insert(format(f.diagnostic)).second) diagnostics.push_back(f.diagnostic);
  if (std::any_of(faults.begin(), faults.end(), [](const Fault& f) { return f.plugin; }))
    throw PluginError(std::move(diagnostics));
  std::vector<UnsupportedOperator> operators = group(faults);
  if (!operators.empty())
    throw UnsupportedOperatorError(std::move(diagnostics), std::move(operators));
  throw ConversionError(std::move(diagnostics));
}

}  // namespace onnx2fx::conversion
