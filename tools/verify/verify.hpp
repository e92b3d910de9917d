// `onnx2fx verify MODEL --data DIR`: the converted program, run in LibTorch, against stored
// reference data.
#ifndef ONNX2FX_TOOLS_VERIFY_VERIFY_HPP_
#define ONNX2FX_TOOLS_VERIFY_VERIFY_HPP_

#include <iosfwd>
#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "core/runtime/session.hpp"
#include "tools/verify/test_data.hpp"

namespace onnx2fx::verify {

struct VerifyOptions {
  std::string model;
  std::string
      data;  ///< a folder of test_data_set_*, or one data set; empty: the model's own folder
  runtime::Tolerance tolerance;
  bool json = false;
  Options conversion;   ///< dialect is overruled: the runtime takes ATen
  std::string library;  ///< libonnx2fx_runtime.so; empty: beside the built-in plugins
  std::vector<std::string> torch_libraries;  ///< of packs, loaded into LibTorch
};

struct SetResult {
  std::string folder;
  std::vector<runtime::OutputCheck> outputs;
};

/// Runs a program of the ATen dialect and compares with all data sets. library: as in
/// VerifyOptions, already found. Throws ConversionError.
std::vector<SetResult> check_program(const Conversion& converted, bool training,
                                     const std::vector<DataSet>& sets,
                                     const runtime::Tolerance& tolerance,
                                     const std::string& library,
                                     const std::vector<std::string>& torch_libraries);

/// Converts and compares all data sets. Throws ConversionError. `registry` as in convert().
std::vector<SetResult> check_model(const VerifyOptions& options,
                                   plugin::Registry* registry = nullptr);
bool passed(const std::vector<SetResult>& results);

/// The command: prints a line for each output, or one JSON document. Exit code 0, or 1 when
/// something differs. Throws ConversionError.
int verify(const VerifyOptions& options, std::ostream& out);

}  // namespace onnx2fx::verify

#endif
