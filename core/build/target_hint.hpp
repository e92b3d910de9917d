// What a torch operator that the ATen table does not hold may have meant.
#ifndef ONNX2FX_CORE_BUILD_TARGET_HINT_HPP_
#define ONNX2FX_CORE_BUILD_TARGET_HINT_HPP_

#include <string>

namespace onnx2fx::conversion {

/// "; overloads of 'aten::add': aten::add.Scalar, aten::add.Tensor" if the name is right: those
/// that may be emitted. "; did you mean 'aten::relu'?" if one is near. Else empty.
std::string target_hint(const std::string& target);

}  // namespace onnx2fx::conversion

#endif
