// Which of several versions of a plugin counts: of one that the manifest requires in a range, the
// highest that fits, wherever it lies.
#ifndef ONNX2FX_CORE_PLUGIN_REQUIRED_VERSIONS_HPP_
#define ONNX2FX_CORE_PLUGIN_REQUIRED_VERSIONS_HPP_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/plugin/discovery.hpp"
#include "core/plugin/manifest.hpp"

namespace onnx2fx::plugin {

struct RequiredVersion {
  std::string path;  ///< of the descriptor
  Origin origin;     ///< of the rule that asks for it
};

/// By id. One of which no version fits and may serve is not there.
std::map<std::string, RequiredVersion> required_versions(
    const Manifest& manifest, const std::vector<Found>& all,
    const std::function<bool(const Found&)>& may_serve);

}  // namespace onnx2fx::plugin

#endif
