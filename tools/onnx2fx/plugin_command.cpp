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

int list_plugins(const plugin::Options& options, bool json) {
  const plugin::Registry registry(options);
  print_warnings(registry);
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
    else
      fmt::print("{} {} ({} ops{}): {}\n  {}\n", p.id, p.version, p.n_ops,
                 p.schemes.empty() ? "" : fmt::format("; weights: {}", fmt::join(p.schemes, ", ")),
                 p.status, p.descriptor);
  }
  if (json) fmt::print("{}\n", Json{{"plugins", all}}.dump(2));
  return 0;
}

int list_ops(const plugin::Options& options, bool json) {
  const plugin::Registry registry(options);
  print_warnings(registry);
  Json all = Json::array();
  for (const plugin::ProvidedOp& op : registry.ops()) {
    const Json until = op.until ? Json(op.until) : Json(nullptr);
    if (json)
      all.push_back({{"domain", op.domain},
                     {"op", op.op_type},
                     {"since", op.since},
                     {"until", until},
                     {"provider", op.provider}});
    else
      fmt::print("{:<40} {:>3}..{:<3} {}\n",
                 op.domain.empty() ? op.op_type : op.domain + "::" + op.op_type, op.since,
                 op.until ? std::to_string(op.until) : "", op.provider);
  }
  if (json) fmt::print("{}\n", Json{{"ops", all}}.dump(2));
  return 0;
}

// ---- onnx2fx plugin new

namespace {

using Replacements = std::vector<std::pair<std::string, std::string>>;

/// "com.acme.rope-pack" -> library rope_pack, domain com.acme, torch namespace acme.
Replacements replacements(const std::string& id) {
  const size_t last = id.rfind('.');
  const std::string domain = id.substr(0, last);
  std::string library = id.substr(last + 1), name = domain.substr(domain.rfind('.') + 1);
  for (std::string* s : {&library, &name}) {
    std::replace(s->begin(), s->end(), '-', '_');
    if (s->front() >= '0' && s->front() <= '9') s->insert(0, "_");
  }
  // Longer names first: the domain is part of the id.
  return {{"com.example.pack", id},
          {"com.example", domain},
          {"example_pack", library},
          {"example::", name + "::"},
          {"\"example\"", "\"" + name + "\""}};
}

std::string replaced(std::string text, const Replacements& all) {
  for (const auto& [from, to] : all)
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  return text;
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
