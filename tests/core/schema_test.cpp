#include "core/fx/schema.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace onnx2fx::embedded {
extern const std::string_view aten_schemas_txt;
}  // namespace onnx2fx::embedded

namespace onnx2fx::fx {
namespace {

std::vector<std::string> lines(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> all;
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

/// The way the parser read a line: for comparison with the line.
std::string text(const Schema& s) {
  std::string t = s.name + "(";
  bool kw_only = false;
  for (const SchemaArgument& a : s.arguments) {
    if (&a != &s.arguments[0]) t += ", ";
    if (a.kw_only && !kw_only) t += "*, ";
    kw_only = a.kw_only;
    t += to_string(a.type) + (a.mutated ? "! " : " ") + a.name + (a.has_default ? "=" : "");
  }
  t += ") ->";
  for (const SchemaType& r : s.returns) t += " " + to_string(r);
  return t;
}

TEST(Schema, ReadsTypesDefaultsAndMarkers) {
  EXPECT_EQ(text(*find_schema("aten::add.Tensor")),
            "aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=) -> Tensor");
  EXPECT_EQ(text(*find_schema("aten::conv2d")),
            "aten::conv2d(Tensor input, Tensor weight, Tensor? bias=, int[2] stride=, int[2] "
            "padding=, int[2] dilation=, "
            "int groups=) -> Tensor");
  EXPECT_EQ(text(*find_schema("aten::index.Tensor")),
            "aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor");
  EXPECT_EQ(text(*find_schema("aten::sum.dim_IntList")),
            "aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=, *, ScalarType? dtype=) "
            "-> Tensor");
  EXPECT_EQ(
      text(*find_schema("aten::topk")),
      "aten::topk(Tensor self, int k, int dim=, bool largest=, bool sorted=) -> Tensor Tensor");
  EXPECT_EQ(text(*find_schema("aten::add_.Tensor")),
            "aten::add_.Tensor(Tensor! self, Tensor other, *, Scalar alpha=) -> Tensor");
  EXPECT_EQ(text(*find_schema("onnx2fx::loop")),
            "onnx2fx::loop(Program body, Any trips, Any condition, Any[] state, Any[] operands, "
            "int scan_outputs) -> Any[]");
}

TEST(Schema, KeepsLiteralDefaults) {
  const Schema* conv = find_schema("aten::conv2d");
  EXPECT_EQ(*conv->arguments[3].default_value, Argument(List{int64_t{1}, int64_t{1}}));
  EXPECT_TRUE(conv->arguments[2].default_value->is_none());
  EXPECT_EQ(*find_schema("aten::gelu")->arguments[1].default_value, Argument(std::string("none")));
  EXPECT_EQ(*find_schema("aten::leaky_relu")->arguments[1].default_value, Argument(0.01));
  EXPECT_EQ(*find_schema("aten::var")->arguments[1].default_value, Argument(true));
}

TEST(Schema, KnowsWhatReturnsViews) {
  for (const char* target :
       {"aten::permute", "aten::reshape", "aten::chunk", "aten::unbind.int", "aten::squeeze.dim"})
    EXPECT_TRUE(find_schema(target)->views) << target;
  for (const char* target : {"aten::relu", "aten::add_.Tensor", "aten::add.out", "aten::cat"})
    EXPECT_FALSE(find_schema(target)->views) << target;
}

TEST(Schema, FindsNothingWhereThereIsNothing) {
  EXPECT_EQ(find_schema("aten::add"), nullptr);  // TorchScript's, on strings
  EXPECT_EQ(find_schema("aten::"), nullptr);
  EXPECT_EQ(find_schema("aten::zzz"), nullptr);
  EXPECT_EQ(find_schema("aten::relu("), nullptr);
  EXPECT_EQ(find_schema("acme::rope"), nullptr);
  EXPECT_EQ(find_schema(""), nullptr);
}

TEST(Schema, EveryRowOfTheTablesIsFoundAndRead) {
  std::vector<std::string> targets = {
#define LEAF(name, family, schema) std::string("onnx2fx::" #name),
#include "core/fx/leaves.def"
  };
  for (const std::string& line : lines(embedded::aten_schemas_txt))
    targets.push_back(line.substr(0, line.find('(')));
  EXPECT_GT(targets.size(), 3000u);
  for (const std::string& target : targets) {
    const Schema* schema = find_schema(target);
    ASSERT_NE(schema, nullptr) << target;
    EXPECT_EQ(schema->name, target);
  }
}

TEST(Schema, NamesStandOnceWithoutTheirOverloads) {
  const std::vector<std::string> names = operator_names();
  EXPECT_EQ(std::count(names.begin(), names.end(), "aten::sub"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "aten::sub.Tensor"), 0);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

TEST(Schema, FaultNamesTheColumn) {
  try {
    parse_schema("aten::f(Tensor) -> Tensor");
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(),
                 "schema 'aten::f(Tensor) -> Tensor': expected an argument name at column 15");
  }
  EXPECT_THROW(parse_schema(""), std::invalid_argument);
  EXPECT_THROW(parse_schema("aten::f(int[x] a) -> Tensor"), std::invalid_argument);
  EXPECT_THROW(parse_schema("aten::f(Tensor a) -> Tensor x y"), std::invalid_argument);
}

TEST(Schema, BindsArguments) {
  const Schema& add = *find_schema("aten::add.Tensor");
  Node call;
  call.args = {NodeRef{0}, NodeRef{1}};
  auto bound = bind_arguments(add, call);
  ASSERT_TRUE(bound);
  EXPECT_EQ(*(*bound)[2], Argument(int64_t{1}));
  call.kwargs = {{"alpha", 2.0}};
  EXPECT_EQ(*(*bind_arguments(add, call))[2], Argument(2.0));
  call.kwargs = {{"other", NodeRef{1}}};
  EXPECT_FALSE(bind_arguments(add, call));
  call.kwargs = {{"beta", 2.0}};
  EXPECT_FALSE(bind_arguments(add, call));
  call.kwargs = {};
  call.args.push_back(2.0);  // alpha is a keyword
  EXPECT_FALSE(bind_arguments(add, call));
}

}  // namespace
}  // namespace onnx2fx::fx
