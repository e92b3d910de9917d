// The leaves, and Python's operators on numbers, as tests/leaves/cases.json has them; test_cases.py
// beside it runs the same in Python.
#include <ATen/core/Dict.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "core/runtime/coerce.hpp"
#include "core/runtime/strings.hpp"
#include "tests/runtime/program_builder.hpp"

namespace onnx2fx::runtime {
namespace {

using Json = nlohmann::json;

std::vector<int64_t> shape_of(const Json& json, size_t count) {
  if (json.contains("shape")) return json["shape"].get<std::vector<int64_t>>();
  return {static_cast<int64_t>(count)};
}

double real(const Json& json) {
  if (!json.is_string()) return json.get<double>();
  const std::string text = json.get<std::string>();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  return text == "-inf" ? -HUGE_VAL : HUGE_VAL;
}

at::Tensor tensor_of(const Json& json) {
  const Json& items = json["tensor"];
  const at::ScalarType type = scalar_type(json["dtype"].get<std::string>());
  const bool floating = c10::isFloatingType(type), bits = type == at::kUInt64;
  const at::ScalarType wide = floating ? at::kDouble : bits ? type : at::kLong;
  at::Tensor tensor = at::empty({static_cast<int64_t>(items.size())}, wide);
  for (size_t i = 0; i < items.size(); i++) {
    if (floating)
      tensor.mutable_data_ptr<double>()[i] = real(items[i]);
    else if (bits)
      tensor.mutable_data_ptr<uint64_t>()[i] = items[i].get<uint64_t>();
    else
      tensor.mutable_data_ptr<int64_t>()[i] =
          items[i].is_boolean() ? items[i].get<bool>() : items[i].get<int64_t>();
  }
  return tensor.to(type).reshape(shape_of(json, items.size()));
}

/// Known only at run time: a placeholder's value.
bool is_value(const Json& json) {
  if (json.is_array())
    return std::any_of(json.begin(), json.end(), [](const Json& j) { return is_value(j); });
  return json.is_object() && !(json.size() == 1 && json.contains("dtype"));
}

c10::IValue value_of(const Json& json) {
  if (json.is_null()) return {};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.contains("tensor")) return tensor_of(json);
  if (json.contains("strings")) {
    auto items = json["strings"].get<std::vector<std::string>>();
    return make_strings(shape_of(json, items.size()), items);
  }
  if (json.contains("map")) {
    const bool integers = json["map"][0][0].is_number();
    c10::impl::GenericDict map(
        integers ? c10::TypePtr(c10::IntType::get()) : c10::TypePtr(c10::StringType::get()),
        c10::AnyType::get());
    for (const Json& pair : json["map"]) map.insert(value_of(pair[0]), value_of(pair[1]));
    return map;
  }
  std::vector<c10::IValue> items;
  for (const Json& item : json) items.push_back(value_of(item));
  return sequence(std::move(items));
}

fx::Argument literal_of(const Json& json) {
  if (json.is_null()) return {};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_object()) return fx::Dtype{json["dtype"].get<std::string>()};
  fx::List list;
  for (const Json& item : json) list.push_back(literal_of(item));
  return list;
}

c10::IValue run(const Json& given) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  fx::List arguments;
  std::vector<c10::IValue> inputs;
  for (const Json& argument : given["args"]) {
    if (is_value(argument)) inputs.push_back(value_of(argument));
  }
  for (size_t i = 0; i < inputs.size(); i++) root.placeholder("x" + std::to_string(i));
  uint32_t next = 0;
  for (const Json& argument : given["args"])
    arguments.push_back(is_value(argument) ? fx::Argument(fx::NodeRef{next++})
                                           : literal_of(argument));
  const auto call = root.call(given["target"].get<std::string>(), std::move(arguments));
  return module.build(root.output(call))->forward(std::move(inputs))[0];
}

bool same(const c10::IValue& got, const c10::IValue& expected);

bool same_tensor(const at::Tensor& got, const at::Tensor& expected) {
  if (got.scalar_type() != expected.scalar_type() || got.sizes() != expected.sizes()) return false;
  if (!got.is_floating_point())
    return std::memcmp(got.contiguous().const_data_ptr(), expected.contiguous().const_data_ptr(),
                       got.nbytes()) == 0;
  const at::Tensor a = got.to(at::kDouble).contiguous(), b = expected.to(at::kDouble).contiguous();
  for (int64_t i = 0; i < a.numel(); i++) {
    const double x = a.const_data_ptr<double>()[i], y = b.const_data_ptr<double>()[i];
    if (std::isnan(x) ? !std::isnan(y) : x != y || std::signbit(x) != std::signbit(y)) return false;
  }
  return true;
}

bool same_maps(const c10::impl::GenericDict& got, const c10::impl::GenericDict& expected) {
  if (got.size() != expected.size()) return false;
  for (const auto& entry : expected) {
    const auto found = got.find(entry.key());
    if (found == got.end() || !same(found->value(), entry.value())) return false;
  }
  return true;
}

bool same(const c10::IValue& got, const c10::IValue& expected) {
  if (expected.isTensor())
    return got.isTensor() && same_tensor(got.toTensor(), expected.toTensor());
  if (const Strings* strings = as_strings(expected)) {
    const Strings* other = as_strings(got);
    return other && other->dims == strings->dims && other->elements == strings->elements;
  }
  if (expected.isGenericDict())
    return got.isGenericDict() && same_maps(got.toGenericDict(), expected.toGenericDict());
  if (expected.isDouble())
    return got.isDouble() &&
           std::abs(got.toDouble() - expected.toDouble()) <= 1e-15 * std::abs(expected.toDouble());
  if (!expected.isList()) return got.tagKind() == expected.tagKind() && got == expected;
  const auto items = elements(got), wanted = elements(expected);
  return items.size() == wanted.size() &&
         std::equal(items.begin(), items.end(), wanted.begin(), same);
}

/// What the host says before the message of an operator.
std::string said_of(const std::string& error) {
  const size_t end = error.find("): ");
  return end == std::string::npos ? error : error.substr(end + 3);
}

TEST(Leaves, CasesThatPythonSharesComeOutTheSame) {
  std::ifstream file(ONNX2FX_LEAF_CASES);
  const Json cases = Json::parse(file);
  EXPECT_GT(cases.size(), 200u);
  for (const Json& given : cases) {
    SCOPED_TRACE(given.dump());
    if (given.contains("error")) {
      EXPECT_EQ(said_of(error_of([&] { run(given); })), given["error"].get<std::string>());
    } else {
      const std::string error =
          error_of([&] { EXPECT_TRUE(same(run(given), value_of(given["result"]))); });
      EXPECT_EQ(error, "");
    }
  }
}

TEST(Leaves, HostNamesTheNodeThatFails) {
  const Json given = {{"target", "onnx2fx::sequence_erase"},
                      {"args", {{{{"tensor", {1}}, {"dtype", "int64"}}}, 1}}};
  EXPECT_EQ(error_of([&] { run(given); }),
            "error: node 'n1' (onnx2fx::sequence_erase): position: expected one in [-1, 0], got 1");
}

TEST(Leaves, TextThatIsNotUtf8IsRefused) {
  for (const char* text : {"a\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    ModuleBuilder module;
    ProgramBuilder root("root");
    const auto x = root.placeholder("x");
    const auto call =
        root.call("onnx2fx::string_normalize", {x, fx::List{}, true, std::string("LOWER")});
    const auto built = module.build(root.output(call));
    const std::string error = error_of([&] { built->forward({make_strings({1}, {text})}); });
    EXPECT_TRUE(said_of(error).starts_with("expected UTF-8 text, got byte ")) << error;
  }
}

}  // namespace
}  // namespace onnx2fx::runtime
