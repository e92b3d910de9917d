#include "tools/onnx2fx/plugin_check.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "core/plugin/library.hpp"
#include "core/plugin/table.hpp"
#include "tools/onnx2fx/dry_lowering.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

namespace {

using Faults = std::vector<Diagnostic>;

void add(Faults& faults, const std::string& where, const std::string& what,
         Severity severity = Severity::kError) {
  faults.push_back({severity, where, what, {}});
}

/// From the bytes alone. False if it may not be loaded: it is no library, or would have the loader
/// take code from the current folder.
bool check_image(const std::string& library, Faults& faults) {
  plugin::ElfImage image;
  try {
    image = plugin::read_image(library);
  } catch (const PluginError& e) {
    faults.insert(faults.end(), e.diagnostics.begin(), e.diagnostics.end());
    return false;
  }
  std::erase(image.exports, "onnx2fx_plugin_entry_1");
  if (!image.exports.empty())
    add(faults, library,
        fmt::format("expected onnx2fx_plugin_entry_1 to be the only exported symbol, got {} "
                    "others, among them '{}'",
                    image.exports.size(), image.exports.front()));
  const std::vector<std::string> relative = plugin::relative_paths(image);
  for (const std::string& what : relative) add(faults, library, what);
  if (image.executable_stack) add(faults, library, "expected a stack that is not executable");
  static constexpr std::array kPlatform = {
      "libc.so.",      "libm.so.",       "libstdc++.so.", "libgcc_s.so.", "libc++.so.",
      "libc++abi.so.", "libpthread.so.", "libdl.so.",     "librt.so.",    "ld-linux"};
  for (const std::string& needed : image.needed)
    if (std::none_of(kPlatform.begin(), kPlatform.end(),
                     [&](const char* p) { return needed.starts_with(p); }))
      add(faults, library,
          "needs " + needed +
              ": expected only the platform's own libraries, lest it clash with the host's",
          Severity::kWarning);
  return relative.empty();
}

/// Each row that was tried, in a line; those at fault are added to `faults`.
std::string tried(const o2fx_plugin* source, const std::string& library, Faults& faults) {
  std::string text;
  for (const DryLowering& dry : lower_dry(source)) {
    text += fmt::format("  {}: {}\n", dry.row, printable(dry.outcome));
    if (dry.is_fault) add(faults, library, dry.row + ": " + dry.outcome);
  }
  return text;
}

/// In the child: what it finds goes to `out`; the exit code is 0 or 3.
int load_and_compare(const std::string& library, int out) {
  int code = 0;
  std::string text;
  try {
    const o2fx_plugin* const source = plugin::load_library(library, "");
    const o2fx_plugin table = plugin::accepted_table(source, library);
    const plugin::Descriptor own = plugin::describe(table);
    std::string weights;
    for (const plugin::DescribedScheme& s : own.schemes)
      weights += (weights.empty() ? ", weights of " : ", ") + s.name;
    text = fmt::format("ok: {}: {} {}, ABI {}.{}, needs host minor {}, {} ops{}\n", library, own.id,
                       own.version, table.abi_major, table.abi_minor, table.abi_min_minor,
                       own.ops.size(), weights);
    const std::string descriptor = fs::path(library).replace_extension(".onnx2fx.json").string();
    if (fs::exists(descriptor)) {
      Faults faults;
      const plugin::Descriptor described =
          plugin::read_descriptor(descriptor, plugin::real_folder(descriptor), faults);
      if (plugin::has_errors(faults)) throw PluginError(std::move(faults));
      if (described.library != fs::canonical(library).string())
        throw PluginError(descriptor, fmt::format("/plugin/library: expected {}, got {}", library,
                                                  described.library));
      plugin::require_agreement(table, described);
    } else {
      text += fmt::format("warning: {}: expected the descriptor beside the library, got none\n",
                          descriptor);
    }
    Faults faults;
    text += tried(source, library, faults);
    if (plugin::has_errors(faults)) throw PluginError(std::move(faults));
  } catch (const PluginError& e) {
    text = std::string(e.what()) + "\n";
    code = 3;
  }
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = write(out, text.data() + at, text.size() - at);
    if (n <= 0) return 3;
    at += static_cast<size_t>(n);
  }
  return code;
}

/// Everything the child writes until it ends; false if it is not done by the deadline.
bool drain(int in, int timeout_seconds, std::string& text) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(timeout_seconds);
  std::array<char, 4096> buffer;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd p{in, POLLIN, 0};
    if (left <= 0 || poll(&p, 1, static_cast<int>(left)) <= 0) return false;
    const ssize_t n = ::read(in, buffer.data(), buffer.size());
    if (n <= 0) return true;
    text.append(buffer.data(), static_cast<size_t>(n));
  }
}

/// True if the child found nothing wrong.
bool check_in_child(const std::string& library, int timeout_seconds, Faults& faults) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    throw PluginError(library, std::string("no pipe: ") + std::strerror(errno));
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0)
    throw PluginError(library, std::string("no child process: ") + std::strerror(errno));
  if (child == 0) {
    close(ends[0]);
    _exit(load_and_compare(library, ends[1]));
  }
  close(ends[1]);
  std::string text;
  const bool in_time = drain(ends[0], timeout_seconds, text);
  if (!in_time) kill(child, SIGKILL);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  fmt::print(stderr, "{}", WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : text);
  if (!in_time) {
    add(faults, library,
        fmt::format("expected it to load and to lower one-node models within {} s, got no answer",
                    timeout_seconds));
  } else if (WIFSIGNALED(status)) {
    add(faults, library,
        fmt::format("crashed while it was loaded or tried: {}", strsignal(WTERMSIG(status))));
  } else if (text.empty()) {
    add(faults, library,
        fmt::format("ended the process while it was loaded or tried (exit code {})",
                    WEXITSTATUS(status)));
  } else if (WEXITSTATUS(status) == 0) {
    fmt::print("{}", text);
  }
  return in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0 && !text.empty();
}

}  // namespace

int check_plugin(const std::string& library, int timeout_seconds) {
  const std::string path = fs::absolute(library).lexically_normal().string();
  Faults faults;
  const bool loads = check_image(path, faults) && check_in_child(path, timeout_seconds, faults);
  for (const Diagnostic& d : faults) fmt::print(stderr, "{}\n", format(d));
  return loads && !plugin::has_errors(faults) ? 0 : 3;
}

}  // namespace onnx2fx::cli
