#ifndef ONNX2FX_VERSION_HPP_
#define ONNX2FX_VERSION_HPP_

namespace onnx2fx {
/// Version of the host, its plugins and the Python package.
inline constexpr const char* kVersion = "0.1.0";
}  // namespace onnx2fx

#endif
