#include "tools/onnx2fx/same_model.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/write/report_json.hpp"

namespace onnx2fx::cli {

using Json = nlohmann::ordered_json;

void check_same_model(const Conversion& c, const write::PackageFolder& folder) {
  std::ifstream file(folder.path / "report.json", std::ios::binary);
  if (!file) return;
  const Json report = Json::parse(file, nullptr, false);
  if (!report.is_object() || !report.contains("model")) return;
  const Json& there = report["model"];
  // As a reader of the report sees it, who gets no bytes but UTF-8.
  const Json model = Json::parse(write::model_json(c));
  if (there == model || !there.is_object() || !there.contains("file") || !there["file"].is_string())
    return;
  const std::string ours = model["file"], theirs = there["file"];
  throw ConversionError(
      folder.shown.string(),
      "expected a package of '" + ours + "', got one of " +
          (theirs == ours ? "another '" + theirs + "', with other inputs or outputs"
                          : "'" + theirs + "'"),
      {"choose another folder, or replace it with --force"});
}

}  // namespace onnx2fx::cli
