// Where descriptors are looked for, in which order. Only JSON files are read here; nothing is
// loaded.
#ifndef ONNX2FX_CORE_PLUGIN_DISCOVERY_HPP_
#define ONNX2FX_CORE_PLUGIN_DISCOVERY_HPP_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/include/onnx2fx/options.hpp"
#include "core/plugin/descriptor_cache.hpp"
#include "core/plugin/manifest.hpp"
#include "core/plugin/trust.hpp"

namespace onnx2fx::plugin {

struct Found {
  std::string path;  ///< absolute
  Place place;
  std::shared_ptr<const DescriptorFile> file;
  std::optional<std::string> insecurity;  ///< of the file or its folder
};

/// All descriptors in order of precedence; inside a folder by byte order of the name.
std::vector<Found> discover(const Options& options, const Manifest& manifest,
                            std::vector<Diagnostic>& faults);

/// The variable's value; nullopt if it is not set, or if the process has more rights than its user.
std::optional<std::string> environment(const char* name);

/// The variable, a list of names separated by colons.
std::vector<std::string> environment_list(const char* name);

}  // namespace onnx2fx::plugin

#endif
