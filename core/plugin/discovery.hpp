// Where descriptors are looked for, in which order, and which places are trusted. Only JSON files
// are found here; nothing is loaded.
#ifndef ONNX2FX_CORE_PLUGIN_DISCOVERY_HPP_
#define ONNX2FX_CORE_PLUGIN_DISCOVERY_HPP_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/manifest.hpp"
#include "core/plugin/registry.hpp"

namespace onnx2fx::plugin {

enum class Place : uint8_t { kCommandLine, kManifest, kEnvironment, kUser, kInstallation };

struct Found {
  std::string file;
  Place place;
};

/// All descriptors in order of precedence; inside a folder by byte order of the name.
std::vector<Found> discover(const Options& options, const Manifest& manifest,
                            std::vector<Diagnostic>& faults);

/// Why others than root and this user could change `file` or its folder ("DIR: writable by others
/// (mode 0777)"); nullopt if they cannot. Of the installation's own folder only world-writable is
/// an objection: who owns it owns the host as well.
std::optional<std::string> insecurity(const std::string& file, Place place);

/// The variable's value; nullopt if it is not set, or if the process has more rights than its user.
std::optional<std::string> environment(const char* name);

/// The variable, a list of names separated by colons.
std::vector<std::string> environment_list(const char* name);

}  // namespace onnx2fx::plugin

#endif
