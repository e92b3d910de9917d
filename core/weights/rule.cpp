// Which tensors a rule is about, and under which names its source holds them.
#include <algorithm>

#include "core/include/onnx2fx/glob.hpp"
#include "core/weights/source.hpp"

namespace onnx2fx::weights {
namespace {

bool any_matches(const std::vector<std::string>& globs, const std::string& name) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return glob_matches(glob, name); });
}

}  // namespace

bool Rule::selects(const std::string& tensor) const { return any_matches(tensors, tensor); }

bool Rule::transposes(const std::string& tensor) const { return any_matches(transposed, tensor); }

std::string Rule::key(const std::string& tensor) const {
  if (const auto given = names.find(tensor); given != names.end()) return given->second;
  std::string key = tensor;
  for (const Rename& step : rename) key = step.of(std::move(key));
  return key;
}

Rule last_rule(std::string_view scheme) {
  Rule rule;
  rule.tensors = {"*"};
  rule.scheme = scheme;
  rule.origin = "--weights " + rule.scheme;
  rule.required = false;
  rule.is_last = true;
  return rule;
}

}  // namespace onnx2fx::weights
