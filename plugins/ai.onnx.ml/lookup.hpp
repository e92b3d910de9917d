// Categories: where a value stands in a list of keys, and what stands there in a list of values.
// Numbers are looked up by ATen, strings by the leaves of the loader's runtime.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_ML_LOOKUP_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_ML_LOOKUP_HPP_

#include <onnx2fx/plugin.hpp>
#include <variant>

namespace onnx2fx {

using Keys = std::variant<std::vector<std::string>, std::vector<int64_t>, std::vector<double>>;

/// The number of keys.
size_t size_of(const Keys& keys);
/// Each element of x as the place of the first key that equals it; the number of keys where none
/// does. NaN equals NaN, unless nan_equals is false.
Value places(Node& n, Value x, const Keys& keys, bool nan_equals = true);
/// The texts at `places`.
Value texts_at(Node& n, Value places, const std::vector<std::string>& texts);
/// The numbers at `places`.
Value numbers_at(Node& n, Value places, const std::vector<int64_t>& numbers);

}  // namespace onnx2fx

#endif
