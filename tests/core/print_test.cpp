// The text of a module: everything that a Module can hold, in one program.
#include "core/fx/print.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/core/fx_program.hpp"

namespace onnx2fx::fx {
namespace {

template <class T>
TensorData bytes_of(const std::vector<T>& elements) {
  std::string s(elements.size() * sizeof(T), '\0');
  if (!elements.empty()) std::memcpy(s.data(), elements.data(), s.size());
  return {std::make_shared<const std::string>(std::move(s))};
}

Tensor constant(const std::string& dtype, std::vector<int64_t> dims, TensorData data) {
  return {"t", "t", dtype, std::move(dims), Role::kConstant, false, std::move(data)};
}

/// The line of the only tensor, without the indent.
std::string line_of(Tensor tensor) {
  Module m;
  m.tensors.push_back(std::move(tensor));
  const std::string text = print_program(m);
  return text.substr(std::string("tensors:\n  ").size());
}

TEST(PrintProgram, Arguments) {
  ProgramBuilder b;
  const NodeRef x = b.input("x", {"N", "3"});
  const double inf = std::numeric_limits<double>::infinity();
  b.call("aten::f",
         {{}, true, false, int64_t{-3}, 2.0, 1e-5, inf, -inf, "it's\n\x1b", x, DeviceOf{x}},
         {{"a", Dtype{"float32"}},
          {"b", Device{"cpu"}},
          {"c", Layout{"strided"}},
          {"d", MemoryFormat{"contiguous_format"}},
          {"e", Training{}},
          {"f", List{x, List{}, ProgramRef{1}}},
          {"g", List{Slice{List(3)}, Slice{{int64_t{1}, x, int64_t{2}}}}}});
  Module m = b.finish({x});
  m.programs.push_back({"then_1", {}});
  EXPECT_EQ(print_program(m), R"(root:
  %x : float32[N, 3] = placeholder
  %n1 = call_function[aten::f](None, True, False, -3, 2.0, 1e-05, inf, -inf, )"
                              R"('it\'s\n\x1b', %x, %x.device, a=torch.float32, b=device('cpu'), )"
                              R"(c=torch.strided, d=torch.contiguous_format, e=training, )"
                              R"(f=[%x, [], @then_1], g=[:, 1:%x:2])
  return [%x]
then_1:
)");
}

TEST(PrintProgram, TypesThatAreKnownInPart) {
  ProgramBuilder b;
  const NodeRef x = b.input("x", {});
  std::vector<Node>& nodes = b.module().programs[0].nodes;
  nodes[0].type = {"", {}};
  b.call("aten::f", {x});
  nodes[1].type = {"int64", {}};
  b.call("aten::f", {x});
  nodes[2].type = {"", std::vector<std::string>{"?", "2*N"}};
  nodes[2].meta = {{"why", "so"}};
  EXPECT_EQ(print_program(b.finish({x})), R"(root:
  %x = placeholder
  %n1 : int64 = call_function[aten::f](%x)
  %n2 : ?[?, 2*N] = call_function[aten::f](%x) {why='so'}
  return [%x]
)");
}

TEST(PrintProgram, ModulesTensorsAndRenamedPorts) {
  Module m;
  m.tensors = {
      {"onnx::MatMul_1", "fc.weight", "float32", {2, 3}, Role::kParameter, true, {}},
      {"fc.bias", "fc.bias", "float32", {3}, Role::kParameter, false, {FileRange{0, 8, 12}}},
      {"mean", "mean", "float32", {}, Role::kBuffer, false, bytes_of<float>({0.1f})}};
  m.modules = {{"fc", "Linear", {{"in_features", int64_t{2}}}, {{"weight", 0, true}, {"bias", 1}}},
               {"drop", "Dropout", {{"p", 0.5}}, {}}};
  m.programs = {{"root", {}}};
  Node x{Op::kPlaceholder, "x_1", "x_1"}, w{Op::kGetAttr, "mean"}, y{Op::kCallModule, "y"};
  w.tensor = 2;
  y.module = 0;
  y.args = {NodeRef{0}};
  Node result{Op::kOutput, "output", "", {NodeRef{2}}};
  m.programs[0].nodes = {x, w, y, result};
  m.inputs = {{"x_1", "x.1", {}}};
  m.outputs = {{"y", "y", {}}};
  EXPECT_EQ(print_program(m), R"(root:
  %x_1 = placeholder
  %mean = get_attr[mean]
  %y = call_module[fc](%x_1)
  return %y
modules:
  fc = nn.Linear(in_features=2): weight=fc.weight^T, bias=fc.bias
  drop = nn.Dropout(p=0.5)
tensors:
  fc.weight : float32[2, 3] = parameter 'onnx::MatMul_1', no data
  fc.bias : float32[3] = parameter frozen
  mean : float32[] = buffer [0.1]
inputs:
  x_1 = 'x.1'
)");
}

TEST(PrintProgram, Elements) {
  EXPECT_EQ(line_of(constant("bool", {2}, bytes_of<uint8_t>({0, 1}))),
            "t : bool[2] = constant [False, True]\n");
  EXPECT_EQ(line_of(constant("int8", {2}, bytes_of<int8_t>({-8, 7}))),
            "t : int8[2] = constant [-8, 7]\n");
  EXPECT_EQ(line_of(constant("int64", {1}, bytes_of<int64_t>({INT64_MIN}))),
            "t : int64[1] = constant [-9223372036854775808]\n");
  EXPECT_EQ(line_of(constant("uint16", {1}, bytes_of<uint16_t>({65535}))),
            "t : uint16[1] = constant [65535]\n");
  EXPECT_EQ(line_of(constant("float64", {2}, bytes_of<double>({0.1, -0.0}))),
            "t : float64[2] = constant [0.1, -0.0]\n");
  // One, the largest number, the smallest above 0, minus infinity, no number.
  EXPECT_EQ(line_of(constant("float16", {5},
                             bytes_of<uint16_t>({0x3c00, 0x7bff, 0x0001, 0xfc00, 0x7e00}))),
            "t : float16[5] = constant [1.0, 65504.0, 5.9604645e-08, -inf, nan]\n");
  EXPECT_EQ(line_of(constant("bfloat16", {2}, bytes_of<uint16_t>({0x3f80, 0xc000}))),
            "t : bfloat16[2] = constant [1.0, -2.0]\n");
  EXPECT_EQ(line_of(constant("float8_e4m3fn", {2}, bytes_of<uint8_t>({0x38, 0xb8}))),
            "t : float8_e4m3fn[2] = constant [0x38, 0xb8]\n");
  EXPECT_EQ(line_of(constant("int64", {0}, bytes_of<int64_t>({}))), "t : int64[0] = constant []\n");
}

TEST(PrintProgram, NoMoreThanTheFirstElements) {
  std::vector<uint8_t> all(17);
  for (size_t i = 0; i < all.size(); i++) all[i] = static_cast<uint8_t>(i);
  EXPECT_EQ(
      line_of(constant("uint8", {17}, bytes_of(all))),
      "t : uint8[17] = constant [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, ...]\n");
}

}  // namespace
}  // namespace onnx2fx::fx
