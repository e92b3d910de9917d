// Op tests without Python: an operator in ONNX's text syntax is converted, run in LibTorch, and
// compared with literals. This header knows neither torch nor protobuf.
//
//     EXPECT_EQ(lower_and_run({.op = "Relu", .opset = 14}, {floats({-1, 2})}), floats({0, 2}));
#ifndef ONNX2FX_TESTS_RUNTIME_OP_FIXTURE_HPP_
#define ONNX2FX_TESTS_RUNTIME_OP_FIXTURE_HPP_

#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "core/runtime/session.hpp"

namespace onnx2fx::ops {

/// A tensor to write down: values are doubles, whatever the dtype.
struct Literal {
  std::string dtype;  ///< torch name
  std::vector<int64_t> dims;
  std::vector<double> values;
};
/// Equal in dtype and dims, and in values as close as 1e-5 relative plus 1e-6.
bool operator==(const Literal& a, const Literal& b);
std::ostream& operator<<(std::ostream& out, const Literal& literal);

/// dims empty: one dimension.
Literal floats(std::vector<double> values, std::vector<int64_t> dims = {});
Literal longs(std::vector<double> values, std::vector<int64_t> dims = {});
Literal bools(std::vector<double> values, std::vector<int64_t> dims = {});

struct Operator {
  std::string op;
  std::string attributes = "";  ///< in ONNX's text syntax: "alpha = 0.5, strides = [2, 2]"
  int64_t opset = 21;
  std::vector<std::string> output_types = {"float[]"};
  std::string domain = "";
};

/// Every input is a runtime input of unknown dims, save vectors of int64: those may be shapes, axes
/// or pads, whose length a lowering must know.
std::vector<Literal> lower_and_run_all(const Operator& op, const std::vector<Literal>& inputs);
/// The first output.
Literal lower_and_run(const Operator& op, const std::vector<Literal>& inputs);
/// A model in ONNX's text syntax, converted to the aten dialect.
Conversion convert_text(const std::string& text);
/// The same, run.
std::vector<Literal> run_model(const std::string& text, const std::vector<Literal>& inputs);
/// what() of the failure; empty when there is none.
std::string error_of(const Operator& op, const std::vector<Literal>& inputs);

}  // namespace onnx2fx::ops

#endif
