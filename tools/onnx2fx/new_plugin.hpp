// onnx2fx plugin new.
#ifndef ONNX2FX_TOOLS_ONNX2FX_NEW_PLUGIN_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_NEW_PLUGIN_HPP_

#include <string>

namespace onnx2fx::cli {

struct NewPlugin {
  std::string id;              ///< com.acme.rope-pack
  std::string folder;          ///< new, or empty
  std::string kind, language;  ///< "ops", "cpp": the template "ops-cpp"
};

/// Writes a pack to start from, and prints the folder and the commands that come next.
/// sdk: the folder of the SDK, which holds the templates. The exit code. Throws ConversionError:
/// the id is none, there is no such template, the folder has content. json: that as one document.
int new_plugin(const NewPlugin& asked, const std::string& sdk, const std::string& cmake_folder,
               bool json);

}  // namespace onnx2fx::cli

#endif
