#include "core/write/package.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "onnx2fx/diagnostic.hpp"

namespace onnx2fx::embedded {
extern const std::string_view package_init_py;
extern const std::string_view loader_py;
extern const std::string_view leaves_py;
extern const std::string_view targets_py;
extern const std::string_view weightless_py;
extern const std::string_view weights_py;
}  // namespace onnx2fx::embedded

namespace onnx2fx::write {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 10> kFiles = {
    "graph.json", "weights.safetensors", "report.json",    "__init__.py", "_loader.py",
    "_leaves.py", "_targets.py",         "_weightless.py", "_weights.py", "__pycache__"};

/// The folder without a trailing "/", absolute.
fs::path normal(const fs::path& folder) {
  fs::path path = fs::absolute(folder).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

void write_text(const fs::path& file, std::string_view text) {
  std::ofstream out(file, std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out)
    throw ConversionError(file.string(),
                          "expected to write the file, got an error of the file system");
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

  void commit() {
    if (fs::exists(target_)) {
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
  std::string head(32, '\0');
  std::ifstream(folder / "graph.json", std::ios::binary)
      .read(head.data(), static_cast<std::streamsize>(head.size()));
  return head.find("\"onnx2fx.graph\"") != std::string::npos;
}

}  // namespace

void check_folder(const fs::path& folder) {
  fs::path path = normal(folder);
  if (!fs::exists(fs::symlink_status(path))) return;
  const char* remedy = "choose another folder, or remove it";
  if (!fs::is_directory(path)) {
    throw ConversionError(folder.string(), "expected a folder or nothing, got a file", {remedy});
  }
  if (fs::is_symlink(fs::symlink_status(path))) {
    throw ConversionError(folder.string(), "expected a folder or nothing, got a symbolic link",
                          {remedy});
  }
  bool package = is_package(path);
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    std::string name = entry.path().filename().string();
    if (!package || std::find(kFiles.begin(), kFiles.end(), name) == kFiles.end()) {
      throw ConversionError(
          folder.string(), "expected an empty folder or an FX package, got one with '" + name + "'",
          {remedy});
    }
  }
}

void write_package(const fx::Module& module, Weights weights, const Bytes& bytes,
                   const nlohmann::ordered_json& report, const fs::path& folder) {
  try {
    check_folder(folder);
    fs::path target = normal(folder);
    NewFolder made(target);
    write_text(made.path() / "graph.json", graph_json(module, {weights, target}));
    write_safetensors(module, weights, bytes, made.path() / "weights.safetensors");
    std::string text = report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    write_text(made.path() / "report.json", text + "\n");
    write_text(made.path() / "__init__.py", embedded::package_init_py);
    write_text(made.path() / "_loader.py", embedded::loader_py);
    write_text(made.path() / "_leaves.py", embedded::leaves_py);
    write_text(made.path() / "_targets.py", embedded::targets_py);
    write_text(made.path() / "_weightless.py", embedded::weightless_py);
    write_text(made.path() / "_weights.py", embedded::weights_py);
    made.commit();
  } catch (const fs::filesystem_error& e) {
    throw ConversionError(folder.string(),
                          "expected to write the package, got: " + e.code().message());
  }
}

}  // namespace onnx2fx::write
