#include "tools/verify/test_data.hpp"

#include <onnx/onnx-data.pb.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <stdexcept>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/read/model_file.hpp"
#include "core/read/open_file.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::verify {
namespace {

namespace fs = std::filesystem;
using runtime::HostMap;
using runtime::HostSequence;
using runtime::HostStrings;
using runtime::HostTensor;
using runtime::HostValue;

HostValue host_sequence(const onnx::SequenceProto& sequence);
HostValue host_optional(const onnx::OptionalProto& optional);

HostValue host_map(const onnx::MapProto& map) {
  HostMap host;
  for (const int64_t key : map.keys()) host.keys.emplace_back(key);
  for (const std::string& key : map.string_keys()) host.keys.emplace_back(key);
  host.values = std::get<HostSequence>(host_sequence(map.values()).value);
  if (host.keys.size() != host.values.size())
    throw ConversionError("", "map: expected " + std::to_string(host.keys.size()) +
                                  " values, got " + std::to_string(host.values.size()));
  return {std::move(host)};
}

HostValue host_sequence(const onnx::SequenceProto& sequence) {
  HostSequence items;
  for (const auto& item : sequence.tensor_values()) items.push_back(host_tensor(item));
  for (const auto& item : sequence.sequence_values()) items.push_back(host_sequence(item));
  for (const auto& item : sequence.map_values()) items.push_back(host_map(item));
  for (const auto& item : sequence.optional_values()) items.push_back(host_optional(item));
  return {std::move(items)};
}

HostValue host_optional(const onnx::OptionalProto& optional) {
  switch (optional.elem_type()) {
    case onnx::OptionalProto::UNDEFINED:
      return {};
    case onnx::OptionalProto::TENSOR:
      return host_tensor(optional.tensor_value());
    case onnx::OptionalProto::SEQUENCE:
      return host_sequence(optional.sequence_value());
    case onnx::OptionalProto::MAP:
      return host_map(optional.map_value());
    case onnx::OptionalProto::OPTIONAL:
      return host_optional(optional.optional_value());
    default:
      throw ConversionError("",
                            "optional: expected a tensor, sequence or map, got a sparse tensor");
  }
}

template <class Proto>
Proto parse(const fs::path& path) {
  Proto proto;
  std::string bytes;
  try {
    bytes = read::read_regular(path.string(), size_t{1} << 31);
  } catch (const std::runtime_error& e) {
    throw ConversionError(path.string(), std::string("reference data: ") + e.what());
  }
  if (!proto.ParseFromString(bytes))
    throw ConversionError(path.string(), "reference data: expected a " +
                                             Proto::descriptor()->name() + ", got something else");
  return proto;
}

HostValue read_value(const fs::path& path, const onnx::TypeProto& type) {
  try {
    switch (type.value_case()) {
      case onnx::TypeProto::kSequenceType:
        return host_sequence(parse<onnx::SequenceProto>(path));
      case onnx::TypeProto::kOptionalType:
        return host_optional(parse<onnx::OptionalProto>(path));
      case onnx::TypeProto::kMapType:
        return host_map(parse<onnx::MapProto>(path));
      default:
        return host_tensor(parse<onnx::TensorProto>(path));
    }
  } catch (const ConversionError& e) {
    const Diagnostic& first = e.diagnostics[0];
    throw ConversionError(path.string(), first.what, first.notes);
  }
}

/// input_0.pb, input_1.pb ... as far as they go.
std::vector<HostValue> read_values(const fs::path& folder, const std::string& word,
                                   const std::vector<const onnx::TypeProto*>& types) {
  std::vector<HostValue> values;
  for (size_t i = 0;; i++) {
    const fs::path path = folder / (word + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(path)) return values;
    if (i >= types.size())
      throw ConversionError(path.string(), "reference data: expected at most " +
                                               std::to_string(types.size()) + " " + word +
                                               "s, as the model has, got more");
    values.push_back(read_value(path, *types[i]));
  }
}

std::vector<fs::path> find_folders(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw ConversionError(folder.string(), "reference data: expected a folder, got none");
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set"))
      found.push_back(entry.path());
  const auto number = [](const fs::path& path) {
    const std::string name = path.filename().string();
    int value = 0;
    std::from_chars(name.data() + name.find_last_of('_') + 1, name.data() + name.size(), value);
    return value;
  };
  std::sort(found.begin(), found.end(), [&](const fs::path& a, const fs::path& b) {
    return std::pair(number(a), a) < std::pair(number(b), b);
  });
  if (found.empty() && (fs::exists(folder / "output_0.pb") || fs::exists(folder / "input_0.pb")))
    found.push_back(folder);
  if (found.empty())
    throw ConversionError(folder.string(),
                          "reference data: expected test_data_set_* or output_0.pb, got neither");
  return found;
}

}  // namespace

HostValue host_tensor(const onnx::TensorProto& tensor) {
  static const read::ModelFile no_model;
  weights::Store store(no_model);
  std::vector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  if (tensor.data_type() == onnx::TensorProto::STRING)
    return {HostStrings{std::move(dims), store.strings(tensor)}};
  const uint64_t count = weights::element_count(tensor.dims());
  return {HostTensor{weights::carrier(tensor.data_type()), std::move(dims),
                     weights::unpack(tensor.data_type(), store.bytes(tensor), count)}};
}

std::vector<DataSet> read_data_sets(const std::string& model, const std::string& folder) {
  const std::vector<fs::path> folders = find_folders(folder);
  const read::ModelFile file = read::read_file(model);
  const onnx::GraphProto& graph = file.model.graph();
  std::set<std::string> given;
  for (const auto& tensor : graph.initializer()) given.insert(tensor.name());
  for (const auto& tensor : graph.sparse_initializer()) given.insert(tensor.values().name());
  std::vector<const onnx::TypeProto*> inputs, outputs;
  for (const auto& input : graph.input())
    if (!given.contains(input.name())) inputs.push_back(&input.type());
  for (const auto& output : graph.output()) outputs.push_back(&output.type());
  std::vector<DataSet> sets;
  sets.reserve(folders.size());
  for (const fs::path& path : folders)
    sets.push_back(
        {path.string(), read_values(path, "input", inputs), read_values(path, "output", outputs)});
  return sets;
}

}  // namespace onnx2fx::verify
