// Sequences, optionals and shapes that exist only at run time.
#include <ATen/core/Tensor.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

#include <utility>

#include "core/runtime/coerce.hpp"
#include "core/runtime/leaf_functions.hpp"

namespace onnx2fx::runtime::leaf {

c10::IValue optional_get_element(Arguments& x, const Context&) {
  TORCH_CHECK(!x[0].isNone(), "expected an element, got none");
  return x[0];
}

c10::IValue optional_has_element(Arguments& x, const Context&) {
  return at::scalar_tensor(!x[0].isNone(), at::kBool);
}

// Without a position: the last.
c10::IValue sequence_erase(Arguments& x, const Context&) {
  Arguments items = elements(x[0]);
  const int64_t size = static_cast<int64_t>(items.size()),
                position = x[1].isNone() ? -1 : x[1].toInt();
  TORCH_CHECK(-size <= position && position < size, "position: expected one in [", -size, ", ",
              size - 1, "], got ", position);
  items.erase(items.begin() + (position < 0 ? position + size : position));
  return sequence(std::move(items));
}

// Before the position; without one at the end.
c10::IValue sequence_insert(Arguments& x, const Context&) {
  Arguments items = elements(x[0]);
  const int64_t size = static_cast<int64_t>(items.size()),
                position = x[2].isNone() ? size : x[2].toInt();
  TORCH_CHECK(-size <= position && position <= size, "position: expected one in [", -size, ", ",
              size, "], got ", position);
  items.insert(items.begin() + (position < 0 ? position + size : position), x[1]);
  return sequence(std::move(items));
}

c10::IValue sequence_length(Arguments& x, const Context&) {
  return static_cast<int64_t>(x[0].isTuple() ? x[0].toTupleRef().size() : x[0].toListRef().size());
}

// The extents, one by one: of a tensor whose rank only the one at hand tells.
c10::IValue shape_of(Arguments& x, const Context&) {
  const at::Tensor t = x[0].toTensor();
  return at::tensor(t.sizes(), at::TensorOptions(at::kLong)).to(t.device());
}

}  // namespace onnx2fx::runtime::leaf
