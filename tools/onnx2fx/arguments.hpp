// What the command line says.
#ifndef ONNX2FX_TOOLS_ONNX2FX_ARGUMENTS_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_ARGUMENTS_HPP_

#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "tools/verify/verify.hpp"

namespace onnx2fx::cli {

struct Arguments {
  Options options;
  std::string model, out, library, folder, id, shell;
  std::vector<std::string> topic;  ///< of help: "plugin", "check"
  verify::VerifyOptions verification;
  bool json = false, force = false, quiet = false, verbose = false, plain_c = false;
};

}  // namespace onnx2fx::cli

#endif
