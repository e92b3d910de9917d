#include "core/build/target_hint.hpp"

#include <string_view>
#include <vector>

#include "core/fx/purity.hpp"
#include "core/fx/schema.hpp"
#include "core/plugin/nearest.hpp"

namespace onnx2fx::conversion {

static constexpr std::string_view kAten = "aten::";

std::string target_hint(const std::string& target) {
  const bool qualified = target.starts_with(kAten);
  if (!qualified && target.find(':') != std::string::npos) return "";  // of another namespace
  const std::string base =
      (qualified ? "" : std::string(kAten)) + target.substr(0, target.find('.'));
  std::string overloads;
  for (const fx::Schema* s : fx::find_overloads(base))
    if (fx::impurity(*s).empty()) overloads += (overloads.empty() ? "" : ", ") + s->name;
  if (!overloads.empty()) return "; overloads of '" + base + "': " + overloads;
  std::vector<std::string> names = fx::operator_names();
  for (std::string& name : names) name.erase(0, kAten.size());  // it is no part of the likeness
  const auto near = plugin::nearest(base.substr(kAten.size()), names);
  return near ? "; did you mean '" + std::string(kAten) + *near + "'?" : "";
}

}  // namespace onnx2fx::conversion
