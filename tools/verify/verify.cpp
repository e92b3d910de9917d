#include "tools/verify/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <ostream>

#include "core/plugin/breadcrumb.hpp"
#include "core/plugin/exit_report.hpp"
#include "tools/verify/runtime_library.hpp"
#include "tools/verify/test_data.hpp"

namespace onnx2fx::verify {
namespace {

using runtime::OutputCheck;

std::string folder_of(const std::string& model) {
  const std::string folder = std::filesystem::path(model).parent_path().string();
  return folder.empty() ? "." : folder;
}

void print_text(const std::vector<SetResult>& results, std::ostream& out) {
  for (const SetResult& set : results) {
    out << set.folder << "\n";
    for (const OutputCheck& output : set.outputs) {
      out << fmt::format("  {:<24} max abs {:<10.3g} max rel {:<10.3g} {}\n", output.name,
                         output.max_absolute, output.max_relative,
                         output.passed ? "ok" : "DIFFERS: " + output.difference);
    }
  }
}

void print_json(const VerifyOptions& options, const std::vector<SetResult>& results,
                std::ostream& out) {
  nlohmann::ordered_json sets = nlohmann::ordered_json::array();
  for (const SetResult& set : results) {
    nlohmann::ordered_json outputs = nlohmann::ordered_json::array();
    for (const OutputCheck& output : set.outputs)
      outputs.push_back({{"name", output.name},
                         {"passed", output.passed},
                         {"max_abs", output.max_absolute},
                         {"max_rel", output.max_relative},
                         {"difference", output.difference}});
    sets.push_back({{"folder", set.folder}, {"outputs", std::move(outputs)}});
  }
  const nlohmann::ordered_json document = {
      {"model", options.model}, {"passed", passed(results)}, {"data_sets", std::move(sets)}};
  out << document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

/// Where a library of a pack crashes or calls exit(), the command says which and what it did.
void tell_of_its_end(const runtime::LibraryCall& what, const std::function<void()>& call) {
  const plugin::Breadcrumb crumb(what.library, what.id, what.version, what.doing);
  call();
}

}  // namespace

std::vector<SetResult> check_program(const Conversion& converted, bool training,
                                     const std::vector<DataSet>& sets,
                                     const runtime::Tolerance& tolerance,
                                     const std::string& library,
                                     const std::vector<std::string>& torch_libraries) {
  const auto session = runtime::open_library(library)(
      converted.module, [&](const fx::Tensor& tensor) { return converted.bytes(tensor.data); },
      torch_libraries, tell_of_its_end);
  plugin::renew_exit_report();  // LibTorch has handlers of its own
  session->train(training);
  std::vector<SetResult> results;
  results.reserve(sets.size());
  for (const DataSet& set : sets)
    results.push_back({set.folder, session->check(set.inputs, set.outputs, tolerance)});
  return results;
}

std::vector<SetResult> check_model(const VerifyOptions& options, plugin::Registry* registry) {
  const std::vector<DataSet> sets =
      read_data_sets(options.model, options.data.empty() ? folder_of(options.model) : options.data);
  Options conversion = options.conversion;
  conversion.dialect = fx::Dialect::kAten;
  const Conversion converted = convert(options.model, conversion, registry);
  const std::string library = options.library.empty()
                                  ? runtime::library_path(conversion.plugins.builtin_directory)
                                  : options.library;
  return check_program(converted, conversion.training, sets, options.tolerance, library,
                       options.torch_libraries);
}

bool passed(const std::vector<SetResult>& results) {
  return std::all_of(results.begin(), results.end(), [](const SetResult& set) {
    return std::all_of(set.outputs.begin(), set.outputs.end(),
                       [](const OutputCheck& o) { return o.passed; });
  });
}

int verify(const VerifyOptions& options, std::ostream& out) {
  const std::vector<SetResult> results = check_model(options);
  if (options.json) {
    print_json(options, results, out);
  } else {
    print_text(results, out);
  }
  return passed(results) ? 0 : 1;
}

}  // namespace onnx2fx::verify
