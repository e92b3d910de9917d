// Python's arithmetic on ints, floats and bools: `//` and `%` round towards minus infinity, `/`
// gives a float, bools count as ints.
#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>
#include <utility>

#include "core/runtime/callables.hpp"
#include "core/runtime/coerce.hpp"

namespace onnx2fx::runtime {
namespace {

using Arguments = std::vector<c10::IValue>;
using Function = c10::IValue (*)(Arguments&);

bool is_integral(const c10::IValue& v) { return v.isInt() || v.isBool(); }

// Tensors of one element are numbers here: what aten::_local_scalar_dense would give.
c10::IValue number(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().item();
  TORCH_CHECK(is_integral(value) || value.isDouble(), "expected a number, got ", value.tagKind());
  return value;
}
int64_t integer(const c10::IValue& value) {
  return value.isBool() ? value.toBool() : value.toInt();
}
double real(const c10::IValue& value) {
  return value.isDouble() ? value.toDouble() : double(integer(value));
}

int64_t floor_divide(int64_t a, int64_t b) {
  TORCH_CHECK(b != 0, "integer division by zero");
  TORCH_CHECK(b != -1 || a != INT64_MIN, "integer overflow");
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}
int64_t modulo(int64_t a, int64_t b) {
  TORCH_CHECK(b != 0, "integer modulo by zero");
  if (b == -1) return 0;
  const int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

struct Add {
  static bool overflows(int64_t a, int64_t b, int64_t* r) {
    return __builtin_add_overflow(a, b, r);
  }
  static double real(double a, double b) { return a + b; }
};
struct Sub {
  static bool overflows(int64_t a, int64_t b, int64_t* r) {
    return __builtin_sub_overflow(a, b, r);
  }
  static double real(double a, double b) { return a - b; }
};
struct Mul {
  static bool overflows(int64_t a, int64_t b, int64_t* r) {
    return __builtin_mul_overflow(a, b, r);
  }
  static double real(double a, double b) { return a * b; }
};

template <class Operation>
c10::IValue arithmetic(Arguments& x) {
  const c10::IValue a = number(x.at(0)), b = number(x.at(1));
  if (!is_integral(a) || !is_integral(b)) return Operation::real(real(a), real(b));
  int64_t result = 0;
  TORCH_CHECK(!Operation::overflows(integer(a), integer(b), &result), "integer overflow");
  return result;
}

c10::IValue floordiv(Arguments& x) {
  const c10::IValue a = number(x.at(0)), b = number(x.at(1));
  if (is_integral(a) && is_integral(b)) return floor_divide(integer(a), integer(b));
  TORCH_CHECK(real(b) != 0, "float floor division by zero");
  return std::floor(real(a) / real(b));
}

c10::IValue mod(Arguments& x) {
  const c10::IValue a = number(x.at(0)), b = number(x.at(1));
  if (is_integral(a) && is_integral(b)) return modulo(integer(a), integer(b));
  TORCH_CHECK(real(b) != 0, "float modulo by zero");
  const double r = std::fmod(real(a), real(b));
  return r != 0 && (r < 0) != (real(b) < 0) ? r + real(b) : r;
}

c10::IValue truediv(Arguments& x) {
  const c10::IValue a = number(x.at(0)), b = number(x.at(1));
  TORCH_CHECK(real(b) != 0, "division by zero");
  return real(a) / real(b);
}

c10::IValue power(Arguments& x) {
  const c10::IValue a = number(x.at(0)), b = number(x.at(1));
  if (!is_integral(a) || !is_integral(b) || integer(b) < 0) return std::pow(real(a), real(b));
  int64_t result = 1;
  for (int64_t i = 0; i < integer(b); i++)
    TORCH_CHECK(!__builtin_mul_overflow(result, integer(a), &result), "integer overflow");
  return result;
}

template <class Compare>
c10::IValue compare(Arguments& x) {
  const c10::IValue a = number(x.at(0)), b = number(x.at(1));
  if (is_integral(a) && is_integral(b)) return Compare()(integer(a), integer(b));
  return Compare()(real(a), real(b));
}

template <class Operation>
c10::IValue bitwise(Arguments& x) {
  const c10::IValue a = number(x.at(0)), b = number(x.at(1));
  const int64_t result = Operation()(integer(a), integer(b));
  if (a.isBool() && b.isBool()) return result != 0;
  return result;
}

int64_t shift_of(const c10::IValue& by) {
  const int64_t bits = integer(number(by));
  TORCH_CHECK(bits >= 0, "negative shift count");
  return bits;
}

c10::IValue shifted_left(Arguments& x) {
  const int64_t a = integer(number(x.at(0))), bits = shift_of(x.at(1));
  int64_t result = 0;
  TORCH_CHECK(a == 0 || (bits < 63 && !__builtin_mul_overflow(a, int64_t{1} << bits, &result)),
              "integer overflow");
  return result;
}

c10::IValue shifted_right(Arguments& x) {
  return integer(number(x.at(0))) >> std::min<int64_t>(shift_of(x.at(1)), 63);
}

c10::IValue negative(Arguments& x) {
  const c10::IValue a = number(x.at(0));
  if (is_integral(a)) return -integer(a);
  return -real(a);
}

c10::IValue absolute(Arguments& x) {
  const c10::IValue a = number(x.at(0));
  if (is_integral(a)) return std::abs(integer(a));
  return std::abs(real(a));
}

c10::IValue getitem(Arguments& x) {
  const c10::IValue& container = x.at(0);
  int64_t index = integer(number(x.at(1)));
  if (container.isTuple()) {
    const auto& items = container.toTupleRef().elements();
    const int64_t n = static_cast<int64_t>(items.size());
    TORCH_CHECK(index >= -n && index < n, "index: expected one below ", n, ", got ", index);
    return items[static_cast<size_t>(index < 0 ? index + n : index)];
  }
  TORCH_CHECK(container.isList(), "expected a list, got ", container.tagKind());
  const auto items = container.toListRef();
  const int64_t n = static_cast<int64_t>(items.size());
  TORCH_CHECK(index >= -n && index < n, "index: expected one below ", n, ", got ", index);
  return items[static_cast<size_t>(index < 0 ? index + n : index)];
}

template <bool kGreater>
c10::IValue extreme(Arguments& x) {
  const c10::IValue a = number(x.at(0)), b = number(x.at(1));
  if (!is_integral(a) || !is_integral(b))
    return kGreater ? std::max(real(a), real(b)) : std::min(real(a), real(b));
  return kGreater ? std::max(integer(a), integer(b)) : std::min(integer(a), integer(b));
}

c10::IValue to_integer(Arguments& x) {
  const c10::IValue a = number(x.at(0));
  if (is_integral(a)) return integer(a);
  TORCH_CHECK(std::isfinite(real(a)) && std::abs(real(a)) < 9.2e18,
              "expected a finite number, got ", real(a));
  return static_cast<int64_t>(real(a));
}

template <double (*kRound)(double)>
c10::IValue rounded(Arguments& x) {
  Arguments whole{kRound(real(number(x.at(0))))};
  return to_integer(whole);
}

c10::IValue to_real(Arguments& x) { return real(number(x.at(0))); }
c10::IValue square_root(Arguments& x) { return std::sqrt(real(number(x.at(0)))); }
c10::IValue negation(Arguments& x) { return !is_true(x.at(0)); }
c10::IValue choice(Arguments& x) { return is_true(x.at(0)) ? x.at(1) : x.at(2); }
c10::IValue invert(Arguments& x) { return ~integer(number(x.at(0))); }
c10::IValue index(Arguments& x) { return integer(number(x.at(0))); }
c10::IValue identity(Arguments& x) { return number(x.at(0)); }

c10::IValue sum(Arguments& x) {
  c10::IValue total = static_cast<int64_t>(0);
  for (const c10::IValue& item : elements(x.at(0))) {
    Arguments pair{total, item};
    total = arithmetic<Add>(pair);
  }
  return total;
}

// Row by row those of the table.
constexpr std::pair<std::string_view, Function> kBuiltins[] = {
    {"math::ceil", rounded<std::ceil>},
    {"math::floor", rounded<std::floor>},
    {"math::trunc", rounded<std::trunc>},
    {"operator::abs", absolute},
    {"operator::add", arithmetic<Add>},
    {"operator::and_", bitwise<std::bit_and<>>},
    {"operator::eq", compare<std::equal_to<>>},
    {"operator::floordiv", floordiv},
    {"operator::ge", compare<std::greater_equal<>>},
    {"operator::getitem", getitem},
    {"operator::gt", compare<std::greater<>>},
    {"operator::index", index},
    {"operator::invert", invert},
    {"operator::le", compare<std::less_equal<>>},
    {"operator::lshift", shifted_left},
    {"operator::lt", compare<std::less<>>},
    {"operator::mod", mod},
    {"operator::mul", arithmetic<Mul>},
    {"operator::ne", compare<std::not_equal_to<>>},
    {"operator::neg", negative},
    {"operator::not_", negation},
    {"operator::or_", bitwise<std::bit_or<>>},
    {"operator::pos", identity},
    {"operator::pow", power},
    {"operator::rshift", shifted_right},
    {"operator::sub", arithmetic<Sub>},
    {"operator::truediv", truediv},
    {"operator::xor", bitwise<std::bit_xor<>>},
    {"torch::sym_float", to_real},
    {"torch::sym_int", to_integer},
    {"torch::sym_ite", choice},
    {"torch::sym_max", extreme<true>},
    {"torch::sym_min", extreme<false>},
    {"torch::sym_not", negation},
    {"torch::sym_sqrt", square_root},
    {"torch::sym_sum", sum},
};
constexpr std::string_view kTargets[] = {
#define NUMBER_OPERATOR(target, arguments, result) target,
#include "core/fx/number_operators.def"
};
static_assert(std::ranges::equal(kBuiltins, kTargets, {},
                                 [](const auto& row) { return row.first; }));
static_assert(std::ranges::is_sorted(kTargets));

}  // namespace

Callable find_builtin(const std::string& target) {
  const auto* found =
      std::lower_bound(std::begin(kBuiltins), std::end(kBuiltins), std::string_view(target),
                       [](const auto& row, std::string_view name) { return row.first < name; });
  if (found == std::end(kBuiltins) || found->first != target) return {};
  return [function = found->second](Arguments& arguments, const Context&) {
    return function(arguments);
  };
}

bool is_true(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().is_nonzero();
  if (value.isBool()) return value.toBool();
  if (value.isInt()) return value.toInt() != 0;
  TORCH_CHECK(value.isDouble(), "expected a truth value, got ", value.tagKind());
  return value.toDouble() != 0;
}

}  // namespace onnx2fx::runtime
