#include "tools/onnx2fx/plugin_test.hpp"

#include <fmt/format.h>
#include <onnx/defs/parser.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/verify/runtime_library.hpp"
#include "tools/verify/verify.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kData = "\n--- data\n";

struct Case {
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> data;  ///< of its inputs, then of its outputs
};

template <class Proto>
Proto parsed(onnx::OnnxParser& parser, const std::string& where, const char* what) {
  Proto proto;
  if (const auto status = parser.Parse(proto); !status.IsOK())
    throw ConversionError(where, std::string("expected ") + what +
                                     " in ONNX's text syntax, got: " + status.ErrorMessage());
  return proto;
}

Case read_case(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw ConversionError(file, "cannot be read");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const size_t at = text.find(kData);
  if (at == std::string::npos)
    throw ConversionError(file,
                          "expected a model, a line '--- data' and tensors, got no such line");
  const std::string model = text.substr(0, at), data = text.substr(at + kData.size());
  onnx::OnnxParser model_parser(model.c_str()), data_parser(data.c_str());
  Case c{parsed<onnx::ModelProto>(model_parser, file, "a model"), {}};
  while (!data_parser.EndOfInput())
    c.data.push_back(parsed<onnx::TensorProto>(data_parser, file, "a tensor"));
  return c;
}

/// The tensors by the model's inputs and outputs, all of which must be there.
verify::DataSet data_set(const Case& c, const std::string& file) {
  std::vector<std::string> names;
  for (const auto& input : c.model.graph().input()) names.push_back(input.name());
  const size_t n_inputs = names.size();
  for (const auto& output : c.model.graph().output()) names.push_back(output.name());
  verify::DataSet set{file, {}, {}};
  for (size_t i = 0; i < std::max(names.size(), c.data.size()); i++) {
    const std::string expected = i < names.size() ? "a tensor '" + names[i] + "'" : "no more";
    const std::string got = i < c.data.size() ? "'" + c.data[i].name() + "'" : "none";
    if (i >= names.size() || i >= c.data.size() || c.data[i].name() != names[i])
      throw ConversionError(file, "data: expected " + expected + ", got " + got);
    (i < n_inputs ? set.inputs : set.outputs).push_back(verify::host_tensor(c.data[i]));
  }
  return set;
}

/// Empty if all outputs are as they should be.
std::string difference(const std::string& file, const Options& options, const std::string& runtime,
                       const std::vector<std::string>& torch_libraries) {
  const Case c = read_case(file);
  const verify::DataSet set = data_set(c, file);
  const Conversion converted =
      convert(std::make_shared<const std::string>(c.model.SerializeAsString()),
              fs::path(file).filename().string(), fs::path(file).parent_path().string(), options);
  const std::vector<verify::SetResult> results =
      verify::check_program(converted, options.training, {set}, {}, runtime, torch_libraries);
  std::string text;
  for (const runtime::OutputCheck& o : results[0].outputs)
    if (!o.passed)
      text += fmt::format("{}output '{}': {}", text.empty() ? "" : "; ", o.name, o.difference);
  return text;
}

std::vector<std::string> files_of(const std::string& cases) {
  std::vector<std::string> files;
  if (fs::is_directory(cases))
    for (const fs::directory_entry& entry : fs::directory_iterator(cases))
      if (entry.path().extension() == ".case") files.push_back(entry.path().string());
  if (files.empty()) throw ConversionError(cases, "expected a folder with files *.case, got none");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int test_plugin(const std::string& library, const std::string& cases, Options options,
                const std::vector<std::string>& torch_libraries, bool json) {
  const std::vector<std::string> files = files_of(cases);
  options.dialect = fx::Dialect::kAten;
  options.plugins.descriptors.push_back(
      fs::path(library).replace_extension(".onnx2fx.json").string());
  const std::string runtime = runtime::library_path(options.plugins.builtin_directory);
  runtime::open_library(runtime);
  size_t n_failed = 0;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& file : files) {
    std::string why;
    try {
      why = difference(file, options, runtime, torch_libraries);
    } catch (const PluginError&) {
      throw;
    } catch (const ConversionError& e) {
      why = e.what();
    }
    const std::string name = fs::path(file).stem().string();
    if (!json)
      fmt::print("{} {}{}\n", why.empty() ? "ok    " : "FAILED", name,
                 why.empty() ? "" : ": " + why);
    all.push_back({{"name", name}, {"passed", why.empty()}, {"difference", why}});
    n_failed += !why.empty();
  }
  const size_t n_passed = files.size() - n_failed;
  if (json) {
    using Json = nlohmann::ordered_json;
    const Json j{{"passed", n_passed}, {"failed", n_failed}, {"cases", all}};
    fmt::print("{}\n", j.dump(1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{} passed, {} failed\n", n_passed, n_failed);
  }
  return n_failed ? 1 : 0;
}

}  // namespace onnx2fx::cli
