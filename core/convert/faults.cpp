#include "core/convert/faults.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace onnx2fx::conversion {

Fault::Fault(Kind k, const Place& place, const std::string& what, std::vector<std::string> reasons)
    : kind(k), diagnostic{Severity::kError, place.where(), what, {}}, op{place.domain(),
                                                                         place.node.op_type(),
                                                                         place.opset,
                                                                         {place.name()},
                                                                         std::move(reasons),
                                                                         {}} {}

void append(Faults& all, Faults&& more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

bool can_stay_opaque(const Faults& faults) {
  return std::all_of(faults.begin(), faults.end(), [](const Fault& f) {
    return f.kind == Fault::Kind::kUnsupported || f.kind == Fault::Kind::kUntyped ||
           f.kind == Fault::Kind::kAbsent;
  });
}

void add_operators(const Faults& faults, std::vector<UnsupportedOperator>& operators) {
  for (const Fault& f : faults) {
    const auto at =
        std::find_if(operators.begin(), operators.end(), [&](const UnsupportedOperator& o) {
          return o.domain == f.op.domain && o.op_type == f.op.op_type && o.opset == f.op.opset;
        });
    if (at == operators.end())
      operators.push_back(f.op);
    else
      at->nodes.insert(at->nodes.end(), f.op.nodes.begin(), f.op.nodes.end());
  }
}

void throw_faults(const Faults& faults) {
  std::vector<Diagnostic> diagnostics;
  std::set<std::string> seen;
  Faults unsupported;
  for (const Fault& f : faults) {
    if (seen.insert(format(f.diagnostic)).second) diagnostics.push_back(f.diagnostic);
    if (f.kind == Fault::Kind::kUnsupported) unsupported.push_back(f);
  }
  if (std::any_of(faults.begin(), faults.end(),
                  [](const Fault& f) { return f.kind == Fault::Kind::kPlugin; }))
    throw PluginError(std::move(diagnostics));
  if (unsupported.empty()) throw ConversionError(std::move(diagnostics));
  std::vector<UnsupportedOperator> operators;
  add_operators(unsupported, operators);
  throw UnsupportedOperatorError(std::move(diagnostics), std::move(operators));
}

}  // namespace onnx2fx::conversion
