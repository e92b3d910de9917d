#include "core/plugin/switches.hpp"

#include "core/include/onnx2fx/glob.hpp"
#include "core/plugin/discovery.hpp"
#include "core/plugin/idle_rules.hpp"

namespace onnx2fx::plugin {

Switches switches_of_environment() {
  return {environment_list("ONNX2FX_PLUGIN_DISABLE"), environment_list("ONNX2FX_PLUGIN_ENABLE")};
}

std::optional<std::string> turned_off(const Switches& environment, const Manifest& manifest,
                                      const std::string& id, bool builtin) {
  const auto hits = [&](const std::string& glob) { return disables(glob, id, builtin); };
  std::optional<std::string> why;
  for (const std::string& glob : environment.disable)
    if (hits(glob)) why = "disabled by ONNX2FX_PLUGIN_DISABLE=" + glob;
  for (const std::string& glob : environment.enable)
    if (glob_matches(glob, id)) why.reset();
  for (const Pattern& p : manifest.disable)
    if (hits(p.glob)) why = "disabled by " + p.origin;
  for (const Pattern& p : manifest.enable)
    if (glob_matches(p.glob, id)) why.reset();
  return why;
}

}  // namespace onnx2fx::plugin
