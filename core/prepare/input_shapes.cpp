#include "core/prepare/input_shapes.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::prepare {
namespace {

using Shape = onnx::TensorShapeProto;

std::string shown(const Shape& shape) {
  std::string s;
  for (const auto& d : shape.dim()) {
    const std::string name = d.dim_param().empty() ? "?" : d.dim_param();
    s += (s.empty() ? "" : ",") + (d.has_dim_value() ? std::to_string(d.dim_value()) : name);
  }
  return "[" + s + "]";
}

bool is_name(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

/// False: it is neither an extent nor a name.
bool add_dim(Shape& shape, std::string_view text) {
  auto& dim = *shape.add_dim();
  if (text == "?") return true;
  int64_t extent = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), extent);
  if (error == std::errc() && end == text.end() && extent >= 0) {
    dim.set_dim_value(extent);
    return true;
  }
  const bool name = !text.empty() && is_name(text) && !(text[0] >= '0' && text[0] <= '9');
  if (name) dim.set_dim_param(std::string(text));
  return name;
}

std::optional<Shape> parse(std::string_view text) {
  Shape shape;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    if (!add_dim(shape, text.substr(0, end)) || end + 1 == text.size()) return {};
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return shape;
}

/// What the model declares stays; false: the two contradict each other.
bool refine(Shape& declared, const Shape& given) {
  if (declared.dim_size() != given.dim_size()) return false;
  for (int i = 0; i < given.dim_size(); i++) {
    auto& dim = *declared.mutable_dim(i);
    const auto& wanted = given.dim(i);
    if (dim.has_dim_value() && (!wanted.has_dim_value() || wanted.dim_value() != dim.dim_value())) {
      if (wanted.value_case() != 0) return false;
    } else if (wanted.value_case() != 0) {
      dim = wanted;
    }
  }
  return true;
}

/// What is wrong with one of them; empty: nothing.
std::string give(onnx::GraphProto& graph, const std::string& text) {
  const size_t equals = text.rfind('=');
  const std::string_view all = text;
  const std::string_view name = all.substr(0, std::min(equals, all.size()));
  const auto shape = equals == std::string::npos ? std::nullopt : parse(all.substr(equals + 1));
  if (!shape) return "expected NAME=DIM,DIM,..., got '" + text + "'";
  const auto input =
      std::ranges::find_if(*graph.mutable_input(), [&](const auto& i) { return i.name() == name; });
  if (input == graph.mutable_input()->end()) {
    std::string names;
    for (const auto& i : graph.input()) names += (names.empty() ? "'" : ", '") + i.name() + "'";
    return "expected one of the model's inputs (" + names + "), got '" + std::string(name) + "'";
  }
  if (!input->type().has_tensor_type())
    return "input '" + std::string(name) + "': expected a tensor, got another type";
  auto& type = *input->mutable_type()->mutable_tensor_type();
  const std::string declared = type.has_shape() ? shown(type.shape()) : "";
  if (!type.has_shape())
    *type.mutable_shape() = *shape;
  else if (!refine(*type.mutable_shape(), *shape))
    return "input '" + std::string(name) + "': expected a shape that fits the model's " + declared +
           ", got " + shown(*shape);
  return "";
}

}  // namespace

void give_shapes(read::ModelFile& file, const std::vector<std::string>& given) {
  std::vector<Diagnostic> faults;
  for (const std::string& text : given)
    if (std::string what = give(*file.model.mutable_graph(), text); !what.empty())
      faults.push_back({Severity::kError, "--input-shape", std::move(what), {}});
  if (!faults.empty()) throw ConversionError(std::move(faults));
}

}  // namespace onnx2fx::prepare
