#include "tests/cases/case.hpp"

#include <fmt/format.h>
#include <onnx/checker.h>
#include <onnx/defs/parser.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "core/fx/print.hpp"
#include "core/plugin/registry.hpp"

namespace onnx2fx::cases {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOptions = "# options:";
constexpr const char* kScope = "# scope:";
constexpr const char* kCall = "# call:";

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error(file.string() + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

void set_option(Case& c, const std::string& key, const std::string& value) {
  Options& o = c.options;
  const std::string all = key + "=" + value;
  if (all == "check=false")
    c.checked = false;
  else if (all == "dialect=nn")
    o.dialect = fx::Dialect::kNn;
  else if (all == "weights=meta")
    o.weights = weights::Mode::kMeta;
  else if (all == "training=true")
    o.training = true;
  else if (all == "recover=off")
    o.recover = Recover::kOff;
  else if (all == "blocks=flat")
    o.blocks = Blocks::kFlat;
  else if (all == "keep_going=true")
    o.keep_going = true;
  else if (key == "trainable")
    o.trainable.push_back(value);
  else if (key == "frozen")
    o.frozen.push_back(value);
  else
    throw std::runtime_error(
        std::string(kOptions) +
        " expected check=false, dialect=nn, weights=meta, training=true, recover=off, "
        "blocks=flat, keep_going=true, trainable=GLOB or frozen=GLOB, got " +
        all);
}

void read_options(Case& c) {
  c.options.dialect = fx::Dialect::kAten;
  c.options.plugins.builtin_directory = ONNX2FX_TEST_PLUGINS;
  c.options.plugins.safe_mode = true;
  std::istringstream lines(c.model);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kOptions)) continue;
    std::istringstream words(line.substr(std::string(kOptions).size()));
    for (std::string word; words >> word;) {
      const size_t equals = std::min(word.find('='), word.size());
      set_option(c, word.substr(0, equals), word.substr(std::min(equals + 1, word.size())));
    }
  }
}

Case read(const fs::path& file) {
  Case c;
  c.path = file.string();
  c.name = fs::relative(file, ONNX2FX_CASES).replace_extension().string();
  c.model = content(file);
  if (const size_t at = c.model.find("\n--- "); at != std::string::npos) {
    c.expected = c.model.substr(at + 1);
    c.model.resize(at + 1);
  }
  read_options(c);
  return c;
}

onnx::NodeProto& node_of(onnx::GraphProto& graph, const std::string& output) {
  for (onnx::NodeProto& node : *graph.mutable_node())
    if (std::ranges::find(node.output(), output) != node.output().end()) return node;
  throw std::runtime_error("expected the output of a node, got " + output);
}

/// As PyTorch's exporters say it: "encoder=Encoder encoder.fc=Linear" in the metadata, or, of one
/// word, "/encoder/fc", in the node's name.
void set_scope(onnx::NodeProto& node, const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0].starts_with('/')) {
    node.set_name((words[0] == "/" ? "" : words[0]) + "/" + node.op_type());
    return;
  }
  std::string scopes = "['', ", classes = "['test.Net', ";
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    scopes += "'" + word.substr(0, equals) + "', ";
    const std::string type = word.substr(equals + 1);
    classes += (type.find('.') == std::string::npos ? "'test." : "'") + type + "', ";
  }
  const auto say = [&](const char* key, const std::string& value) {
    auto* entry = node.add_metadata_props();
    entry->set_key(std::string("pkg.torch.onnx.") + key);
    entry->set_value(value);
  };
  say("name_scopes", scopes + "'" + node.output(0) + "']");
  say("class_hierarchy", classes + "'aten']");
}

/// The FX node that PyTorch's exporter made the node of: "topk_1", a call of "aten.topk.default".
void set_call(onnx::NodeProto& node, const std::vector<std::string>& words) {
  auto& p = *node.add_metadata_props();
  p.set_key("pkg.torch.onnx.fx_node");
  p.set_value("%" + words.at(0) + " : [num_users=1] = call_function[target=torch.ops." +
              words.at(1) + "](args = (), kwargs = {})");
}

void set_scopes(onnx::GraphProto& graph, const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool scope = line.starts_with(kScope);
    if (!scope && !line.starts_with(kCall)) continue;
    std::istringstream rest(line.substr(std::string(scope ? kScope : kCall).size()));
    std::string output;
    rest >> output;
    const std::istream_iterator<std::string> begin(rest), end;
    (scope ? set_scope : set_call)(node_of(graph, output), {begin, end});
  }
}

std::string parsed(const Case& c) {
  onnx::ModelProto model;
  const auto status = onnx::OnnxParser::Parse(model, c.model.c_str());
  if (!status.IsOK()) throw std::runtime_error(c.path + ": " + status.ErrorMessage());
  set_scopes(*model.mutable_graph(), c.model);
  if (c.checked && !c.is_refusal()) onnx::checker::check_model(model, /*full_check=*/true);
  return model.SerializeAsString();
}

std::string where(const Report::Node& n) {
  return fmt::format("node '{}' ({}{})", n.name, n.domain.empty() ? "" : n.domain + ".", n.op_type);
}

std::string report_text(const Report& report, const fx::Module& module) {
  std::string s;
  for (const auto& [path, why] : module.open_blocks) s += "no block " + path + ": " + why + "\n";
  for (const Diagnostic& d : report.warnings) s += format(d) + "\n";
  for (const Report::Node& n : report.nodes) {
    for (const std::string& d : n.declined) s += where(n) + ": " + d + "\n";
    for (const auto& [key, text] : n.notes) s += where(n) + ": " + key + ": " + text + "\n";
  }
  for (const UnsupportedOperator& o : report.unsupported)
    for (const std::string& reason : o.reasons)
      s += fmt::format("nobody lowers {}{}, opset {}: {}\n", o.domain.empty() ? "" : o.domain + ".",
                       o.op_type, o.opset, reason);
  return s;
}

}  // namespace

bool Case::is_refusal() const { return fs::path(path).filename().string().starts_with("bad_"); }

const std::vector<Case>& all_cases() {
  static const std::vector<Case> kAll = [] {
    std::vector<Case> all;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(ONNX2FX_CASES))
      if (entry.path().extension() == ".case") all.push_back(read(entry.path()));
    std::sort(all.begin(), all.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
    return all;
  }();
  return kAll;
}

Outcome run(const Case& c) {
  static plugin::Registry registry(c.options.plugins);
  const auto bytes = std::make_shared<const std::string>(parsed(c));
  try {
    const Conversion converted =
        convert(bytes, "net.onnx", fs::path(c.path).parent_path().string(), c.options, &registry);
    const std::string report = report_text(converted.report, converted.module);
    return {"--- fx\n" + fx::print_program(converted.module) +
                (report.empty() ? "" : "--- report\n" + report),
            false, converted.report.nodes};
  } catch (const ConversionError& e) {
    return {"--- error\n" + std::string(e.what()) + "\n", true, {}};
  }
}

void rewrite(const Case& c, const Outcome& outcome) {
  std::ofstream(c.path, std::ios::binary) << c.model << outcome.sections;
}

}  // namespace onnx2fx::cases
