// Cast and CastLike.
#include <array>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/conversion.hpp"

using namespace onnx2fx;

namespace {

// Opset 1 names the type.
int32_t type_named(const std::string& name) {
  static constexpr std::array<std::string_view, 17> kNames = {
      "UNDEFINED", "FLOAT",  "UINT8",     "INT8",       "UINT16",  "INT16",
      "INT32",     "INT64",  "STRING",    "BOOL",       "FLOAT16", "DOUBLE",
      "UINT32",    "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16"};
  for (size_t i = 1; i < kNames.size(); i++)
    if (kNames[i] == name) return static_cast<int32_t>(i);
  throw Invalid("attribute 'to': expected the name of a data type, got '" + name + "'");
}

Conversion read_conversion(Node& n) {
  return {n.flag("saturate", true), n.text("round_mode", "up")};
}

void cast_1(Node& n) {
  const Value x = n.input(0);
  n.output(converted(n, x, n.dtype(x), type_named(n.text("to"))));
}

void cast(Node& n) {
  const Value x = n.input(0);
  n.output(converted(n, x, n.dtype(x), static_cast<int32_t>(n.integer("to")), read_conversion(n)));
}

void cast_like(Node& n) {
  const Value x = n.input(0);
  n.output(converted(n, x, n.dtype(x), n.dtype(n.input(1)), read_conversion(n)));
}

constexpr o2fx_op kOps[] = {
    op("Cast", 1, lower<cast_1>, 5),
    op("Cast", 6, lower<cast>),
    op("CastLike", 15, lower<cast_like>),
};

}  // namespace

const Family kCast = family(kOps);
