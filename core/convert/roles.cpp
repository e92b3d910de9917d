#include "core/convert/roles.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>

#include "core/include/onnx2fx/glob.hpp"

namespace onnx2fx::conversion {
namespace {

bool is_trainable_dtype(int32_t d) {
  return d == onnx::TensorProto::FLOAT || d == onnx::TensorProto::FLOAT16 ||
         d == onnx::TensorProto::DOUBLE || d == onnx::TensorProto::BFLOAT16;
}

bool matches(const std::vector<std::string>& globs, const std::string& name) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& g) { return glob_matches(g, name); });
}

// What nobody claimed: floats of more than one element are weights, single floats are constants of
// the graph.
fx::Role role_of(const TensorEntry& t) {
  switch (t.role) {
    case O2FX_ROLE_PARAMETER:
      return is_trainable_dtype(t.dtype) ? fx::Role::kParameter : fx::Role::kBuffer;
    case O2FX_ROLE_BUFFER:
    case O2FX_ROLE_MUTATED:
      return fx::Role::kBuffer;
    case O2FX_ROLE_CONSTANT:
      return fx::Role::kConstant;
    default:
      break;
  }
  if (is_trainable_dtype(t.dtype))
    return t.count() > 1 ? fx::Role::kParameter : fx::Role::kConstant;
  return fx::Role::kBuffer;
}

}  // namespace

void assign_role(fx::Tensor& tensor, const TensorEntry& entry, const Options& options) {
  tensor.role = role_of(entry);
  tensor.requires_grad =
      tensor.role == fx::Role::kParameter && !matches(options.frozen, entry.name);
  if (matches(options.trainable, entry.name) && is_trainable_dtype(entry.dtype)) {
    tensor.role = fx::Role::kParameter;
    tensor.requires_grad = true;
  }
}

}  // namespace onnx2fx::conversion
