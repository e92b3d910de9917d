#include "tools/onnx2fx/new_plugin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/schema.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

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
  return {{"com.example.pack", id},          {"com.example", domain},
          {"example_pack", library},         {"example::", name + "::"},
          {"(example, ", "(" + name + ", "}, {"\"example\"", "\"" + name + "\""}};
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

/// Printed once the pack is written, one command a line; it is no part of the pack.
constexpr const char* kNext = "next.txt";

/// "ops-c, ops-cpp": the folders with such a file.
std::string offered(const fs::path& templates) {
  std::set<std::string> names;
  if (fs::is_directory(templates))
    for (const fs::directory_entry& entry : fs::directory_iterator(templates))
      if (fs::exists(entry.path() / kNext)) names.insert(entry.path().filename().string());
  return fmt::format("{}", fmt::join(names, ", "));
}

void write_pack(const fs::path& from, const fs::path& folder, const Replacements& all) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
    const std::string name = fs::relative(entry.path(), from).string();
    if (!entry.is_regular_file() || name == kNext) continue;
    const fs::path to = folder / replaced(name, all);
    fs::create_directories(to.parent_path());
    std::ofstream out(to, std::ios::binary);
    out << replaced(content(entry.path()), all);
    if (!out.flush()) throw ConversionError(to.string(), "cannot be written");
  }
}

/// A path as a word of a shell's command.
std::string quoted(const std::string& path) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,=~";
  if (path.find_first_not_of(kPlain) == std::string::npos) return path;
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

void print_json(const std::string& folder, const std::string& next) {
  using Json = nlohmann::ordered_json;
  std::vector<std::string> files, commands;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder).string());
  std::sort(files.begin(), files.end());
  std::istringstream lines(next);
  for (std::string line; std::getline(lines, line);)
    commands.push_back(line.substr(std::min(line.find_first_not_of(' '), line.size())));
  const Json document{{"folder", folder}, {"files", files}, {"next", commands}};
  fmt::print("{}\n", document.dump(1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

int new_plugin(const NewPlugin& asked, const std::string& sdk, const std::string& cmake_folder,
               bool json) {
  if (!plugin::is_id(asked.id))
    throw ConversionError("plugin new",
                          "expected an id such as com.acme.rope-pack, got '" + asked.id + "'");
  std::error_code error;
  if (fs::exists(asked.folder) && !fs::is_empty(asked.folder, error))
    throw ConversionError(asked.folder, "expected a new or empty folder, got one with content");
  const fs::path templates = fs::path(sdk) / "template";
  const std::string name = asked.kind + "-" + asked.language;
  const fs::path from = templates / name;
  if (!fs::exists(from / kNext))
    throw ConversionError(
        "plugin new", "expected a kind and a language of " + offered(templates) + ", got " + name);
  Replacements all = replacements(asked.id);
  write_pack(from, asked.folder, all);
  all.insert(all.begin(), {{"@DIR@", quoted(asked.folder)}, {"@CMAKE_DIR@", quoted(cmake_folder)}});
  const std::string next = replaced(content(from / kNext), all);
  if (json) {
    print_json(asked.folder, next);
  } else {
    fmt::print("{}\nnext:\n{}", asked.folder, next);
  }
  return 0;
}

}  // namespace onnx2fx::cli
