#include "core/write/package.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "onnx2fx/diagnostic.hpp"

namespace onnx2fx::embedded {
extern const std::string_view package_init_py;
extern const std::span<const std::pair<std::string_view, std::string_view>> loader;
}  // namespace onnx2fx::embedded

namespace onnx2fx::write {
namespace {

namespace fs = std::filesystem;

/// The name of the file or folder in a package that is not ours; empty: there is none.
std::string foreign(const fs::path& package) {
  constexpr std::string_view kOurs[] = {"__init__.py", "__pycache__", "_loader", "graph.json",
                                        "report.json", "weights.safetensors",
                                        // where the loader was once
                                        "_leaves.py", "_loader.py", "_random_leaves.py",
                                        "_targets.py", "_weightless.py", "_weights.py"};
  for (const fs::directory_entry& entry : fs::directory_iterator(package)) {
    std::string name = entry.path().filename().string();
    if (std::ranges::find(kOurs, name) == std::end(kOurs)) return name;
  }
  if (!fs::is_directory(fs::symlink_status(package / "_loader"))) return "";
  for (const fs::directory_entry& entry : fs::directory_iterator(package / "_loader")) {
    fs::path name = entry.path().filename();
    if (name != "__pycache__" && name.extension() != ".py") return "_loader/" + name.string();
  }
  return "";
}

/// A folder made beside `target`, with the parents that it lacks; gone with this object unless
/// committed.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& target) : target_(target) {
    for (fs::path p = target.parent_path(); !fs::exists(p); p = p.parent_path()) made_.push_back(p);
    try {
      fs::create_directories(target.parent_path());
      for (int n = 0; !fs::create_directory(path_ = beside("new", n)); ++n) {
      }
    } catch (...) {
      remove();
      throw;
    }
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    if (!committed_) remove();
  }

  const fs::path& path() const { return path_; }

  /// In one step, so that at any time the old folder or the new one is there; where the file system
  /// has no such step, in two.
  void commit() {
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
      committed_ = true;
      fs::remove_all(path_);
    } else if (fs::exists(target_)) {
      fs::path old = beside("old", 0);
      fs::rename(target_, old);
      try {
        fs::rename(path_, target_);
      } catch (...) {
        fs::rename(old, target_);
        throw;
      }
      committed_ = true;
      fs::remove_all(old);
    } else {
      fs::rename(path_, target_);
      committed_ = true;
    }
  }

 private:
  fs::path beside(const char* what, int n) const {
    std::string name =
        "." + target_.filename().string() + "." + what + "-" + std::to_string(::getpid());
    return target_.parent_path() / (n ? name + "-" + std::to_string(n) : name);
  }

  void remove() noexcept {
    std::error_code ignored;  // an exception with the reason is on its way
    if (!path_.empty()) fs::remove_all(path_, ignored);
    for (const fs::path& p : made_) fs::remove(p, ignored);
  }

  fs::path target_, path_;
  std::vector<fs::path> made_;  // innermost first
  bool committed_ = false;
};

bool is_package(const fs::path& folder) {
  const fs::path file = folder / "graph.json";
  std::string head(32, '\0');
  if (fs::is_regular_file(file))
    std::ifstream(file, std::ios::binary)
        .read(head.data(), static_cast<std::streamsize>(head.size()));
  return head.find("\"onnx2fx.graph\"") != std::string::npos;
}

}  // namespace

void check_folder(const PackageFolder& folder) {
  const fs::path& path = folder.path;
  if (path.empty())
    throw ConversionError(folder.shown.string(), "expected the path of a folder, got none",
                          {"an absolute one needs no current folder"});
  if (!fs::exists(fs::symlink_status(path))) return;
  const char* remedy = "choose another folder, or remove it";
  if (!fs::is_directory(path)) {
    throw ConversionError(folder.shown.string(), "expected a folder or nothing, got a file",
                          {remedy});
  }
  if (fs::is_symlink(fs::symlink_status(path))) {
    throw ConversionError(folder.shown.string(),
                          "expected a folder or nothing, got a symbolic link", {remedy});
  }
  if (fs::is_empty(path)) return;
  std::string name =
      is_package(path) ? foreign(path) : fs::directory_iterator(path)->path().filename().string();
  if (!name.empty()) {
    throw ConversionError(folder.shown.string(),
                          "expected an empty folder or an FX package, got one with '" + name + "'",
                          {remedy});
  }
}

void write_package(const fx::Module& module, Weights weights, const Bytes& bytes,
                   std::string_view report, const PackageFolder& folder) {
  try {
    check_folder(folder);
    NewFolder made(folder.path);
    const auto text = [&](const fs::path& name, std::string_view content) {
      NewFile file(made.path() / name, folder.shown / name, content.size());
      file.append(content);
      file.close();
    };
    text("graph.json", graph_json(module, {weights, folder.path}));
    write_safetensors(module, weights, bytes, made.path() / "weights.safetensors",
                      folder.shown / "weights.safetensors");
    text("report.json", report);
    text("__init__.py", embedded::package_init_py);
    fs::create_directory(made.path() / "_loader");
    for (const auto& [name, content] : embedded::loader) text(fs::path("_loader") / name, content);
    made.commit();
  } catch (const fs::filesystem_error& e) {
    throw ConversionError(folder.shown.string(),
                          "expected to write the package, got: " + e.code().message());
  }
}

}  // namespace onnx2fx::write
