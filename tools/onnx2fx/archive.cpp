#include "tools/onnx2fx/archive.hpp"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "core/api/write_package.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

namespace {

constexpr const char* kWhere = "--format pt2";
constexpr const char* kRemedy =
    "Python writes the archive: pip install onnx-to-fx[torch] in the environment that is to do so";
constexpr const char* kProgram = R"(import sys
try:
    from onnx_to_fx.archive import main
except ImportError as e:
    sys.exit(f"error: --format pt2: expected the packages onnx_to_fx and torch in {sys.executable}, "
             f"got: {e}\n  note: {sys.argv[1]}")
sys.exit(main(*sys.argv[2:])))";

/// Gone with this object.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((fs::temp_directory_path() / "onnx2fx-XXXXXX").string()) {
    if (!mkdtemp(path_.data())) throw ConversionError(path_, std::strerror(errno));
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path path() const { return path_; }

 private:
  std::string path_;
};

/// Of the environment that this program is installed in, else the one on PATH.
std::string python() {
  std::error_code none;
  const fs::path beside = fs::read_symlink("/proc/self/exe", none).parent_path() / "python3";
  return access(beside.c_str(), X_OK) == 0 ? beside.string() : "python3";
}

/// Its exit code.
int run(std::vector<std::string> command) {
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  pid_t child = 0;
  if (const int error = posix_spawnp(&child, words[0], nullptr, nullptr, words.data(), environ))
    throw ConversionError(
        kWhere, "expected to run " + command[0] + ", got: " + std::strerror(error), {kRemedy});
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status))
    throw ConversionError(kWhere, command[0] + " was ended by: " + strsignal(WTERMSIG(status)));
  return WEXITSTATUS(status);
}

}  // namespace

void check_archive(const write::PackageFolder& file) {
  if (fs::is_directory(file.path))
    throw ConversionError(file.shown.string(), "expected a file or nothing, got a folder",
                          {"choose another name, or remove it"});
}

bool write_archive(const Conversion& c, const write::PackageFolder& file, bool force) {
  const TemporaryFolder folder;
  const fs::path package = folder.path() / "package";
  write_package_to(c, package);
  return run({python(), "-c", kProgram, kRemedy, package, file.path, file.shown,
              force ? "force" : ""}) == 0;
}

}  // namespace onnx2fx::cli
