// What a target that no table holds may have meant.
#ifndef ONNX2FX_CORE_BUILD_TARGET_HINT_HPP_
#define ONNX2FX_CORE_BUILD_TARGET_HINT_HPP_

#include <string>

namespace onnx2fx::conversion {

/// "; overloads of 'aten::add': aten::add.Scalar, aten::add.Tensor" if the name is right, or but
/// for writing in place (aten::add_). "; did you mean 'aten::relu'?" if one is near. Of
/// higher-order operators, leaves and Python's operators else all there are. Names only what may be
/// emitted.
std::string target_hint(const std::string& target);

}  // namespace onnx2fx::conversion

#endif
