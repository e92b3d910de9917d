// Torch's dtype promotion, on ONNX's dtype numbers: what a call on tensors and Python numbers of
// several dtypes computes in.
#ifndef ONNX2FX_CORE_SHAPES_PROMOTION_HPP_
#define ONNX2FX_CORE_SHAPES_PROMOTION_HPP_

#include <cstdint>
#include <vector>

namespace onnx2fx::conversion {

/// The ONNX number of the torch dtype that carries `dtype`: INT8 for INT4; 0 for 0.
int32_t carried(int32_t dtype);
bool is_floating(int32_t dtype);
bool is_complex(int32_t dtype);
/// Integers of any width, and bool.
bool is_integral(int32_t dtype);
/// COMPLEX64 -> FLOAT; any other stays.
int32_t real_of(int32_t dtype);
/// FLOAT -> COMPLEX64; 0 where torch has none.
int32_t complex_of(int32_t dtype);
/// Bytes of an element; 0 for 0.
int64_t element_bytes(int32_t dtype);
/// torch.promote_types; 0 where torch refuses.
int32_t promote(int32_t a, int32_t b);

/// torch.result_type: tensors of rank 1 and more come before those of rank 0, and these before
/// numbers; a lower class counts only by its category.
class Promotion {
 public:
  /// rank -1: unknown.
  void tensor(int32_t dtype, int rank);
  void number(int32_t dtype);
  /// 0: unknown, or refused.
  int32_t result() const;

 private:
  enum Class : uint8_t { kDims, kZero, kNumber, kUnknown };
  struct Member {
    int32_t dtype;
    Class of;
  };
  int32_t result(Class unknown) const;
  std::vector<Member> members_;
};

}  // namespace onnx2fx::conversion

#endif
