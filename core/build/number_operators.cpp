#include "core/build/number_operators.hpp"

#include <onnx2fx/plugin.h>

#include <algorithm>
#include <string>

#include "core/build/builder.hpp"

namespace onnx2fx::conversion {

static constexpr NumberOperator kNumberOperators[] = {
#define NUMBER_OPERATOR(target, arguments, result) {target, arguments, NumberResult::result},
#include "core/fx/number_operators.def"
};

std::span<const NumberOperator> number_operators() { return kNumberOperators; }

const NumberOperator* find_number_operator(std::string_view target) {
  const auto* row = std::ranges::find(kNumberOperators, target, &NumberOperator::target);
  return row == std::end(kNumberOperators) ? nullptr : row;
}

bool is_number_target(const std::string& target) { return find_number_operator(target); }

bool Builder::is_number(const o2fx_arg& a) {
  if (a.tag == O2FX_T_INT || a.tag == O2FX_T_FLOAT || a.tag == O2FX_T_BOOL) return true;
  if (a.tag == O2FX_T_TRAINING) return true;
  if (a.tag != O2FX_T_VALUE) return false;
  const uint32_t kind = type(a.u.v).kind;
  return kind == O2FX_KIND_INT || kind == O2FX_KIND_FLOAT || kind == O2FX_KIND_BOOL ||
         kind == O2FX_KIND_UNKNOWN;
}

bool Builder::is_sequence(const o2fx_arg& a) {
  if (a.tag == O2FX_T_LIST) return true;
  if (a.tag != O2FX_T_VALUE) return false;
  const uint32_t kind = type(a.u.v).kind;
  return kind == O2FX_KIND_SEQUENCE || kind == O2FX_KIND_TUPLE || kind == O2FX_KIND_MAP ||
         kind == O2FX_KIND_UNKNOWN;
}

void Builder::check_numbers(const std::string& target, const o2fx_emit& call) {
  const auto fail = [&](const std::string& what) {
    throw HostError(O2FX_E_SCHEMA, target + ": " + what);
  };
  const uint32_t expected = find_number_operator(target)->arguments;
  if (call.n_args != expected || call.n_kwargs)
    fail("expected " + std::to_string(expected) + " arguments and no keywords, got " +
         std::to_string(call.n_args) + " and " + std::to_string(call.n_kwargs));
  if (call.n_unpack)
    fail("expected n_unpack = 0, as its result is no tuple or list, got " +
         std::to_string(call.n_unpack));
  for (uint32_t i = 0; i < call.n_args; i++) {
    const o2fx_arg& a = call.args[i];
    const bool sequence = i == 0 && (target == "operator::getitem" || target == "torch::sym_sum");
    if (sequence ? is_sequence(a) : is_number(a)) continue;
    fail("argument " + std::to_string(i) + ": expected " +
         (sequence ? "a sequence, a tuple or a list" : "a number") + ", got " + describe(a));
  }
}

}  // namespace onnx2fx::conversion
