#include "tests/runtime/op_fixture.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <onnx/defs/parser.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "tools/verify/runtime_library.hpp"

namespace onnx2fx::ops {
namespace {

using runtime::HostTensor;
using runtime::HostValue;

struct Dtype {
  const char* torch;
  const char* onnx;
};
constexpr Dtype kDtypes[] = {{"float32", "float"}, {"float64", "double"}, {"int64", "int64"},
                             {"int32", "int32"},   {"int8", "int8"},      {"uint8", "uint8"},
                             {"bool", "bool"}};

std::string onnx_name(const std::string& dtype) {
  for (const Dtype& d : kDtypes)
    if (dtype == d.torch) return d.onnx;
  throw std::invalid_argument("no literal of dtype " + dtype);
}

// f with a null pointer of the C++ type of the dtype.
template <class F>
void with_type(const std::string& dtype, F&& f) {
  if (dtype == "float32") return f(static_cast<float*>(nullptr));
  if (dtype == "float64") return f(static_cast<double*>(nullptr));
  if (dtype == "int64") return f(static_cast<int64_t*>(nullptr));
  if (dtype == "int32") return f(static_cast<int32_t*>(nullptr));
  if (dtype == "int8") return f(static_cast<int8_t*>(nullptr));
  if (dtype == "uint8") return f(static_cast<uint8_t*>(nullptr));
  if (dtype == "bool") return f(static_cast<bool*>(nullptr));
  throw std::invalid_argument("no literal of dtype " + dtype);
}

HostValue to_host(const Literal& literal) {
  HostTensor host{literal.dtype, literal.dims, {}};
  with_type(literal.dtype, [&]<class T>(T*) {
    for (const double value : literal.values) {
      const T element = static_cast<T>(value);
      host.bytes.append(reinterpret_cast<const char*>(&element), sizeof element);
    }
  });
  return {std::move(host)};
}

Literal from_host(const HostValue& value) {
  const HostTensor& host = std::get<HostTensor>(value.value);
  Literal literal{host.dtype, host.dims, {}};
  with_type(host.dtype, [&]<class T>(T*) {
    for (size_t i = 0; i < host.bytes.size(); i += sizeof(T)) {
      T element;
      std::memcpy(&element, host.bytes.data() + i, sizeof element);
      literal.values.push_back(static_cast<double>(element));
    }
  });
  return literal;
}

Literal make(const char* dtype, std::vector<double> values, std::vector<int64_t> dims) {
  if (dims.empty()) dims = {static_cast<int64_t>(values.size())};
  return {dtype, std::move(dims), std::move(values)};
}

std::string model_text(const Operator& op, const std::vector<Literal>& inputs) {
  std::vector<std::string> formals, actuals, results, outputs;
  for (size_t i = 0; i < inputs.size(); i++) {
    std::vector<std::string> dims;
    const bool shape_like = inputs[i].dtype == "int64" && inputs[i].dims.size() == 1;
    for (size_t d = 0; d < inputs[i].dims.size(); d++)
      dims.push_back(shape_like ? std::to_string(inputs[i].dims[d]) : fmt::format("d{}_{}", i, d));
    const std::string shape = dims.empty() ? "" : fmt::format("[{}]", fmt::join(dims, ", "));
    formals.push_back(fmt::format("{}{} x{}", onnx_name(inputs[i].dtype), shape, i));
    actuals.push_back(fmt::format("x{}", i));
  }
  for (size_t i = 0; i < op.output_types.size(); i++) {
    results.push_back(fmt::format("{} y{}", op.output_types[i], i));
    outputs.push_back(fmt::format("y{}", i));
  }
  const std::string domains = op.domain.empty()
                                  ? fmt::format("\"\": {}", op.opset)
                                  : fmt::format("\"\": 21, \"{}\": {}", op.domain, op.opset);
  const std::string name = op.domain.empty() ? op.op : op.domain + "." + op.op;
  const std::string attributes = op.attributes.empty() ? "" : " <" + op.attributes + ">";
  return fmt::format("<ir_version: 10, opset_import: [{}]>\ng ({}) => ({}) {{ {} = {}{}({}) }}",
                     domains, fmt::join(formals, ", "), fmt::join(results, ", "),
                     fmt::join(outputs, ", "), name, attributes, fmt::join(actuals, ", "));
}

}  // namespace

bool operator==(const Literal& a, const Literal& b) {
  if (a.dtype != b.dtype || a.dims != b.dims || a.values.size() != b.values.size()) return false;
  for (size_t i = 0; i < a.values.size(); i++) {
    if (std::isnan(a.values[i]) && std::isnan(b.values[i])) continue;
    if (a.values[i] == b.values[i]) continue;
    if (!(std::abs(a.values[i] - b.values[i]) <= 1e-6 + 1e-5 * std::abs(b.values[i]))) return false;
  }
  return true;
}

std::ostream& operator<<(std::ostream& out, const Literal& literal) {
  return out << fmt::format("{}[{}] {{{}}}", literal.dtype, fmt::join(literal.dims, ", "),
                            fmt::join(literal.values, ", "));
}

Literal floats(std::vector<double> values, std::vector<int64_t> dims) {
  return make("float32", std::move(values), std::move(dims));
}
Literal longs(std::vector<double> values, std::vector<int64_t> dims) {
  return make("int64", std::move(values), std::move(dims));
}
Literal bools(std::vector<double> values, std::vector<int64_t> dims) {
  return make("bool", std::move(values), std::move(dims));
}

Conversion convert_text(const std::string& text) {
  onnx::ModelProto model;
  const auto status = onnx::OnnxParser::Parse(model, text.c_str());
  if (!status.IsOK()) throw std::invalid_argument(status.ErrorMessage() + "\n" + text);
  Options options;
  options.dialect = fx::Dialect::kAten;
  options.plugins.builtin_directory = ONNX2FX_TEST_PLUGINS;
  options.plugins.safe_mode = true;
  return convert(std::make_shared<const std::string>(model.SerializeAsString()), "test.onnx", "",
                 options);
}

std::vector<Literal> run_model(const std::string& text, const std::vector<Literal>& inputs) {
  const Conversion converted = convert_text(text);
  const auto session = runtime::open_library(ONNX2FX_TEST_RUNTIME)(
      converted.module, [&](const fx::Tensor& tensor) { return converted.bytes(tensor.data); }, {},
      nullptr);
  std::vector<HostValue> values;
  values.reserve(inputs.size());
  for (const Literal& input : inputs) values.push_back(to_host(input));
  std::vector<Literal> outputs;
  for (const HostValue& output : session->run(values)) outputs.push_back(from_host(output));
  return outputs;
}

std::vector<Literal> lower_and_run_all(const Operator& op, const std::vector<Literal>& inputs) {
  return run_model(model_text(op, inputs), inputs);
}

Literal lower_and_run(const Operator& op, const std::vector<Literal>& inputs) {
  return lower_and_run_all(op, inputs).at(0);
}

std::string error_of(const Operator& op, const std::vector<Literal>& inputs) {
  try {
    lower_and_run_all(op, inputs);
  } catch (const ConversionError& e) {
    return e.what();
  }
  return "";
}

}  // namespace onnx2fx::ops
