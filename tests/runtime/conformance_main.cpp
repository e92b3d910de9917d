// Runs many models with reference data in one process:
//
//     onnx2fx_conformance BUILTIN_PLUGIN_FOLDER < cases
//
// A case is a line "FOLDER<tab>RTOL<tab>ATOL<tab>values<tab>eval"; the folder holds model.onnx and
// test_data_set_*. "shape" in place of "values" leaves the values alone, "train" in place of "eval"
// compares in train(). For each, one line
// {"case": FOLDER, "reason": ""} comes out at once, the reason saying why the case failed.
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/registry.hpp"
#include "tools/verify/verify.hpp"

namespace onnx2fx::verify {
namespace {

std::string reason(const VerifyOptions& options, plugin::Registry& registry) {
  try {
    for (const SetResult& set : check_model(options, &registry))
      for (const runtime::OutputCheck& output : set.outputs)
        if (!output.passed) return "output '" + output.name + "': " + output.difference;
    return "";
  } catch (const std::exception& e) {
    const std::string text = e.what();
    return text.substr(0, text.find('\n'));
  }
}

int run(const std::string& plugins) {
  VerifyOptions options;
  options.conversion.plugins.builtin_directory = plugins;
  options.conversion.plugins.safe_mode = true;
  plugin::Registry registry(options.conversion.plugins);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    std::string folder;
    std::getline(fields, folder, '\t');
    std::string compared, mode;
    fields >> options.tolerance.rtol >> options.tolerance.atol >> compared >> mode;
    options.tolerance.values = compared != "shape";
    options.conversion.training = mode == "train";
    options.model = folder + "/model.onnx";
    const nlohmann::ordered_json result = {{"case", folder}, {"reason", reason(options, registry)}};
    std::cout << result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace onnx2fx::verify

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: onnx2fx_conformance BUILTIN_PLUGIN_FOLDER < cases\n";
    return 2;
  }
  try {
    return onnx2fx::verify::run(argv[1]);
  } catch (const onnx2fx::ConversionError& e) {
    std::cerr << e.what() << "\n";
    return 3;
  }
}
