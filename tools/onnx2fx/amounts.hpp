// Amounts that may not be known, and how they are written for people.
#ifndef ONNX2FX_TOOLS_ONNX2FX_AMOUNTS_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_AMOUNTS_HPP_

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace onnx2fx::cli {

/// nullopt: not known, or beyond 64 bits.
using Amount = std::optional<uint64_t>;
Amount plus(Amount a, Amount b);
Amount times(Amount a, Amount b);
/// Of sizes, none of which is negative; 1 of none.
Amount product(std::span<const int64_t> sizes);

/// "999 bytes", "1.5 MB".
std::string sized(uint64_t bytes);
/// "1 tensor", "2000 tensors".
std::string counted(uint64_t n, const char* what);
/// "2,000"; "2,000 tensors".
std::string grouped(uint64_t n);
std::string grouped(uint64_t n, const char* what);

}  // namespace onnx2fx::cli

#endif
