// SHA-256 (FIPS 180-4), for the optional `sha256` of descriptors and manifests.
#ifndef ONNX2FX_CORE_PLUGIN_SHA256_HPP_
#define ONNX2FX_CORE_PLUGIN_SHA256_HPP_

#include <cstdint>
#include <span>
#include <string>

namespace onnx2fx::plugin {

/// 64 lower-case hexadecimal digits.
std::string sha256(std::span<const uint8_t> bytes);

}  // namespace onnx2fx::plugin

#endif
