// Where the standard plugins are, for embedders that do not say it.
#ifndef ONNX2FX_CORE_API_INSTALLATION_HPP_
#define ONNX2FX_CORE_API_INSTALLATION_HPP_

#include <string>

namespace onnx2fx {

/// onnx2fx/plugins.d beside the program or library that holds this function; empty: there is none.
std::string plugins_beside_library();

}  // namespace onnx2fx

#endif
