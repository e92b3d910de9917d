// A model of shape arithmetic, control flow and functions, written by a fuzzer's bytes: integer
// tensors of rank 0 and 1 that come from sizes, constants and inputs are computed on and used as
// sizes. Names, types and ranks are right by construction; values need not be.
#ifndef ONNX2FX_TESTS_FUZZ_SHAPE_PROGRAM_HPP_
#define ONNX2FX_TESTS_FUZZ_SHAPE_PROGRAM_HPP_

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "tests/fuzz/bytes.hpp"

namespace onnx2fx::fuzz {

struct Var {
  std::string name;
  int32_t dtype = 0;  ///< INT64, INT32, BOOL, FLOAT
  int rank = 0;       ///< -1: not known
};

/// Nodes of one graph or function body, and what they may read.
class Body {
 public:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

  Body(Bytes& bytes, Nodes& nodes, int& counter, std::vector<Var> visible, int depth)
      : bytes_(bytes), nodes_(nodes), counter_(counter), vars_(std::move(visible)), depth_(depth) {}

  /// Functions that may be called: (name, inputs); each gives one INT64 vector.
  std::vector<std::pair<std::string, int>> functions;

  void write(int count);
  Var vector(int32_t dtype);
  Var scalar(int32_t dtype);
  Var data();
  Var constant(int32_t dtype, int rank);
  const std::vector<Var>& vars() const { return vars_; }

 private:
  Var any(int32_t dtype, int rank);
  onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs);
  Var result(onnx::NodeProto& n, int32_t dtype, int rank);
  int32_t integer_type();

  void arithmetic();
  void comparison();
  void conversion();
  void indexing();
  void slicing();
  void making();
  void reducing();
  void consuming();
  void branching();
  void looping();
  void scanning();
  void calling();

  Bytes& bytes_;
  Nodes& nodes_;
  int& counter_;
  std::vector<Var> vars_;
  int depth_;
};

onnx::ModelProto shape_model(Bytes& bytes);

}  // namespace onnx2fx::fuzz

#endif
