// The families of type rules; each array stands at the end of its file.
#ifndef ONNX2FX_CORE_SHAPES_RULES_FAMILIES_HPP_
#define ONNX2FX_CORE_SHAPES_RULES_FAMILIES_HPP_

#include <array>

#include "core/shapes/type_rules.hpp"

namespace onnx2fx::conversion {

extern const TypeRules kElementwiseRules;
extern const TypeRules kFactoryRules;
extern const TypeRules kFourierRules;
extern const TypeRules kIndexRules;
extern const TypeRules kJoinRules;
extern const TypeRules kLayoutRules;
extern const TypeRules kLeafRules;
extern const TypeRules kMatmulRules;
extern const TypeRules kNormRules;
extern const TypeRules kRecurrentRules;
extern const TypeRules kReductionRules;
extern const TypeRules kResampleRules;
extern const TypeRules kWindowRules;

inline std::array<TypeRules, 13> type_rule_families() {
  return {kElementwiseRules, kFactoryRules,  kFourierRules, kIndexRules, kJoinRules,
          kLayoutRules,      kLeafRules,     kMatmulRules,  kNormRules,  kRecurrentRules,
          kReductionRules,   kResampleRules, kWindowRules};
}

}  // namespace onnx2fx::conversion

#endif
