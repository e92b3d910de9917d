// Tables of a model that stand in attributes, as tensors of the module.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_ML_TABLE_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_ML_TABLE_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// `data` as a tensor of `dtype` (float, double, int64, bool), of one axis unless dims says more.
template <class T>
Value table(Node& n, std::string_view name, int32_t dtype, const std::vector<T>& data,
            std::vector<int64_t> dims = {}, int32_t role = O2FX_ROLE_BUFFER) {
  if (dims.empty()) dims = {static_cast<int64_t>(data.size())};
  switch (dtype) {
    case kFloat:
      return n.constant(name, dtype, std::vector<float>(data.begin(), data.end()), dims, role);
    case kDouble:
      return n.constant(name, dtype, std::vector<double>(data.begin(), data.end()), dims, role);
    case kInt64:
      return n.constant(name, dtype, std::vector<int64_t>(data.begin(), data.end()), dims, role);
    case kBool:
      return n.constant(name, dtype, std::vector<uint8_t>(data.begin(), data.end()), dims, role);
    default:
      throw Unsupported("a table of data type " + std::to_string(dtype));
  }
}

/// X as rows of features, in `dtype`: a vector is one row.
inline Value feature_rows(Node& n, Value x, int32_t dtype) {
  const int32_t rank = n.rank(x, 1);
  if (rank > 2) throw Unsupported("expected X of rank 1 or 2, got " + std::to_string(rank));
  const Value v = n.cast(x, dtype);
  return rank == 1 ? n.call("aten::unsqueeze", {v, 0}) : v;
}

}  // namespace onnx2fx

#endif
