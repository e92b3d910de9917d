#include "core/plugin/trust.hpp"

#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace onnx2fx::plugin {

namespace fs = std::filesystem;

static std::string writable(const std::string& path, mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return path + ": writable by others (mode " + text + ")";
}

std::optional<std::string> insecurity(const std::string& path, const struct stat& s, Place place) {
  const bool installed = place == Place::kInstallation;
  if (s.st_mode & (installed ? S_IWOTH : S_IWGRP | S_IWOTH)) return writable(path, s.st_mode);
  if (!installed && s.st_uid != 0 && s.st_uid != geteuid())
    return path + ": owned by user " + std::to_string(s.st_uid) + ", neither root nor this user";
  return std::nullopt;
}

static std::optional<std::string> insecurity_above(const fs::path& folder) {
  struct stat s {};
  for (fs::path at = folder.parent_path(); at.has_relative_path(); at = at.parent_path())
    if (stat(at.c_str(), &s) == 0 && (s.st_mode & S_IWOTH) && !(s.st_mode & S_ISVTX))
      return writable(at.string(), s.st_mode);
  return std::nullopt;
}

std::optional<std::string> folder_insecurity(const std::string& folder, Place place) {
  std::error_code error;
  const fs::path as_named = fs::absolute(folder, error).lexically_normal();
  const fs::path real = fs::canonical(folder, error);
  struct stat s {};
  if (error || stat(real.c_str(), &s) != 0) return std::nullopt;
  if (auto why = insecurity(real.string(), s, place)) return why;
  if (auto why = insecurity_above(real)) return why;
  return as_named == real ? std::nullopt : insecurity_above(as_named);
}

std::optional<std::string> file_insecurity(const std::string& file, Place place) {
  struct stat s {};
  if (stat(file.c_str(), &s) != 0) return std::nullopt;
  if (auto why = insecurity(file, s, place)) return why;
  std::error_code error;
  const fs::path real = fs::canonical(file, error);
  if (error) return std::nullopt;
  if (auto why = folder_insecurity(real.parent_path().string(), place)) return why;
  return real == fs::path(file) ? std::nullopt
                                : insecurity_above(fs::absolute(file).lexically_normal());
}

}  // namespace onnx2fx::plugin
