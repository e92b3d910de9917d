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
#include <nlohmann/json.hpp>

#include "core/plugin/library.hpp"
#include "core/plugin/reference_table.hpp"
#include "core/plugin/table.hpp"
#include "tools/onnx2fx/dry_lowering.hpp"
#include "tools/onnx2fx/fault_json.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

namespace {

using Faults = std::vector<Diagnostic>;
using Json = nlohmann::ordered_json;

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

/// What it found of the plugin; of a row at fault `faults` has it.
Json tried(const o2fx_plugin* source, const std::string& library, Faults& faults) {
  Json rows = Json::array();
  for (const DryLowering& dry : lower_dry(source)) {
    rows.push_back({{"row", dry.row}, {"outcome", dry.outcome}, {"passed", !dry.is_fault}});
    if (dry.is_fault) add(faults, library, dry.row + ": " + dry.outcome);
  }
  return rows;
}

/// Throws PluginError where a table of the plugin breaks a rule.
Json described(const o2fx_plugin& table, const std::string& library) {
  const plugin::Descriptor own = plugin::describe(table);
  Json schemes = Json::array(), references = Json::array();
  for (const plugin::DescribedScheme& s : own.schemes) schemes.push_back(s.name);
  for (const plugin::ReferenceFunction& f : plugin::reference_functions(table, library))
    references.push_back(f.name);
  return {{"id", own.id},
          {"version", own.version},
          {"abi", fmt::format("{}.{}", table.abi_major, table.abi_minor)},
          {"host_minor", table.abi_min_minor},
          {"ops", own.ops.size()},
          {"schemes", schemes},
          {"references", references}};
}

/// Throws PluginError where the descriptor says something else.
void compare_with_descriptor(const std::string& library, const o2fx_plugin& table, Faults& faults) {
  const std::string descriptor = fs::path(library).replace_extension(".onnx2fx.json").string();
  if (!fs::exists(descriptor))
    return add(faults, descriptor, "expected the descriptor beside the library, got none",
               Severity::kWarning);
  Faults found;
  const plugin::Descriptor stated =
      plugin::read_descriptor(descriptor, plugin::real_folder(descriptor), found);
  if (plugin::has_errors(found)) throw PluginError(std::move(found));
  if (stated.library != fs::canonical(library).string())
    throw PluginError(descriptor,
                      fmt::format("/plugin/library: expected {}, got {}", library, stated.library));
  plugin::require_agreement(table, stated);
}

/// In the child: what it finds, as a document, goes to `out`; the exit code is 0 or 3.
int load_and_compare(const std::string& library, int out) {
  Json document{{"plugin", nullptr}, {"rows", Json::array()}};
  Faults faults;
  try {
    const o2fx_plugin* const source = plugin::load_library(library, "");
    const o2fx_plugin table = plugin::accepted_table(source, library);
    document["plugin"] = described(table, library);
    compare_with_descriptor(library, table, faults);
    document["rows"] = tried(source, library, faults);
  } catch (const PluginError& e) {
    faults.insert(faults.end(), e.diagnostics.begin(), e.diagnostics.end());
  }
  document["faults"] = Json::array();
  for (const Diagnostic& d : faults) document["faults"].push_back(json(d));
  const std::string text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  const int code = plugin::has_errors(faults) ? 3 : 0;
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

/// What the child found; null: nothing, as `faults` says.
Json check_in_child(const std::string& library, int timeout_seconds, Faults& faults) {
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
  } else {
    Json document = Json::parse(text);
    for (const Json& d : document["faults"])
      faults.push_back({d["severity"] == "error" ? Severity::kError : Severity::kWarning,
                        d["where"], d["what"], d["notes"]});
    return document;
  }
  return nullptr;
}

/// ", weights of xor, npz"; nothing of none.
std::string listed(const char* what, const Json& names) {
  std::string text;
  for (const Json& name : names)
    text += (text.empty() ? fmt::format(", {} ", what) : ", ") + name.get<std::string>();
  return text;
}

/// In a few lines; of a plugin at fault its faults alone, on standard error.
void print_text(const std::string& library, const Json& found, const Faults& faults) {
  if (plugin::has_errors(faults)) {
    for (const Diagnostic& d : faults) fmt::print(stderr, "{}\n", format(d));
    return;
  }
  const Json& p = found["plugin"];
  fmt::print("ok: {}: {} {}, ABI {}, needs host minor {}, {} ops{}{}\n", library,
             p["id"].get<std::string>(), p["version"].get<std::string>(),
             p["abi"].get<std::string>(), p["host_minor"].get<int>(), p["ops"].get<size_t>(),
             listed("weights of", p["schemes"]), listed("computes", p["references"]));
  for (const Diagnostic& d : faults) fmt::print(stderr, "{}\n", format(d));
  for (const Json& row : found["rows"])
    fmt::print("  {}: {}\n", row["row"].get<std::string>(),
               printable(row["outcome"].get<std::string>()));
}

void print_json(const std::string& library, const Json& found, const Faults& faults) {
  Json document{{"library", library}, {"passed", !plugin::has_errors(faults)}};
  document["plugin"] = found.is_null() ? Json(nullptr) : found["plugin"];
  document["rows"] = found.is_null() ? Json::array() : found["rows"];
  document["faults"] = Json::array();
  for (const Diagnostic& d : faults) document["faults"].push_back(json(d));
  fmt::print("{}\n", document.dump(1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

int check_plugin(const std::string& library, bool json, int timeout_seconds) {
  const std::string path = fs::absolute(library).lexically_normal().string();
  Faults faults;
  const bool may_load = check_image(path, faults);
  const Json found = may_load ? check_in_child(path, timeout_seconds, faults) : Json(nullptr);
  json ? print_json(path, found, faults) : print_text(path, found, faults);
  return plugin::has_errors(faults) ? 3 : 0;
}

}  // namespace onnx2fx::cli
