// "Did you mean": the known name closest to a mistyped one.
#ifndef ONNX2FX_CORE_PLUGIN_NEAREST_HPP_
#define ONNX2FX_CORE_PLUGIN_NEAREST_HPP_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onnx2fx::plugin {

/// The known name at the smallest edit distance, blind to letter case, if that is at most a third
/// of its length (and at least one edit is always allowed); of several equals the one whose case is
/// nearest, else the first.
std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known);

/// "did you mean 'relu'?" as the notes of a message: one, or none.
std::vector<std::string> did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace onnx2fx::plugin

#endif
