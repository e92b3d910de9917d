// Errors inside the host, before it is known which node they belong to.
#ifndef ONNX2FX_CORE_SHAPES_HOST_ERROR_HPP_
#define ONNX2FX_CORE_SHAPES_HOST_ERROR_HPP_

#include <onnx2fx/plugin.h>

#include <stdexcept>
#include <string>

namespace onnx2fx::conversion {

/// Thrown inside the host; becomes a status and a text at the border.
struct HostError : std::runtime_error {
  HostError(o2fx_status s, const std::string& what) : std::runtime_error(what), status(s) {}
  o2fx_status status;
};

}  // namespace onnx2fx::conversion

#endif
