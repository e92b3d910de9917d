// How the outputs of a recurrent call lie after views of them.
#ifndef ONNX2FX_CORE_FX_OUTPUT_LAYOUT_HPP_
#define ONNX2FX_CORE_FX_OUTPUT_LAYOUT_HPP_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// aten::lstm.input, gru.input, rnn_tanh.input, rnn_relu.input.
bool is_recurrent(std::string_view target);
/// The arguments of those operators, in order.
enum RecurrentArgument : size_t {
  kInput,
  kState,
  kParams,
  kBiases,
  kLayers,
  kDropout,
  kTrain,
  kBoth,
  kBatchFirst
};

/// Whether the exporter computed both in one module of the author's. nullopt: it does not say.
std::optional<bool> in_one_module(const Node& a, const Node& b);

/// Follows the outputs, [steps, batch, directions * hidden], through what ONNX and its exporters
/// write behind a recurrent node: the directions go before the batch and back, the batch to the
/// front.
class OutputLayout {
 public:
  /// nullopt: a size is not known.
  static std::optional<OutputLayout> of(const TypeText& outputs, int64_t directions);

  /// Of a view of what was followed last. False: another call, or one that cannot be followed.
  bool follow(const Node& view);
  /// The value is the outputs, as the call gives them.
  bool is_whole() const;
  /// The value is the outputs, with the batch in front.
  bool is_batch_first() const;

 private:
  using Shape = std::vector<std::string>;
  struct Atom {  ///< an axis that no view takes apart; none of size 1
    char name;
    std::string size;
  };
  using Axis = std::vector<Atom>;

  bool permute(const Node& view);
  bool regroup(const Shape& shape);
  bool lies_as(std::string_view order, const Shape& shape) const;

  Shape outputs_, shape_;
  std::vector<Axis> axes_;
};

}  // namespace onnx2fx::fx

#endif
