// What a program shows of how it uses its tensors, where nobody says what they are.
#ifndef ONNX2FX_CORE_CONVERT_EVIDENCE_HPP_
#define ONNX2FX_CORE_CONVERT_EVIDENCE_HPP_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

class Evidence {
 public:
  explicit Evidence(const fx::Module& module);

  /// The calls that read the tensor, also as an operand of a higher-order operator.
  std::span<const fx::Node* const> readers(uint32_t tensor) const { return readers_[tensor]; }
  /// Why a float tensor is no weight: "it only feeds sin, cos or a comparison", "it is a mask of
  /// softmax"; empty: nothing says so.
  std::string against_weight(uint32_t tensor) const;

 private:
  using Id = uint32_t;  // of a node, counted through all programs
  /// The float data that a value is computed of: none, one tensor, or more than that.
  static constexpr int64_t kNothing = -1, kMuch = -2;

  void connect(Id id, const fx::Node& node, uint32_t program);
  void connect_programs(Id id, const fx::Node& node);
  int64_t data_of(Id id) const;
  bool is_float(const fx::Tensor& t) const;
  template <class Ends>
  bool all_paths_end(uint32_t tensor, Ends ends) const;

  const fx::Module& module_;
  std::vector<const fx::Node*> nodes_;
  std::vector<Id> first_of_;            ///< of each program
  std::vector<std::vector<Id>> users_;  ///< where the value goes
  std::vector<std::vector<Id>> operands_;
  std::vector<int64_t> data_;
  std::vector<std::vector<Id>> places_;  ///< get_attr nodes of each tensor
  std::vector<std::vector<const fx::Node*>> readers_;
};

}  // namespace onnx2fx::conversion

#endif
