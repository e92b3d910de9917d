// A golden program: a model in ONNX's text syntax and, below, what the conversion makes of it.
//
//     # Relu maps one to one.
//     # options: dialect=nn
//     <ir_version: 10, opset_import: ["": 21]>
//     g (float[N, 4] x) => (float[N, 4] y) { y = Relu (x) }
//     --- fx
//     root:
//       ...
//
// "# scope: y encoder=Encoder encoder.fc=Linear" says in which modules of the author's the node of
// y was computed, as the metadata of PyTorch's exporter does; "# scope: y /encoder/fc" as the names
// of the older one do. "# call: y topk aten.topk.default" says of which call of the author's it
// is a part.
//
// The program is the text of print_program; a section "--- report" follows where the report has
// warnings, notes, declined providers or operators that nobody lowers. A file named bad_* has one
// section "--- error" instead: the whole text of the refusal.
#ifndef ONNX2FX_TESTS_CASES_CASE_HPP_
#define ONNX2FX_TESTS_CASES_CASE_HPP_

#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx::cases {

struct Case {
  std::string name;      ///< "ai.onnx/conv/strides"
  std::string path;      ///< of the file
  std::string model;     ///< the text above the first section
  std::string expected;  ///< the sections
  Options options;       ///< of the line "# options:"; unless said, the aten dialect
  bool checked = true;   ///< the model is one that ONNX's own checker accepts

  bool is_refusal() const;
};

/// All files below tests/cases, by name.
const std::vector<Case>& all_cases();

/// What a conversion gave. Another exception than ConversionError is passed on.
struct Outcome {
  std::string sections;             ///< to be compared with Case::expected
  bool refused = false;             ///< sections is an error
  std::vector<Report::Node> nodes;  ///< of the report
};
Outcome run(const Case& c);

/// Writes the outcome below the model.
void rewrite(const Case& c, const Outcome& outcome);

}  // namespace onnx2fx::cases

#endif
