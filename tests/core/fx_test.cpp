#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "core/fx/nn_dialect.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/paths.hpp"
#include "core/fx/print.hpp"
#include "core/fx/schema.hpp"
#include "core/fx/scopes.hpp"
#include "tests/core/fx_program.hpp"

namespace onnx2fx::fx {
namespace {

/// The lines of a section of print_program, without the indent.
std::string section(const Module& m, const std::string& title) {
  std::istringstream in(print_program(m));
  std::string s, line;
  bool inside = false;
  while (std::getline(in, line)) {
    if (!line.starts_with("  "))
      inside = line == title + ":";
    else if (inside)
      s += line.substr(2) + "\n";
  }
  return s;
}

/// The root's nodes, save its placeholders.
std::string text(const Module& m) {
  std::string s = section(m, "root");
  while (s.find(" = placeholder\n") != std::string::npos) s.erase(0, s.find('\n') + 1);
  return s;
}

std::string modules(const Module& m) { return section(m, "modules"); }

void raise(Module& m) { run_passes(m, {.dialect = Dialect::kNn}); }

// ---- paths ----

TEST(Paths, NamesBecomePaths) {
  EXPECT_EQ(path_of("encoder.layer.0.weight"), "encoder.layer.0.weight");
  EXPECT_EQ(path_of("/encoder/layer.0/MatMul"), "encoder.layer.0.MatMul");
  EXPECT_EQ(path_of("onnx::MatMul_1"), "onnx__MatMul_1");
  EXPECT_EQ(path_of("a b.0x.type.training.class.9"), "a_b._0x.type_.training_.class_.9");
  EXPECT_EQ(path_of("__class__"), "x__class__");
  EXPECT_EQ(path_of("_parameters"), "_parameters_");
  EXPECT_EQ(path_of(""), "");
  EXPECT_EQ(path_of("../"), "");
}

TEST(Paths, NoneLiesBelowOrOnAnother) {
  PathTree tree;
  EXPECT_EQ(tree.claim("a"), "a");
  EXPECT_EQ(tree.claim("a"), "a_1");
  EXPECT_EQ(tree.claim("a.b"), "a_2.b");
  EXPECT_EQ(tree.claim("a.c"), "a_2.c");
  EXPECT_EQ(tree.claim("x.y.z"), "x.y.z");
  EXPECT_EQ(tree.claim("x.y"), "x.y_1");
  EXPECT_EQ(tree.claim("x.y.z.w"), "x.y.z_1.w");
}

TEST(Paths, ProgramsAndTensorsDoNotMeet) {
  ProgramBuilder b;
  NodeRef x = b.weight("then", {1}), y = b.weight("type", {1}), z = b.weight("//", {1}),
          w = b.weight("then.1", {1});
  Module m = b.finish({x, y, z, w});
  m.programs.push_back({"then", {}});
  assign_paths(m);
  EXPECT_EQ(m.tensors[0].path, "then_1");
  EXPECT_EQ(m.tensors[1].path, "type_");
  EXPECT_EQ(m.tensors[2].path, "tensor");
  EXPECT_EQ(m.tensors[3].path, "then_2.1");
}

// ---- drop_dead_nodes ----

TEST(DropDeadNodes, DropsNodesTensorsAndPrograms) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"2"}), unused = b.input("unused", {"2"});
  NodeRef a = b.weight("a", {2}), c = b.weight("c", {2});
  b.call("aten::mul.Tensor", {unused, a});
  b.call("higher_order::cond", {x, ProgramRef{1}, ProgramRef{1}, List{}});
  NodeRef y = b.call("higher_order::cond", {x, ProgramRef{2}, ProgramRef{2}, List{c}});
  Module m = b.finish({y});
  m.programs.push_back({"dead", {}});
  m.programs.push_back({"live", {}});
  drop_dead_nodes(m);
  assign_paths(m);
  EXPECT_EQ(text(m), R"(%w3 = get_attr[c]
%n6 = call_function[higher_order::cond](%x, @live, @live, [%w3])
return [%n6]
)");
  EXPECT_EQ(m.programs.size(), 2u);
  EXPECT_EQ(m.programs[0].nodes[1].name, "unused");
  EXPECT_EQ(m.tensors.size(), 1u);
}

TEST(DropDeadNodes, KeepsWhatWrites) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"2", "2"});
  NodeRef mean = b.weight("mean", {2}, Role::kBuffer), var = b.weight("var", {2}, Role::kBuffer);
  std::vector<Argument> args = {x, {}, {}, mean, var, Training{}, 0.1, 1e-5, true};
  b.call("aten::batch_norm", args);
  args[5] = false;
  b.call("aten::batch_norm", args);
  b.call("aten::add_.Tensor", {x, mean});
  b.call("aten::relu", {x});
  Module m = b.finish({x});
  drop_dead_nodes(m);
  assign_paths(m);
  EXPECT_EQ(text(m), R"(%w1 = get_attr[mean]
%w2 = get_attr[var]
%n3 = call_function[aten::batch_norm](%x, None, None, %w1, %w2, training, 0.1, 1e-05, True)
%n5 = call_function[aten::add_.Tensor](%x, %w1)
return [%x]
)");
}

// ---- raise_modules: Linear ----

TEST(RaiseModules, LinearAsStored) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "3"}), w = b.weight("fc.weight", {4, 3}),
          c = b.weight("fc.bias", {4});
  Module m = b.finish({b.call("aten::linear", {x, w, c})});
  raise(m);
  EXPECT_EQ(text(m), R"(%n3 = call_module[fc](%x)
return [%n3]
)");
  EXPECT_EQ(
      modules(m),
      "fc = nn.Linear(in_features=3, out_features=4, bias=True): weight=fc.weight, bias=fc.bias\n");
  EXPECT_EQ(m.dialect, Dialect::kNn);
}

TEST(RaiseModules, MatMulAndAddAreOneLinearOnEitherSide) {
  for (bool left : {false, true}) {
    ProgramBuilder b;
    NodeRef x = b.input("x", {"N", "3"}), w = b.weight("onnx::MatMul_1", {3, 4}),
            c = b.weight("q.bias", {4});
    NodeRef y = b.call("aten::matmul", {x, w});
    NodeRef z = left ? b.call("aten::add.Tensor", {c, y}) : b.call("aten::add.Tensor", {y, c});
    Module m = b.finish({z});
    raise(m);
    EXPECT_EQ(text(m), R"(%n4 = call_module[q](%x)
return [%n4]
)");
    EXPECT_EQ(modules(m),
              "q = nn.Linear(in_features=3, out_features=4, bias=True): weight=q.weight^T, "
              "bias=q.bias\n");
  }
}

TEST(RaiseModules, LoneFloatIsABiasAfterAll) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "3"}), w = b.weight("w", {3, 1}),
          c = b.weight("out.bias", {1}, Role::kConstant);
  Module m = b.finish({b.call("aten::add.Tensor", {b.call("aten::matmul", {x, w}), c})});
  raise(m);
  EXPECT_EQ(modules(m),
            "out = nn.Linear(in_features=3, out_features=1, bias=True): weight=out.weight^T, "
            "bias=out.bias\n");
  EXPECT_EQ(m.tensors[1].role, Role::kParameter);
  EXPECT_TRUE(m.tensors[1].requires_grad);
}

TEST(RaiseModules, AddOfAnotherShapeOrAUsedProductStaysApart) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "3"}), v = b.weight("v.weight", {3, 1}),
          w = b.weight("w.weight", {3, 4});
  NodeRef c = b.weight("c", {4});
  NodeRef wide = b.call("aten::add.Tensor", {b.call("aten::matmul", {x, v}), c});  // [N, 1] + [4]
  NodeRef y = b.call("aten::matmul", {x, w});
  Module m = b.finish({wide, y, b.call("aten::add.Tensor", {y, c})});
  raise(m);
  EXPECT_EQ(text(m), R"(%w3 = get_attr[c]
%n4 = call_module[v](%x)
%n5 = call_function[operator::add](%n4, %w3)
%n6 = call_module[w](%x)
%n7 = call_function[operator::add](%n6, %w3)
return [%n5, %n6, %n7]
)");
  EXPECT_EQ(modules(m),
            "v = nn.Linear(in_features=3, out_features=1, bias=False): weight=v.weight^T\n"
            "w = nn.Linear(in_features=3, out_features=4, bias=False): weight=w.weight^T\n");
}

TEST(RaiseModules, AddmmWithScalesStays) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "3"}), w = b.weight("w", {3, 4}), c = b.weight("c", {4});
  NodeRef y = b.call("aten::addmm", {c, x, w});
  NodeRef z = b.call("aten::addmm", {c, x, b.again(0)}, {{"alpha", 0.5}});
  Module m = b.finish({y, z});
  raise(m);  // the first would be transposed, but the second reads w as it is
  EXPECT_TRUE(m.modules.empty());
  EXPECT_EQ(m.programs[0].nodes[3].target, "torch::addmm");
}

TEST(RaiseModules, TiedWeightsStayOneTensor) {
  ProgramBuilder b;
  NodeRef ids = b.input("ids", {"N"}), w = b.weight("emb.weight", {5, 3});
  NodeRef e = b.call("aten::embedding", {w, ids});
  NodeRef t = b.call("aten::permute", {b.again(0), ints({1, 0})});
  Module m = b.finish({b.call("aten::matmul", {e, t}, {}, {}, "/head/MatMul")});
  raise(m);
  EXPECT_EQ(text(m), R"(%n2 = call_module[emb](%ids)
%n5 = call_module[head](%n2)
return [%n5]
)");
  EXPECT_EQ(modules(m),
            "emb = nn.Embedding(num_embeddings=5, embedding_dim=3, padding_idx=None, "
            "scale_grad_by_freq=False, sparse=False): weight=emb.weight\n"
            "head = nn.Linear(in_features=3, out_features=5, bias=False): weight=emb.weight\n");
  EXPECT_EQ(m.tensors.size(), 1u);
}

TEST(RaiseModules, CallsInOneScopeAreOfOneModule) {
  for (const char* again : {"/w_1/MatMul", ""}) {
    ProgramBuilder b;
    NodeRef x = b.input("x", {"N", "3"}), w = b.weight("w.weight", {3, 3});
    NodeRef y = b.call("aten::matmul", {x, w}, {}, {}, "/w/MatMul");
    Module m = b.finish({b.call("aten::matmul", {y, b.again(0)}, {}, {}, again)});
    raise(m);
    EXPECT_EQ(text(m), "%n2 = call_module[w](%x)\n%n4 = call_module[w](%n2)\nreturn [%n4]\n");
    EXPECT_EQ(m.modules.size(), 1u);
  }
}

TEST(RaiseModules, TransposedWeightIsSharedByModulesOnly) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "3"}), w = b.weight("w.weight", {3, 3});
  NodeRef y = b.call("aten::matmul", {x, w}, {}, {}, "/a/MatMul");
  Module tied = b.finish({b.call("aten::matmul", {y, b.again(0)}, {}, {}, "/b/MatMul")});
  raise(tied);
  EXPECT_EQ(text(tied), R"(%n2 = call_module[w](%x)
%n4 = call_module[b](%n2)
return [%n4]
)");
  EXPECT_EQ(modules(tied),
            "w = nn.Linear(in_features=3, out_features=3, bias=False): weight=w.weight^T\n"
            "b = nn.Linear(in_features=3, out_features=3, bias=False): weight=w.weight^T\n");

  ProgramBuilder c;
  x = c.input("x", {"N", "3"});
  w = c.weight("w.weight", {3, 3});
  y = c.call("aten::matmul", {x, w});
  Module mixed = c.finish({c.call("aten::mul.Tensor", {y, w})});
  raise(mixed);
  EXPECT_EQ(text(mixed), R"(%w1 = get_attr[w.weight]
%n2 = call_function[torch::matmul](%x, %w1)
%n3 = call_function[operator::mul](%n2, %w1)
return [%n3]
)");
}

TEST(RaiseModules, OnlyParametersAreRaised) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "3"}), w = b.weight("w", {3, 4}, Role::kBuffer),
          v = b.weight("v", {2, 3, 4});
  Module m = b.finish({b.call("aten::matmul", {x, w}), b.call("aten::matmul", {x, v})});
  raise(m);
  EXPECT_TRUE(m.modules.empty());
}

// ---- raise_modules: the others ----

TEST(RaiseModules, Convolutions) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "4", "8", "8"}), w = b.weight("conv.weight", {6, 2, 3, 5}),
          c = b.weight("conv.bias", {6});
  NodeRef y = b.call("aten::conv2d", {x, w, c, ints({2, 1}), ints({1}), ints({1, 1}), int64_t{2}});
  NodeRef v = b.weight("up.weight", {6, 3, 2, 2});
  NodeRef z = b.call("aten::conv_transpose2d.input",
                     {y, v, {}, ints({2, 2}), ints({0, 0}), ints({1, 1}), int64_t{2}});
  Module m = b.finish({z});
  raise(m);
  EXPECT_EQ(
      modules(m),
      "conv = nn.Conv2d(in_channels=4, out_channels=6, kernel_size=[3, 5], stride=[2, 1], "
      "padding=[1, 1], dilation=[1, 1], groups=2, bias=True): weight=conv.weight, bias=conv.bias\n"
      "up = nn.ConvTranspose2d(in_channels=6, out_channels=6, kernel_size=[2, 2], stride=[2, 2], "
      "padding=[0, 0], output_padding=[1, 1], dilation=[1, 1], groups=2, bias=False): "
      "weight=up.weight\n");
}

TEST(RaiseModules, BatchNormByRankOfItsInput) {
  auto converted = [](std::vector<std::string> shape, const Argument& training) {
    ProgramBuilder b;
    NodeRef x = b.input("x", std::move(shape)), w = b.weight("bn.weight", {4}),
            c = b.weight("bn.bias", {4});
    NodeRef mean = b.weight("bn.running_mean", {4}, Role::kBuffer),
            var = b.weight("bn.running_var", {4}, Role::kBuffer);
    Module m =
        b.finish({b.call("aten::batch_norm", {x, w, c, mean, var, training, 0.1, 1e-3, true})});
    raise(m);
    return m;
  };
  EXPECT_EQ(
      modules(converted({"N", "4", "H", "W"}, Training{})),
      "bn = nn.BatchNorm2d(num_features=4, eps=0.001, momentum=0.1, affine=True): "
      "weight=bn.weight, bias=bn.bias, running_mean=bn.running_mean, running_var=bn.running_var\n");
  EXPECT_EQ(converted({"N", "4"}, Training{}).modules[0].type, "BatchNorm1d");
  EXPECT_EQ(converted({"N", "4", "L"}, Training{}).modules[0].type, "BatchNorm1d");
  EXPECT_EQ(converted({"N", "4", "D", "H", "W"}, Training{}).modules[0].type, "BatchNorm3d");
  EXPECT_TRUE(converted({"N", "4", "H", "W"}, false).modules.empty());
}

TEST(RaiseModules, Normalizations) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "4", "H", "W"}), w = b.weight("ln.weight", {4}),
          c = b.weight("ln.bias", {4});
  NodeRef y = b.call("aten::layer_norm", {x, ints({4}), w, c, 1e-5, true});
  NodeRef g = b.weight("gn.weight", {4}), h = b.weight("gn.bias", {4});
  NodeRef z = b.call("aten::group_norm", {y, int64_t{2}, g, h, 1e-5, true});
  NodeRef i = b.weight("in.weight", {4}), j = b.weight("in.bias", {4});
  y = b.call("aten::instance_norm", {x, i, j, {}, {}, true, 0.1, 1e-5, true});
  Module m = b.finish({y, z});
  raise(m);
  EXPECT_EQ(text(m), R"(%n3 = call_module[ln](%x)
%n6 = call_module[gn](%n3)
%n9 = call_module[in_](%x)
return [%n9, %n6]
)");
}

TEST(RaiseModules, DropoutOnlyWhereItFollowsTheMode) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "4"});
  NodeRef y = b.call("aten::dropout", {x, 0.25, Training{}}, {}, {}, "/drop/Dropout");
  Module m = b.finish({b.call("aten::dropout", {y, 0.25, true})});
  raise(m);
  EXPECT_EQ(text(m), R"(%n1 = call_module[drop](%x)
%n2 = call_function[torch.nn.functional::dropout](%n1, 0.25, True)
return [%n2]
)");
}

TEST(RaiseModules, NativeDropoutWhoseMaskNobodyReads) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "4"});
  NodeRef y = b.call("aten::native_dropout", {x, 0.25, Training{}});
  NodeRef z = b.call("aten::native_dropout",
                     {b.call("operator::getitem", {y, int64_t{0}}), 0.25, Training{}});
  Module m = b.finish(
      {b.call("operator::getitem", {z, int64_t{0}}), b.call("operator::getitem", {z, int64_t{1}})});
  raise(m);
  EXPECT_EQ(text(m), R"(%n2 = call_module[n2](%x)
%n3 = call_function[torch::native_dropout](%n2, 0.25, training)
%n4 = call_function[operator::getitem](%n3, 0)
%n5 = call_function[operator::getitem](%n3, 1)
return [%n4, %n5]
)");
}

TEST(RaiseModules, ViewsOfTheSlopeAreFollowed) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "4", "H", "W"}), w = b.weight("act.weight", {4});
  NodeRef v = b.call("aten::unsqueeze", {b.call("aten::unsqueeze", {w, int64_t{1}}), int64_t{-1}});
  Module m = b.finish({b.call("aten::prelu", {x, b.call("aten::reshape", {v, ints({4})})})});
  raise(m);
  EXPECT_EQ(modules(m), "act = nn.PReLU(num_parameters=4): weight=act.weight\n");
  EXPECT_EQ(text(m), R"(%n5 = call_module[act](%x)
return [%n5]
)");
}

TEST(RaiseModules, PreluTakesSlopesAsOnnxStoresThem) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "4", "H", "W"}), w = b.weight("act.weight", {4, 1, 1});
  Module m = b.finish({b.call("aten::_prelu_kernel", {x, w})});
  raise(m);
  EXPECT_EQ(modules(m), "act = nn.PReLU(num_parameters=4): weight=act.weight\n");
  EXPECT_EQ(m.tensors[0].dims, std::vector<int64_t>{4});

  ProgramBuilder c;
  x = c.input("x", {"N", "4", "H", "W"});
  w = c.weight("act.weight", {4, 1, 2});
  Module other = c.finish({c.call("aten::_prelu_kernel", {x, w})});
  raise(other);
  EXPECT_TRUE(other.modules.empty());
}

TEST(RaiseModules, LstmNestsItsStates) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"T", "N", "3"}), h = b.input("h", {"1", "N", "2"}),
          c = b.input("c", {"1", "N", "2"});
  NodeRef wi = b.weight("rnn.weight_ih_l0", {8, 3}), wh = b.weight("rnn.weight_hh_l0", {8, 2});
  NodeRef y = b.call("aten::lstm.input", {x, List{h, c}, List{wi, wh}, false, int64_t{1}, 0.0,
                                          Training{}, false, false});
  NodeRef out = b.call("operator::getitem", {y, int64_t{0}}),
          hn = b.call("operator::getitem", {y, int64_t{1}});
  NodeRef cn = b.call("operator::getitem", {y, int64_t{2}});
  Module m = b.finish({out, hn, cn, b.call("aten::relu", {cn})});
  raise(m);
  EXPECT_EQ(text(m), R"(%n5 = call_module[rnn](%x, [%h, %c])
%n5_state = call_function[operator::getitem](%n5, 1)
%n6 = call_function[operator::getitem](%n5, 0)
%n7 = call_function[operator::getitem](%n5_state, 0)
%n8 = call_function[operator::getitem](%n5_state, 1)
%n9 = call_function[torch::relu](%n8)
return [%n6, %n7, %n8, %n9]
)");
}

TEST(RaiseModules, PathsDoNotCollide) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "3"}), w = b.weight("a.weight", {3, 3}),
          extra = b.weight("a.extra", {3});
  NodeRef v = b.weight("a.inner.weight", {3, 3});
  NodeRef y = b.call("aten::linear", {b.call("aten::linear", {x, w}), v});
  Module m = b.finish({b.call("aten::mul.Tensor", {y, extra})});
  raise(m);
  EXPECT_EQ(m.modules[0].path, "a");
  EXPECT_EQ(m.modules[1].path, "a_1.inner");
  EXPECT_EQ(m.tensors[1].path, "a_1.extra");
  EXPECT_EQ(m.tensors[2].path, "a_1.inner.weight");
}

// ---- nn names ----

Provenance exported(const std::string& scopes, const std::string& classes) {
  Provenance p;
  p.metadata_props = {{"pkg.torch.onnx.name_scopes", scopes},
                      {"pkg.torch.onnx.class_hierarchy", classes}};
  return p;
}

TEST(Scopes, OfTheInnermostModuleOfTheClass) {
  const std::string linear = "torch.nn.modules.linear.Linear";
  const std::string classes = "['net.Net', 'torch.nn.modules.container.Sequential', '" + linear +
                              "', 'aten.linear.default']";
  const Provenance p = exported("['', 'layers', 'layers.0.fc', 'linear_3']", classes);
  EXPECT_EQ(stated_scope(p, "Linear"), "layers.0.fc");
  EXPECT_EQ(stated_scope(p, "LSTM"), "");
  EXPECT_EQ(stated_scope(exported("['', \"fc\"]", "[\"net.Net\", '" + linear + "']"), "Linear"),
            "fc");
}

TEST(Scopes, OfTextThatDoesNotFit) {
  const std::string linear = "['torch.nn.modules.linear.Linear']";
  EXPECT_EQ(stated_scope(exported("['a', 'b']", linear), "Linear"), "");
  EXPECT_EQ(stated_scope(exported("['a", linear), "Linear"), "");
  EXPECT_EQ(stated_scope(exported("", ""), "Linear"), "");
  EXPECT_EQ(stated_scope(exported("['a']", "['my.Linear']"), "Linear"), "");
  EXPECT_EQ(stated_scope({}, "Linear"), "");
}

std::string traced(const std::string& name, const std::string& op_type) {
  Provenance p;
  p.name = name;
  p.op_type = op_type;
  return traced_scope(p);
}

TEST(Scopes, InTheNamesOfTheOlderExporter) {
  EXPECT_EQ(traced("/fc/MatMul", "MatMul"), "fc");
  EXPECT_EQ(traced("/encoder/layers.0/fc/MatMul_1", "MatMul"), "encoder.layers.0.fc");
  EXPECT_EQ(traced("/layer1/layer1.0/layer1.0.1/Gemm", "Gemm"), "layer1.0.1");
  EXPECT_EQ(traced("/MatMul", "MatMul"), "");
  EXPECT_EQ(traced("fc/MatMul", "MatMul"), "");
  EXPECT_EQ(traced("/fc/product", "MatMul"), "");
  EXPECT_EQ(traced("//MatMul", "MatMul"), "");
}

TEST(NnNames, AreOfExistingOverloads) {
  for (const NnName& n : nn_names()) {
    const Schema* schema = find_schema(n.aten);
    ASSERT_NE(schema, nullptr) << n.aten;
    EXPECT_LE(n.max_args, schema->arguments.size()) << n.aten;
  }
}

TEST(NnNames, KeepTheOverloadWhereTheCallWouldDiffer) {
  ProgramBuilder b;
  NodeRef x = b.input("x", {"N"});
  NodeRef a = b.call("aten::sub.Tensor", {x, x}, {{"alpha", int64_t{2}}});
  NodeRef c = b.call("aten::add.Tensor", {a, a});
  NodeRef d = b.call("aten::pow.Tensor_Scalar", {c, x});  // a tensor would choose another overload
  NodeRef e = b.call("aten::gelu", {d}, {{"approximate", "tanh"}});
  NodeRef f = b.call("aten::elu", {e, 1.0, 2.0});
  Module m = b.finish({f});
  use_nn_names(m);
  EXPECT_EQ(text(m), R"(%n1 = call_function[aten::sub.Tensor](%x, %x, alpha=2)
%n2 = call_function[operator::add](%n1, %n1)
%n3 = call_function[aten::pow.Tensor_Scalar](%n2, %x)
%n4 = call_function[torch.nn.functional::gelu](%n3, approximate='tanh')
%n5 = call_function[aten::elu](%n4, 1.0, 2.0)
return [%n5]
)");
}

}  // namespace
}  // namespace onnx2fx::fx
