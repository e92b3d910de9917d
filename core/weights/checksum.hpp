// SHA-1 (FIPS 180-4) of a file: the `checksum` of ONNX's external data. It finds accidents, no
// attacks.
#ifndef ONNX2FX_CORE_WEIGHTS_CHECKSUM_HPP_
#define ONNX2FX_CORE_WEIGHTS_CHECKSUM_HPP_

#include <string>

#include "core/read/model_file.hpp"

namespace onnx2fx::weights {

/// 40 lower-case hexadecimal digits. Reads the whole file, in constant memory.
std::string sha1(const read::ByteSource& source);

}  // namespace onnx2fx::weights

#endif
