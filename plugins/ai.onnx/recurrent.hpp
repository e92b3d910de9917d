// A recurrent layer as read from its node, and the way of lowering it that ATen has no op for.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_RECURRENT_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_RECURRENT_HPP_

#include <onnx2fx/plugin.hpp>
#include <optional>
#include <string>
#include <vector>

#include "plugins/lowering/functions.hpp"

namespace recurrent {

enum Kind { kRnn, kGru, kLstm };

struct Layer {
  Kind kind = kRnn;
  size_t directions = 1;
  bool reverse = false, batch_first = false, default_functions = false;
  onnx2fx::Value x, w, r, b, lengths, h, c, peephole;
  onnx2fx::Int steps, batch, hidden;
  std::vector<onnx2fx::Function> functions;  // of one direction after the other
  std::optional<double> clip;
  bool input_forget = false, linear_before_reset = false;

  bool plain() const {
    return default_functions && !clip && !lengths && !peephole && !input_forget &&
           (kind != kGru || linear_before_reset);
  }
};

// (D, N, H): a given initial state, or zeros.
onnx2fx::Value initial(onnx2fx::Node& n, const Layer& l, onnx2fx::Value given);
// Binds Y, given as (T, D, N, H), and the last states, as (D, N, H), in the layout of the model.
void set_outputs(onnx2fx::Node& n, const Layer& l, onnx2fx::Value y, const onnx2fx::Values& last);
// Any layer: unrolled if it is short, else a scan.
void lower_by_cells(onnx2fx::Node& n, const Layer& l);

}  // namespace recurrent

#endif
