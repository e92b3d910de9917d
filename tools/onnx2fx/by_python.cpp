#include "tools/onnx2fx/by_python.hpp"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/api/write_package.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

namespace {

constexpr const char* kProgram = R"(import importlib, sys
try:
    main = importlib.import_module("onnx_to_fx." + sys.argv[3]).main
except ImportError as e:
    sys.exit(f"error: {sys.argv[1]}: expected the packages onnx_to_fx and torch in {sys.executable}, "
             f"got: {e}\n  note: {sys.argv[2]}")
sys.exit(main(*sys.argv[4:])))";

/// Of the environment that this program is installed in, else the one on PATH.
std::string python() {
  std::error_code none;
  const fs::path beside = fs::read_symlink("/proc/self/exe", none).parent_path() / "python3";
  return access(beside.c_str(), X_OK) == 0 ? beside.string() : "python3";
}

}  // namespace

TemporaryFolder::TemporaryFolder()
    : path_((fs::temp_directory_path() / "onnx2fx-XXXXXX").string()) {
  if (!mkdtemp(path_.data())) throw ConversionError(path_, std::strerror(errno));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

bool by_python(const std::string& what, const std::string& remedy, const std::string& name,
               const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {python(), "-c", kProgram, what, remedy, name};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  pid_t child = 0;
  if (const int error = posix_spawnp(&child, words[0], nullptr, nullptr, words.data(), environ))
    throw ConversionError(what, "expected to run " + command[0] + ", got: " + std::strerror(error),
                          {remedy});
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status))
    throw ConversionError(what, command[0] + " was ended by: " + strsignal(WTERMSIG(status)));
  return WEXITSTATUS(status) == 0;
}

bool written_by_python(const Conversion& conversion, const write::PackageFolder& out, bool force,
                       const std::string& format, const std::string& thing,
                       const std::string& name) {
  const TemporaryFolder folder;
  const fs::path package = folder.path() / "package";
  write_package_to(conversion, package);
  return by_python("--format " + format,
                   "Python writes the " + thing +
                       ": pip install onnx-to-fx[torch] in the environment that is to do so",
                   name, {package, out.path, out.shown, force ? "force" : ""});
}

}  // namespace onnx2fx::cli
