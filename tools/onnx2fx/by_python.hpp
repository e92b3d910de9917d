// What the Python package does for the command, in the Python of its environment.
#ifndef ONNX2FX_TOOLS_ONNX2FX_BY_PYTHON_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_BY_PYTHON_HPP_

#include <filesystem>
#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "core/write/package_folder.hpp"

namespace onnx2fx::cli {

/// Gone with this object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  std::filesystem::path path() const { return path_; }

 private:
  std::string path_;
};

/// Calls main() of the module onnx_to_fx.NAME. False: it has told what is wrong. Throws
/// ConversionError, by the name of `what` was asked for and with `remedy`: there is no Python.
bool by_python(const std::string& what, const std::string& remedy, const std::string& name,
               const std::vector<std::string>& arguments);

/// Hands the conversion, as a package in a temporary folder, to main() of onnx_to_fx.NAME, which
/// writes `format` of it to `out`. False and ConversionError as by_python.
bool written_by_python(const Conversion& conversion, const write::PackageFolder& out, bool force,
                       const std::string& format, const std::string& thing,
                       const std::string& name);

}  // namespace onnx2fx::cli

#endif
