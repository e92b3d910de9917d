// "1.4.0" against ">=1.4 <2".
#ifndef ONNX2FX_CORE_PLUGIN_VERSION_RANGE_HPP_
#define ONNX2FX_CORE_PLUGIN_VERSION_RANGE_HPP_

#include <string_view>

namespace onnx2fx::plugin {

/// Both in the form of sdk/schema. Every comparison of the range must hold; parts left out are 0; a
/// pre-release ("1.4.0-rc1") comes before its release. An empty range holds always.
bool in_range(std::string_view version, std::string_view range);

/// Whether `a` comes before `b`.
bool is_older(std::string_view a, std::string_view b);

}  // namespace onnx2fx::plugin

#endif
