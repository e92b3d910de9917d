// Reference data the way ONNX's backend tests store it: a model and, beside it, folders
// test_data_set_N with input_0.pb, input_1.pb ... and output_0.pb ..., each a TensorProto,
// SequenceProto or OptionalProto.
#ifndef ONNX2FX_TOOLS_VERIFY_TEST_DATA_HPP_
#define ONNX2FX_TOOLS_VERIFY_TEST_DATA_HPP_

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "core/runtime/session.hpp"

namespace onnx2fx::verify {

/// A tensor that holds its own bytes. Throws ConversionError.
runtime::HostValue host_tensor(const onnx::TensorProto& tensor);

struct DataSet {
  std::string folder;
  std::vector<runtime::HostValue> inputs, outputs;
};

/// The data sets of `folder`: its test_data_set_* in order of their names, or the folder itself.
/// The model says of which type each file is. Throws ConversionError: no data, a file that does not
/// parse.
std::vector<DataSet> read_data_sets(const std::string& model, const std::string& folder);

}  // namespace onnx2fx::verify

#endif
