// The manifest's section "weights": where tensors come from.
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "core/plugin/manifest.hpp"

namespace onnx2fx::plugin {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> globs(const Json& json) {
  if (json.is_string()) return {json.get<std::string>()};
  return json.get<std::vector<std::string>>();
}

class RuleReader {
 public:
  RuleReader(const Json& json, std::string file, std::string at, std::vector<Diagnostic>& faults)
      : json_(json), file_(std::move(file)), at_(std::move(at)), faults_(faults) {}

  weights::Rule read() {
    weights::Rule rule;
    rule.origin = file_ + " at " + at_;
    rule.tensors = globs(json_["tensors"]);
    rule.scheme = json_.value("from", "");
    rule.location = json_.value("location", "");
    rule.folder = fs::absolute(file_).lexically_normal().parent_path().string();
    rule.required = json_.value("required", true);
    if (json_.contains("options")) rule.options = json_["options"].dump();
    if (json_.contains("names")) rule.names = json_["names"].get<decltype(rule.names)>();
    if (json_.contains("transposed")) {
      const Json& turned = json_["transposed"];
      if (turned.is_array()) rule.transposed = turned.get<std::vector<std::string>>();
      if (turned == true) rule.transposed = {"*"};
    }
    rename(rule);
    if (rule.scheme.empty() && rule.location.empty())
      fault("", "expected the key 'from' or 'location', got neither");
    return rule;
  }

 private:
  void rename(weights::Rule& rule) {
    if (!json_.contains("rename")) return;
    const Json& list = json_["rename"];
    for (size_t i = 0; i < list.size(); i++) {
      try {
        rule.rename.emplace_back(list[i]["match"].get<std::string>(),
                                 list[i]["replace"].get<std::string>());
      } catch (const std::invalid_argument& e) {
        faults_.push_back(
            {Severity::kError, file_, pointer(at_ + "/rename", i) + "/" + e.what(), {}});
      }
    }
  }
  void fault(const std::string& key, const std::string& what) {
    faults_.push_back({Severity::kError, file_, at_ + key + ": " + what, {}});
  }

  const Json& json_;
  std::string file_, at_;
  std::vector<Diagnostic>& faults_;
};

}  // namespace

void read_weights_section(const Json& json, const std::string& file, WeightsSection& to,
                          std::vector<Diagnostic>& faults) {
  if (json.contains("roots"))
    for (const Json& root : json["roots"])
      to.roots.push_back(
          (fs::absolute(file).parent_path() / root.get<std::string>()).lexically_normal().string());
  if (json.contains("loaders"))
    for (const auto& [key, plugin] : json["loaders"].items())
      to.loaders[key] = {plugin.get<std::string>(),
                         file + " at " + pointer("/weights/loaders", key)};
  if (!json.contains("sources")) return;
  std::vector<weights::Rule> rules;
  for (size_t i = 0; i < json["sources"].size(); i++)
    rules.push_back(
        RuleReader(json["sources"][i], file, pointer("/weights/sources", i), faults).read());
  to.rules.insert(to.rules.begin(), std::make_move_iterator(rules.begin()),
                  std::make_move_iterator(rules.end()));
}

}  // namespace onnx2fx::plugin
