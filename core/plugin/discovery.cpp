#include "core/plugin/discovery.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <utility>

namespace onnx2fx::plugin {

namespace fs = std::filesystem;

std::optional<std::string> environment(const char* name) {
  if (getuid() != geteuid() || getgid() != getegid()) return std::nullopt;
  const char* value = secure_getenv(name);
  return value ? std::optional<std::string>(value) : std::nullopt;
}

std::vector<std::string> environment_list(const char* name) {
  std::vector<std::string> parts;
  std::string rest = environment(name).value_or("") + ":";
  for (size_t end; (end = rest.find(':')) != std::string::npos; rest.erase(0, end + 1))
    if (end) parts.push_back(rest.substr(0, end));
  return parts;
}

namespace {

class Search {
 public:
  explicit Search(std::vector<Diagnostic>& faults) : faults_(faults) {}

  void file(const std::string& path) {
    if (!path.ends_with(".json")) {
      faults_.push_back(
          {Severity::kError,
           "--plugin " + path,
           "expected a descriptor NAME.onnx2fx.json, got another kind of file",
           {"the descriptor lies beside the library; --plugin-dir takes a whole folder"}});
      return;
    }
    const std::string absolute = fs::absolute(path).lexically_normal().string();
    const std::string real = real_folder(absolute);
    if (!is_new(real, absolute)) return;
    found.push_back({absolute, Place::kCommandLine, descriptor_file(absolute, real),
                     file_insecurity(absolute, Place::kCommandLine)});
  }

  /// `where`: who asked for the folder; empty: a default one, which may be absent.
  void folder(const std::string& path, Place place, const std::string& where) {
    const std::string absolute = fs::absolute(path).lexically_normal().string();
    std::error_code error;
    const std::vector<std::string> paths = descriptors_in(absolute, error);
    if (error && !where.empty())
      faults_.push_back({place == Place::kEnvironment ? Severity::kWarning : Severity::kError,
                         where,
                         "expected a readable folder, got " + path + ": " + error.message(),
                         {}});
    if (paths.empty()) return;
    const std::optional<std::string> above = folder_insecurity(absolute, place);
    const std::string real = real_folder(paths[0]);
    const auto files = descriptor_files(paths, real);
    for (size_t i = 0; i < paths.size(); i++) {
      if (!is_new(real, paths[i])) continue;
      Found f{paths[i], place, files[i], {}};
      const read::Opened& opened = f.file->opened;
      f.insecurity = opened.is_link ? file_insecurity(paths[i], place)
                                    : insecurity(paths[i], opened.status, place);
      if (!f.insecurity) f.insecurity = above;
      found.push_back(std::move(f));
    }
  }

  /// Folders of a variable. What is relative would be looked for wherever the process stands.
  void folders_of(const char* variable) {
    for (const std::string& path : environment_list(variable)) {
      if (path.starts_with("/"))
        folder(path, Place::kEnvironment, variable);
      else
        faults_.push_back({Severity::kWarning,
                           variable,
                           "expected absolute paths, got '" + path + "', which is ignored",
                           {}});
    }
  }

  std::vector<Found> found;

 private:
  /// Named twice, a file is found once, where it was named first.
  bool is_new(const std::string& folder, const std::string& path) {
    const fs::path real = fs::path(folder) / fs::path(path).filename();
    return seen_.insert(folder.empty() ? path : real.string()).second;
  }

  std::vector<Diagnostic>& faults_;
  std::set<std::string> seen_;
};

std::optional<std::string> user_folder() {
  if (const auto data = environment("XDG_DATA_HOME"); data && data->starts_with("/"))
    return *data + "/onnx2fx/plugins.d";
  if (const auto home = environment("HOME"); home && home->starts_with("/"))
    return *home + "/.local/share/onnx2fx/plugins.d";
  return std::nullopt;
}

}  // namespace

std::vector<Found> discover(const Options& options, const Manifest& manifest,
                            std::vector<Diagnostic>& faults) {
  constexpr const char *kPath = "ONNX2FX_PLUGIN_PATH", *kAddPath = "ONNX2FX_ADD_PLUGIN_PATH";
  Search search(faults);
  if (!options.safe_mode) {
    for (const std::string& file : options.descriptors) search.file(file);
    for (const std::string& folder : options.directories)
      search.folder(folder, Place::kCommandLine, "--plugin-dir");
    for (const PluginFolder& folder : manifest.folders)
      search.folder(folder.path, Place::kManifest, folder.origin);
    if (options.default_plugins && environment(kPath)) {
      if (environment(kAddPath))
        faults.push_back(
            {Severity::kWarning, kAddPath, std::string("ignored, as ") + kPath + " is set", {}});
      search.folders_of(kPath);
      return std::move(search.found);
    }
    if (options.default_plugins) {
      search.folders_of(kAddPath);
      if (const auto folder = user_folder()) search.folder(*folder, Place::kUser, "");
    }
  }
  if ((options.default_plugins || options.safe_mode) && !options.builtin_directory.empty())
    search.folder(options.builtin_directory, Place::kInstallation, "");
  return std::move(search.found);
}

}  // namespace onnx2fx::plugin
