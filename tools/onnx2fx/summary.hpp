// What a conversion has written, in a few lines: for people, or as JSON.
#ifndef ONNX2FX_TOOLS_ONNX2FX_SUMMARY_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_SUMMARY_HPP_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/include/onnx2fx/convert.hpp"
#include "tools/onnx2fx/arguments.hpp"

namespace onnx2fx::cli {

/// Elements of the tensors that are trained.
uint64_t trainable_elements(const fx::Module& module);

struct Summary {
  Summary(const Conversion& conversion, Format format, std::filesystem::path written,
          double seconds);

  std::string format;             ///< the word of the option
  std::filesystem::path written;  ///< as it was given
  double seconds;
  std::string dialect, weights;  ///< the words of the options
  uint64_t layers = 0;           ///< nn modules
  uint64_t blocks = 0;           ///< modules of the author's around them
  uint64_t fx_nodes = 0;
  std::map<std::string, uint32_t> recovered;  ///< composites, and how many of each
  uint64_t opaque_nodes = 0;                  ///< ONNX nodes that nobody lowers, with --keep-going
  uint64_t tensors = 0, parameters = 0, weight_bytes = 0;
  uint64_t warnings = 0;  ///< lines of them, also where they are not printed
};

std::string text(const Summary& summary);
/// One object on one line.
std::string json(const Summary& summary);

/// Who lowered it, and which files were written.
std::string details(const Conversion& conversion, const std::filesystem::path& written);

}  // namespace onnx2fx::cli

#endif
