// Who could have put a file where it lies.
#ifndef ONNX2FX_CORE_PLUGIN_TRUST_HPP_
#define ONNX2FX_CORE_PLUGIN_TRUST_HPP_

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

namespace onnx2fx::plugin {

/// Who named the place, in order of precedence.
enum class Place : uint8_t { kCommandLine, kManifest, kEnvironment, kUser, kInstallation };

/// By the user, for this run: what is wrong there is an error, not a thing to leave out.
inline bool is_named(Place place) {
  return place == Place::kCommandLine || place == Place::kManifest;
}

/// Why others than root and this user could change the file or folder that `status` is of ("DIR:
/// writable by others (mode 0777)"); nullopt if they cannot. Of the installation's own folder only
/// world-writable is an objection: who owns it owns the host as well.
std::optional<std::string> insecurity(const std::string& path, const struct stat& status,
                                      Place place);

/// Of a folder itself, and of those above it, links resolved: in one that all may write to,
/// another folder can be put in the place of this one, unless it is sticky.
std::optional<std::string> folder_insecurity(const std::string& folder, Place place);

/// Of a file and its folder.
std::optional<std::string> file_insecurity(const std::string& file, Place place);

}  // namespace onnx2fx::plugin

#endif
