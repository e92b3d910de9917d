// What the command line says.
#ifndef ONNX2FX_TOOLS_ONNX2FX_ARGUMENTS_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_ARGUMENTS_HPP_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "tools/onnx2fx/new_plugin.hpp"
#include "tools/verify/verify.hpp"

namespace onnx2fx::cli {

/// What is written of a conversion.
enum class Format : uint8_t {
  kPackage,  ///< an FX package: a folder
  kPt2,      ///< an archive of torch.export: a file
  kSource    ///< model.py and weights.safetensors: a folder
};
/// By format.
inline constexpr std::string_view kFormatWords[] = {"package", "pt2", "source"};

struct Arguments {
  Options options;
  std::string model, out, library, cases, shell;
  Format format = Format::kPackage;
  NewPlugin pack{{}, {}, "ops", "cpp"};
  std::vector<std::string> sizes;  ///< of inspect: "batch=1,time=400"
  std::vector<std::string> topic;  ///< of help: "plugin", "check"
  verify::VerifyOptions verification;
  bool json = false, force = false, quiet = false, verbose = false;
  uint32_t time_limit = 0;  ///< of one call into a plugin, in seconds; 0: none
};

}  // namespace onnx2fx::cli

#endif
