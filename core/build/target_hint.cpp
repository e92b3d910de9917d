#include "core/build/target_hint.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/build/number_operators.hpp"
#include "core/fx/purity.hpp"
#include "core/fx/schema.hpp"
#include "core/plugin/nearest.hpp"

namespace onnx2fx::conversion {

static constexpr std::string_view kAten = "aten::";

/// Those that a call may name: pure ones.
static std::string overloads_of(const std::string& base) {
  std::string all;
  for (const fx::Schema* s : fx::find_overloads(base))
    if (fx::impurity(*s).empty()) all += (all.empty() ? "" : ", ") + s->name;
  return all;
}

static std::string aten_hint(const std::string& base) {
  if (const std::string all = overloads_of(base); !all.empty())
    return "; overloads of '" + base + "': " + all;
  if (base.ends_with('_')) return aten_hint(base.substr(0, base.size() - 1));
  std::vector<std::string> names = fx::operator_names();
  std::erase_if(names, [](const std::string& name) { return name.ends_with('_'); });
  for (std::string& name : names) name.erase(0, kAten.size());  // it is no part of the likeness
  const auto near = plugin::nearest(base.substr(kAten.size()), names);
  if (!near) return "";
  const std::string name = std::string(kAten) + *near, all = overloads_of(name);
  const fx::Schema* plain = fx::find_schema(name);
  if (plain && fx::impurity(*plain).empty()) return "; did you mean '" + name + "'?";
  return all.empty() ? "" : "; did you mean one of " + all + "?";
}

/// The targets that begin with this, of namespaces that no pack adds to.
static std::vector<std::string> closed_names(std::string_view prefix) {
  std::vector<std::string> all = {
#define HIGHER_ORDER(name, first_program, n_programs) std::string("higher_order::" #name),
#include "core/fx/higher_order.def"
#define LEAF(name, family, schema) std::string("onnx2fx::" #name),
#include "core/fx/leaves.def"
  };
  for (const NumberOperator& o : number_operators()) all.emplace_back(o.target);
  std::erase_if(all, [&](const std::string& name) { return !name.starts_with(prefix); });
  for (std::string& name : all) name.erase(0, prefix.size());
  return all;
}

static std::string closed_hint(const std::string& prefix, const std::string& name) {
  const std::vector<std::string> known = closed_names(prefix);
  if (const auto near = plugin::nearest(name, known))
    return "; did you mean '" + prefix + *near + "'?";
  std::string all;
  for (const std::string& k : known) all += (all.empty() ? "" : ", ") + k;
  return all.empty() ? "" : "; of '" + prefix + "' there are " + all;
}

std::string target_hint(const std::string& target) {
  const size_t colons = target.find("::");
  if (target.starts_with(kAten) || target.find(':') == std::string::npos) {
    const std::string name = target.substr(0, target.find('.'));
    return aten_hint(target.starts_with(kAten) ? name : std::string(kAten) + name);
  }
  if (colons == std::string::npos) return "";
  return closed_hint(target.substr(0, colons + 2), target.substr(colons + 2));
}

}  // namespace onnx2fx::conversion
