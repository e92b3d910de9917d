// What a converted model is: its weights, its layers, and what they cost.
#ifndef ONNX2FX_TOOLS_ONNX2FX_MODEL_FACTS_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_MODEL_FACTS_HPP_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "tools/onnx2fx/amounts.hpp"
#include "tools/onnx2fx/costs.hpp"
#include "tools/onnx2fx/symbolic_sizes.hpp"

namespace onnx2fx::cli {

/// The tensors of one role.
struct Weights {
  uint64_t tensors = 0, elements = 0, bytes = 0;
  std::map<std::string, uint64_t> elements_by_dtype;
};

/// A call that has weights or multiply-accumulates, and every call of an nn module.
struct Layer {
  std::string path;  ///< in the root module; of a function that of the module around it, its name
  std::string type;  ///< class in torch.nn, or the function
  fx::TypeText output;  ///< at the given sizes
  uint64_t parameters = 0;
  Amount macs;  ///< each time
  uint64_t times = 1;
};

/// A module of the author's, of torch.nn, or a function with multiply-accumulates; parents first.
struct Part {
  std::string path, type;  ///< type is empty where nobody says it
  std::vector<size_t> children;
  fx::TypeText output;      ///< of the last call
  uint64_t parameters = 0;  ///< of it and what is below, each tensor once
  Amount macs = 0;          ///< likewise, of all calls
};

struct ModelFacts {
  ModelFacts(const Conversion& conversion, SymbolicSizes& sizes);

  Weights parameters, buffers, constants;
  uint64_t trainable = 0;  ///< elements
  Costs costs;
  std::vector<Layer> layers;  ///< in order of execution
  std::vector<Part> parts;    ///< the first is the model
};

}  // namespace onnx2fx::cli

#endif
