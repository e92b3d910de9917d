// Functions of one element, and those among them that an attribute names: the activations of the
// recurrent layers, and those that ONNX Runtime fuses to what stands before them.
#ifndef ONNX2FX_PLUGINS_LOWERING_FUNCTIONS_HPP_
#define ONNX2FX_PLUGINS_LOWERING_FUNCTIONS_HPP_

#include <onnx2fx/plugin.hpp>
#include <string_view>

namespace onnx2fx {

/// x * alpha + beta.
Value affine(Node& n, Value x, double alpha, double beta);
Value hard_sigmoid(Node& n, Value x, double alpha, double beta);
Value softsign(Node& n, Value x);

struct Function {
  std::string_view name;  ///< in lower case
  bool takes_alpha, takes_beta;
  double alpha, beta;
};

/// With ONNX's defaults of alpha and beta; nullptr if there is none of the name, whose letters may
/// be of either case.
const Function* function_named(std::string_view name);
Value apply(Node& n, const Function& f, Value x);

}  // namespace onnx2fx

#endif
