#include "tools/onnx2fx/plugin_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/plugin/schema.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

static void print_warnings(const plugin::Registry& registry) {
  for (const Diagnostic& d : registry.warnings()) fmt::print(stderr, "{}\n", format(d));
}

int list_plugins(const plugin::Options& options, bool json, bool quiet) {
  const plugin::Registry registry(options, plugin::Registry::Faults::kKept);
  for (const Diagnostic& d : registry.faults()) fmt::print(stderr, "{}\n", format(d));
  if (!quiet) print_warnings(registry);
  Json all = Json::array();
  for (const plugin::ListedPlugin& p : registry.plugins()) {
    if (json)
      all.push_back({{"id", p.id},
                     {"version", p.version},
                     {"ops", p.n_ops},
                     {"weights", p.schemes},
                     {"status", p.status},
                     {"library", p.library},
                     {"descriptor", p.descriptor}});
    else if (p.version.empty())
      fmt::print("{}: {}\n  {}\n", p.id.empty() ? "?" : p.id, printable(p.status), p.descriptor);
    else
      fmt::print("{} {} ({} ops{}): {}\n  {}\n", p.id, p.version, p.n_ops,
                 p.schemes.empty() ? "" : fmt::format("; weights: {}", fmt::join(p.schemes, ", ")),
                 p.status, p.descriptor);
  }
  if (json) fmt::print("{}\n", Json{{"plugins", all}}.dump(2));
  return registry.faults().empty() ? 0 : 3;
}

/// All rows, or what the op set in force leaves of them, conflicts among it.
static std::vector<plugin::EffectiveOp> rows_of(const plugin::Registry& registry, bool effective) {
  if (effective) return registry.effective_ops();
  std::vector<plugin::EffectiveOp> all;
  for (const plugin::ProvidedOp& op : registry.ops())
    all.push_back({op.domain, op.op_type, op.since, op.until, op.provider, {}});
  return all;
}

int list_ops(const plugin::Options& options, bool json, bool quiet) {
  const plugin::Registry registry(options);
  if (!quiet) print_warnings(registry);
  const bool effective = !options.manifest.empty() || !options.op_set.empty();
  Json all = Json::array();
  for (const plugin::EffectiveOp& op : rows_of(registry, effective)) {
    if (op.conflict) fmt::print(stderr, "{}\n", format(*op.conflict));
    if (json)
      all.push_back({{"domain", op.domain},
                     {"op", op.op_type},
                     {"since", op.since},
                     {"until", op.until ? Json(op.until) : Json(nullptr)},
                     {"provider", op.conflict ? Json(nullptr) : Json(op.provider)}});
    else
      fmt::print("{:<40} {:>3}..{:<3} {}\n", plugin::shown(op.domain, op.op_type), op.since,
                 op.until ? std::to_string(op.until) : "", op.conflict ? "conflict" : op.provider);
  }
  if (json) fmt::print("{}\n", Json{{"ops", all}}.dump(2));
  return 0;
}

// ---- onnx2fx plugin new

namespace {

using Replacements = std::vector<std::pair<std::string, std::string>>;

/// Names that CMake, or the template itself, has given to targets already.
bool is_taken(const std::string& target) {
  static constexpr std::array kTaken = {
      "all",           "ALL_BUILD", "clean",   "depend",         "edit_cache",
      "help",          "install",   "package", "package_source", "preinstall",
      "rebuild_cache", "sdk",       "test",    "RUN_TESTS",      "onnx2fx_describe",
      "onnx2fx_sdk"};
  return std::find(kTaken.begin(), kTaken.end(), target) != kTaken.end();
}

std::string identifier(std::string text) {
  std::replace(text.begin(), text.end(), '-', '_');
  return (text.front() >= '0' && text.front() <= '9' ? "_" : "") + text;
}

/// "com.acme.rope-pack" -> library rope_pack, domain com.acme, torch namespace acme.
Replacements replacements(const std::string& id) {
  const size_t last = id.rfind('.');
  const std::string domain = id.substr(0, last);
  const std::string name = identifier(domain.substr(domain.rfind('.') + 1));
  std::string library = identifier(id.substr(last + 1));
  if (is_taken(library)) library = name + "_" + library;
  // Of two that begin alike, the longer first.
  return {{"com.example.pack", id},
          {"com.example", domain},
          {"example_pack", library},
          {"example::", name + "::"},
          {"\"example\"", "\"" + name + "\""}};
}

/// All in one pass: what stands in for a name is no name of the template's, though it may read so.
std::string replaced(const std::string& text, const Replacements& all) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& r) {
      return text.compare(at, r.first.size(), r.first) == 0;
    });
    out += found == all.end() ? text.substr(at, 1) : found->second;
    at += found == all.end() ? 1 : found->first.size();
  }
  return out;
}

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw ConversionError(file.string(), "cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int new_plugin(const std::string& id, bool plain_c, const std::string& folder,
               const std::string& templates) {
  if (!plugin::is_id(id))
    throw ConversionError("plugin new",
                          "expected an id such as com.acme.rope-pack, got '" + id + "'");
  std::error_code error;
  if (fs::exists(folder) && !fs::is_empty(folder, error))
    throw ConversionError(folder, "expected a new or empty folder, got one with content");
  const fs::path from = fs::path(templates) / (plain_c ? "template_c" : "template");
  if (!fs::is_directory(from))
    throw ConversionError(from.string(), "expected the SDK's template, got nothing");
  const Replacements all = replacements(id);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
    if (!entry.is_regular_file()) continue;
    const fs::path to = folder / fs::relative(entry.path(), from);
    fs::create_directories(to.parent_path());
    std::ofstream out(to, std::ios::binary);
    out << replaced(content(entry.path()), all);
    if (!out.flush()) throw ConversionError(to.string(), "cannot be written");
  }
  fmt::print("{}\n", folder);
  return 0;
}

}  // namespace onnx2fx::cli
