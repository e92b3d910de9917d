#include "core/plugin/discovery.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
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

static std::optional<std::string> objection(const std::string& path, Place place) {
  struct stat s {};
  if (stat(path.c_str(), &s) != 0) return std::nullopt;
  const bool installed = place == Place::kInstallation;
  const mode_t others = installed ? S_IWOTH : S_IWGRP | S_IWOTH;
  if (s.st_mode & others) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(s.st_mode & 07777));
    return path + ": writable by others (mode " + mode + ")";
  }
  if (!installed && s.st_uid != 0 && s.st_uid != geteuid())
    return path + ": owned by user " + std::to_string(s.st_uid) + ", neither root nor this user";
  return std::nullopt;
}

std::optional<std::string> insecurity(const std::string& file, Place place) {
  if (auto o = objection(file, place)) return o;
  std::error_code error;
  const fs::path real = fs::canonical(file, error);
  return error ? std::nullopt : objection(real.parent_path().string(), place);
}

namespace {

class Search {
 public:
  explicit Search(std::vector<Diagnostic>& faults) : faults_(faults) {}

  void file(const std::string& path) {
    if (!path.ends_with(".json"))
      faults_.push_back(
          {Severity::kError,
           "--plugin " + path,
           "expected a descriptor NAME.onnx2fx.json, got another kind of file",
           {"the descriptor lies beside the library; --plugin-dir takes a whole folder"}});
    else
      found.push_back({fs::absolute(path).lexically_normal().string(), Place::kCommandLine});
  }

  /// `where`: who asked for the folder; empty: a default one, which may be absent.
  void folder(const std::string& path, Place place, const std::string& where) {
    constexpr std::string_view kSuffix = ".onnx2fx.json";
    std::error_code error;
    std::vector<std::string> names;
    fs::directory_iterator it(fs::absolute(path).lexically_normal(), error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
      std::error_code broken;
      const std::string name = it->path().string();
      // What is no file either is told when it is read.
      if (name.ends_with(kSuffix) && it->exists(broken) && !it->is_directory(broken))
        names.push_back(name);
    }
    if (error && !where.empty())
      faults_.push_back({place == Place::kEnvironment ? Severity::kWarning : Severity::kError,
                         where,
                         "expected a readable folder, got " + path + ": " + error.message(),
                         {}});
    std::sort(names.begin(), names.end());
    for (std::string& name : names) found.push_back({std::move(name), place});
  }

  std::vector<Found> found;

 private:
  std::vector<Diagnostic>& faults_;
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
      for (const std::string& folder : environment_list(kPath))
        search.folder(folder, Place::kEnvironment, kPath);
      return std::move(search.found);
    }
    if (options.default_plugins) {
      for (const std::string& folder : environment_list(kAddPath))
        search.folder(folder, Place::kEnvironment, kAddPath);
      if (const auto folder = user_folder()) search.folder(*folder, Place::kUser, "");
    }
  }
  if ((options.default_plugins || options.safe_mode) && !options.builtin_directory.empty())
    search.folder(options.builtin_directory, Place::kInstallation, "");
  return std::move(search.found);
}

}  // namespace onnx2fx::plugin
