#include "core/shapes/promotion.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>

namespace onnx2fx::conversion {
namespace {

using D = onnx::TensorProto;

// Categories in the order in which one gives way to the next. What torch hardly promotes at all
// (uint16 and wider, float8) is apart.
enum Category : uint8_t { kBool, kInt, kWideUnsigned, kFloat, kFloat8, kComplex };
struct Row {
  int32_t dtype;
  Category category;
  int64_t bytes;
  int32_t carried;  ///< 0: itself
};
constexpr std::array kRows = {
    Row{D::BOOL, kBool, 1, 0},
    Row{D::UINT8, kInt, 1, 0},
    Row{D::INT8, kInt, 1, 0},
    Row{D::INT16, kInt, 2, 0},
    Row{D::INT32, kInt, 4, 0},
    Row{D::INT64, kInt, 8, 0},
    Row{D::UINT16, kWideUnsigned, 2, 0},
    Row{D::UINT32, kWideUnsigned, 4, 0},
    Row{D::UINT64, kWideUnsigned, 8, 0},
    Row{D::FLOAT16, kFloat, 2, 0},
    Row{D::BFLOAT16, kFloat, 2, 0},
    Row{D::FLOAT, kFloat, 4, 0},
    Row{D::DOUBLE, kFloat, 8, 0},
    Row{D::FLOAT8E4M3FN, kFloat8, 1, 0},
    Row{D::FLOAT8E4M3FNUZ, kFloat8, 1, 0},
    Row{D::FLOAT8E5M2, kFloat8, 1, 0},
    Row{D::FLOAT8E5M2FNUZ, kFloat8, 1, 0},
    Row{D::FLOAT8E8M0, kFloat8, 1, 0},
    Row{D::COMPLEX64, kComplex, 8, 0},
    Row{D::COMPLEX128, kComplex, 16, 0},
    Row{D::UINT4, kInt, 1, D::UINT8},
    Row{D::UINT2, kInt, 1, D::UINT8},
    Row{D::INT4, kInt, 1, D::INT8},
    Row{D::INT2, kInt, 1, D::INT8},
    Row{D::FLOAT4E2M1, kFloat, 4, D::FLOAT},
    Row{D::FLOAT6E2M3, kFloat, 4, D::FLOAT},
    Row{D::FLOAT6E3M2, kFloat, 4, D::FLOAT},
};

const Row* row_of(int32_t dtype) {
  const auto at =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.dtype == dtype; });
  return at == kRows.end() ? nullptr : &*at;
}

// Of one category. The wider wins; two of one width that differ need the next.
int32_t wider(const Row& a, const Row& b) {
  const bool halves = a.category == kFloat && a.bytes == 2 && b.bytes == 2;
  if (halves) return D::FLOAT;
  const Row& signed_one = a.dtype == D::UINT8 ? b : a;
  if (a.dtype == D::UINT8 || b.dtype == D::UINT8)
    return signed_one.dtype == D::INT8 ? D::INT16 : signed_one.dtype;
  return a.bytes > b.bytes ? a.dtype : b.dtype;
}

}  // namespace

int32_t carried(int32_t dtype) {
  const Row* row = row_of(dtype);
  return row && row->carried ? row->carried : dtype;
}

bool is_floating(int32_t dtype) {
  const Row* row = row_of(dtype);
  return row && (row->category == kFloat || row->category == kFloat8);
}

bool is_complex(int32_t dtype) {
  const Row* row = row_of(dtype);
  return row && row->category == kComplex;
}

bool is_integral(int32_t dtype) {
  const Row* row = row_of(dtype);
  return row && row->category <= kWideUnsigned;
}

int32_t real_of(int32_t dtype) {
  return dtype == D::COMPLEX64 ? D::FLOAT : dtype == D::COMPLEX128 ? D::DOUBLE : dtype;
}

int32_t complex_of(int32_t dtype) {
  return dtype == D::FLOAT ? D::COMPLEX64 : dtype == D::DOUBLE ? D::COMPLEX128 : 0;
}

int64_t element_bytes(int32_t dtype) {
  const Row* row = row_of(dtype);
  return row ? row->bytes : 0;
}

int32_t promote(int32_t a, int32_t b) {
  if (a == b) return a;
  const Row *x = row_of(carried(a)), *y = row_of(carried(b));
  if (!x || !y) return 0;
  if (x->dtype == y->dtype) return x->dtype;
  if (x->category > y->category) std::swap(x, y);
  if (x->category == kFloat8 || y->category == kFloat8) return 0;
  if (x->category == kWideUnsigned) return y->category == kFloat ? y->dtype : 0;
  if (y->category == kWideUnsigned) return 0;
  if (x->category == y->category) return wider(*x, *y);
  const bool both_double = y->category == kComplex && x->dtype == D::DOUBLE;
  return both_double ? int32_t{D::COMPLEX128} : y->dtype;
}

void Promotion::tensor(int32_t dtype, int rank) {
  members_.push_back({dtype, rank < 0 ? kUnknown : rank ? kDims : kZero});
}

void Promotion::number(int32_t dtype) { members_.push_back({dtype, kNumber}); }

// at::native::combine_categories.
static int32_t combine(int32_t higher, int32_t lower) {
  if (!higher || !lower) return higher ? higher : lower;
  if (is_complex(higher)) return higher;
  if (is_floating(higher)) {
    if (!is_complex(lower)) return higher;
    return higher == D::BFLOAT16 ? D::COMPLEX64 : complex_of(higher);
  }
  if (is_complex(lower)) return lower;  // of any integer, uint16 among them
  return higher == D::BOOL || is_floating(lower) ? promote(higher, lower) : higher;
}

int32_t Promotion::result(Class unknown) const {
  std::array<int32_t, 3> of{};
  for (const Member& m : members_) {
    int32_t& d = of[m.of == kUnknown ? unknown : m.of];
    d = d ? promote(d, m.dtype) : m.dtype;
    if (!d) return 0;
  }
  return combine(of[kDims], combine(of[kZero], of[kNumber]));
}

int32_t Promotion::result() const {
  if (members_.empty()) return 0;
  const auto same = [&](const Member& m) { return m.dtype == members_[0].dtype; };
  if (members_[0].of != kNumber && std::all_of(members_.begin(), members_.end(), same))
    return members_[0].dtype;
  if (std::any_of(members_.begin(), members_.end(), [](const Member& m) { return !m.dtype; }))
    return 0;
  const auto unknown = std::count_if(members_.begin(), members_.end(),
                                     [](const Member& m) { return m.of == kUnknown; });
  const int32_t r = result(kDims);
  return unknown == 0 || (unknown == 1 && r == result(kZero)) ? r : 0;
}

}  // namespace onnx2fx::conversion
