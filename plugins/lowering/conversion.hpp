// Elements of one ONNX type as elements of another: what Cast, CastLike, BitCast and the
// quantization ops share. Types that torch lacks travel in a wider one (int4 in int8, float4 in
// float32); a value of such a type is here always one that the narrow type can hold.
#ifndef ONNX2FX_PLUGINS_LOWERING_CONVERSION_HPP_
#define ONNX2FX_PLUGINS_LOWERING_CONVERSION_HPP_

#include <onnx2fx/plugin.hpp>
#include <string>

namespace onnx2fx {

// For float8 targets only: what becomes of values out of range, and how float8e8m0 rounds.
struct Conversion {
  bool saturate = true;
  std::string round_mode = "up";
};

// The numbers (or strings) of v, which has type `from`, in type `to`.
Value converted(Node& n, Value v, int32_t from, int32_t to, const Conversion& how = {});
// The bits of v, which has type `from`, read as elements of type `to` of the same width.
Value reinterpreted(Node& n, Value v, int32_t from, int32_t to);

// The least and the greatest element of an integer type of up to 32 bits.
struct IntegerRange {
  int64_t least, greatest;
};
IntegerRange range_of(int32_t integer);
int bits_in(int32_t dtype);
// The torch type in which elements travel.
int32_t carrier_of(int32_t dtype);
// float4 and float6, which torch has not.
bool is_float_grid(int32_t dtype);

}  // namespace onnx2fx

#endif
