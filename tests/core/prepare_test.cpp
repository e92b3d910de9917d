#include "core/prepare/prepare.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/core/models.hpp"

namespace onnx2fx::prepare {
namespace {

using test::error_of;
using test::model;

onnx::ModelProto chain() {
  return model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 4] x) => (float[N, 4] y) <float[4] w = {1, 2, 3, 4}> {
      [first] a = Add(x, w)
      [second] b = Relu(a)
      [third] y = Neg(b)
    })");
}

Prepared prepare_proto(const onnx::ModelProto& proto) {
  read::ModelFile file = test::read_proto(proto);
  return prepare(file);
}
std::string fault(const onnx::ModelProto& proto) {
  return error_of([&] { prepare_proto(proto); });
}
std::string warnings(const onnx::ModelProto& proto) {
  return format(prepare_proto(proto).warnings);
}

std::string order(const onnx::GraphProto& graph) {
  std::string names;
  for (const auto& node : graph.node()) names += node.name() + " ";
  return names;
}

TEST(Prepare, ValidModelPasses) {
  const Prepared prepared = prepare_proto(chain());
  EXPECT_EQ(prepared.opsets, (OpsetTable{{"", 17}}));
  EXPECT_TRUE(prepared.warnings.empty());
}

TEST(Prepare, AllFaultsAreReported) {
  onnx::ModelProto proto = chain();
  proto.mutable_graph()->mutable_node(1)->set_input(0, "nowhere");
  proto.mutable_graph()->mutable_output(0)->set_name("z");
  proto.mutable_graph()->mutable_node(0)->add_input("x");
  EXPECT_EQ(
      fault(proto),
      "error: net.onnx: node 'first' (Add, opset 17): inputs: expected 2, got 3\n"
      "error: net.onnx: node 'second' (Relu, opset 17): input 0: no value is named 'nowhere'\n"
      "error: net.onnx: output #0: no node makes 'z'");
}

// --- versions

TEST(Prepare, IrVersionIsMissing) {
  onnx::ModelProto proto = chain();
  proto.clear_ir_version();
  EXPECT_EQ(fault(proto),
            "error: net.onnx: IR version: expected 1 to 14, got none\n"
            "  note: the file may be something else than a model");
}

TEST(Prepare, IrVersionIsNegative) {
  onnx::ModelProto proto = chain();
  proto.set_ir_version(-3);
  EXPECT_EQ(fault(proto), "error: net.onnx: IR version: expected 1 to 14, got -3");
}

TEST(Prepare, NewerIrVersionIsAWarning) {
  onnx::ModelProto proto = chain();
  proto.set_ir_version(99);
  EXPECT_EQ(warnings(proto),
            "warning: net.onnx: IR version: expected 1 to 14, got 99\n"
            "  note: the model is newer than this onnx2fx");
}

TEST(Prepare, OldIrHasOpsetOne) {
  onnx::ModelProto proto = chain();
  proto.set_ir_version(2);
  proto.clear_opset_import();
  EXPECT_EQ(prepare_proto(proto).opsets, (OpsetTable{{"", 1}}));
}

TEST(Prepare, OpsetIsMissing) {
  onnx::ModelProto proto = chain();
  proto.clear_opset_import();
  EXPECT_EQ(fault(proto),
            "error: net.onnx: opset of domain 'ai.onnx': expected a version, got none\n"
            "  note: first used by node 'first' (Add)");
}

TEST(Prepare, NewerOpsetIsAWarning) {
  onnx::ModelProto proto = chain();
  proto.mutable_opset_import(0)->set_version(99);
  EXPECT_EQ(warnings(proto),
            "warning: net.onnx: opset of domain 'ai.onnx': expected at most 28, got 99\n"
            "  note: the model is newer than this onnx2fx; it is read by the rules of opset 28");
}

TEST(Prepare, OpsetZero) {
  onnx::ModelProto proto = chain();
  proto.mutable_opset_import(0)->set_version(0);
  EXPECT_EQ(fault(proto), "error: net.onnx: opset of domain 'ai.onnx': expected 1 to 28, got 0");
}

TEST(Prepare, DomainImportedTwice) {
  onnx::ModelProto proto = chain();
  onnx::OperatorSetIdProto* again = proto.add_opset_import();
  again->set_domain("ai.onnx");
  again->set_version(7);
  EXPECT_EQ(fault(proto),
            "error: net.onnx: opset of domain 'ai.onnx': it is imported twice, as 17 and 7");
  again->set_version(17);
  EXPECT_EQ(fault(proto), "");
}

TEST(Prepare, CustomDomainWithoutImportIsTakenAsOne) {
  onnx::ModelProto proto = chain();
  proto.mutable_graph()->mutable_node(1)->set_domain("acme");
  read::ModelFile file = test::read_proto(proto);
  const Prepared prepared = prepare(file);
  EXPECT_EQ(prepared.opsets.at("acme"), 1);
  EXPECT_EQ(file.model.opset_import_size(), 2);
  EXPECT_EQ(format(prepared.warnings),
            "warning: net.onnx: opset of domain 'acme': expected a version, got none\n  note: it "
            "is taken to be 1");
}

// --- normal form

TEST(Prepare, LongDomainNameBecomesTheShortOne) {
  onnx::ModelProto proto = chain();
  proto.mutable_opset_import(0)->set_domain("ai.onnx");
  for (onnx::NodeProto& node : *proto.mutable_graph()->mutable_node()) node.set_domain("ai.onnx");
  read::ModelFile file = test::read_proto(proto);
  EXPECT_EQ(prepare(file).opsets, (OpsetTable{{"", 17}}));
  EXPECT_EQ(file.model.graph().node(0).domain(), "");
}

TEST(Prepare, NamelessDimsBecomeUnknown) {
  onnx::ModelProto proto = chain();
  auto& shape = *proto.mutable_graph()
                     ->mutable_input(0)
                     ->mutable_type()
                     ->mutable_tensor_type()
                     ->mutable_shape();
  shape.mutable_dim(0)->set_dim_param("?");
  shape.mutable_dim(1)->set_dim_value(-1);
  read::ModelFile file = test::read_proto(proto);
  prepare(file);
  for (const auto& dim : file.model.graph().input(0).type().tensor_type().shape().dim()) {
    EXPECT_FALSE(dim.has_dim_param() || dim.has_dim_value());
  }
}

TEST(Prepare, AttributeWithoutTypeGetsIt) {
  onnx::ModelProto proto = model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 4] x) => (float[N, 4] y) { y = Softmax <axis = 1> (x) })");
  proto.mutable_graph()->mutable_node(0)->mutable_attribute(0)->clear_type();
  read::ModelFile file = test::read_proto(proto);
  prepare(file);
  EXPECT_EQ(file.model.graph().node(0).attribute(0).type(), onnx::AttributeProto::INT);
}

// --- order

TEST(Prepare, NodesAreSortedStably) {
  onnx::ModelProto proto = model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N] x) => (float[N] y) {
      [sum] y = Add(a, b)
      [right] b = Neg(x)
      [free] c = Exp(x)
      [left] a = Relu(x)
    })");
  read::ModelFile file = test::read_proto(proto);
  prepare(file);
  EXPECT_EQ(order(file.model.graph()), "right free left sum ");
}

TEST(Prepare, WhatABranchReadsCountsForTheOrder) {
  onnx::ModelProto proto = model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[N] x) => (float[N] y) {
      [if] y = If(c) <then_branch = a () => (float[N] t) { t = Neg(u) }, else_branch = b () => (float[N] e) { e = Abs(d) d = Exp(x) }>
      [outer] u = Relu(x)
    })");
  read::ModelFile file = test::read_proto(proto);
  prepare(file);
  EXPECT_EQ(order(file.model.graph()), "outer if ");
  EXPECT_EQ(file.model.graph().node(1).attribute(1).g().node(0).op_type(), "Exp");
}

TEST(Prepare, CycleIsNamed) {
  onnx::ModelProto proto = chain();
  proto.mutable_graph()->mutable_node(0)->set_input(0, "b");
  EXPECT_EQ(fault(proto), "error: net.onnx: cyclic graph: 'first' -> 'second' -> 'first'");
}

TEST(Prepare, CycleOfOneNodeWithoutName) {
  onnx::ModelProto proto = chain();
  onnx::NodeProto& node = *proto.mutable_graph()->mutable_node(1);
  node.clear_name();
  node.set_input(0, "b");
  EXPECT_EQ(fault(proto), "error: net.onnx: cyclic graph: #1 -> #1");
}

// --- names and scopes

TEST(Prepare, ValueMadeTwice) {
  onnx::ModelProto proto = chain();
  proto.mutable_graph()->mutable_node(2)->set_output(0, "a");
  proto.mutable_graph()->mutable_output(0)->set_name("a");
  EXPECT_EQ(fault(proto),
            "error: net.onnx: node 'third' (Neg, opset 17): output 0: expected a new name, got "
            "'a', which is defined "
            "already");
}

TEST(Prepare, TwoInitializersWithOneName) {
  onnx::ModelProto proto = chain();
  *proto.mutable_graph()->add_initializer() = proto.graph().initializer(0);
  EXPECT_EQ(
      fault(proto),
      "error: net.onnx: initializer #1: expected a new name, got 'w', which is defined already");
}

TEST(Prepare, WhatIsLegalThoughOdd) {
  onnx::ModelProto proto = chain();
  onnx::GraphProto& graph = *proto.mutable_graph();
  graph.clear_name();
  graph.mutable_node(1)->set_name("first");  // two nodes with one name
  *graph.add_output() = graph.output(0);     // one output twice
  graph.add_output()->set_name("x");         // an input as output, without a type
  graph.add_output()->set_name("w");         // a weight as output
  graph.add_input()->set_name("w");          // a weight as default of an input
  EXPECT_EQ(fault(proto), "");
}

TEST(Prepare, BranchesMayShadow) {
  EXPECT_EQ(fault(model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[N] x) => (float[N] y) {
      t = Relu(x)
      y = If(c) <then_branch = a () => (float[N] t) { t = Neg(x) }, else_branch = b () => (float[N] t) { t = Abs(x) }>
    })")),
            "");
}

TEST(Prepare, ValueOfABranchIsNotSeenOutside) {
  EXPECT_EQ(fault(model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[N] x) => (float[N] y) {
      [if] u = If(c) <then_branch = a () => (float[N] t) { [inner] t = Neg(q) }, else_branch = b () => (float[N] e) { e = Abs(x) }>
      [after] y = Add(u, t)
    })")),
            "error: net.onnx: node 'if' then_branch: node 'inner' (Neg, opset 17): input 0: no "
            "value is named 'q'\n"
            "error: net.onnx: node 'after' (Add, opset 17): input 1: no value is named 't'");
}

// --- nodes against their schemas

onnx::ModelProto conv() {
  return model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 1, 8, 8] x, float[1, 1, 3, 3] w) => (float[1, 1, 6, 6] y) { [conv1] y = Conv <strides = [1, 1]> (x, w) })");
}

TEST(Prepare, AttributeOfAWrongType) {
  onnx::ModelProto proto = conv();
  onnx::AttributeProto& strides = *proto.mutable_graph()->mutable_node(0)->mutable_attribute(0);
  strides.clear_ints();
  strides.set_i(1);
  strides.set_type(onnx::AttributeProto::INT);
  EXPECT_EQ(fault(proto),
            "error: net.onnx: node 'conv1' (Conv, opset 17): attribute 'strides': expected INTS, "
            "got INT");
}

TEST(Prepare, UnknownAttributeIsAWarning) {
  onnx::ModelProto proto = conv();
  proto.mutable_graph()->mutable_node(0)->mutable_attribute(0)->set_name("stride");
  EXPECT_EQ(warnings(proto),
            "warning: net.onnx: node 'conv1' (Conv, opset 17): attribute 'stride': the operator "
            "has none of that name");
}

TEST(Prepare, AttributeTwice) {
  onnx::ModelProto proto = conv();
  onnx::NodeProto& node = *proto.mutable_graph()->mutable_node(0);
  *node.add_attribute() = node.attribute(0);
  EXPECT_EQ(
      fault(proto),
      "error: net.onnx: node 'conv1' (Conv, opset 17): attribute 'strides': it is given twice");
}

TEST(Prepare, RequiredAttributeIsMissing) {
  EXPECT_EQ(fault(model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 4] x) => (float[N, 4] y) { y = Cast(x) })")),
            "error: net.onnx: node #0 (Cast, opset 17): attribute 'to': expected INT, got none");
}

TEST(Prepare, TooFewAndTooManyInputs) {
  onnx::ModelProto proto = conv();
  onnx::NodeProto& node = *proto.mutable_graph()->mutable_node(0);
  node.mutable_input()->RemoveLast();
  EXPECT_EQ(fault(proto),
            "error: net.onnx: node 'conv1' (Conv, opset 17): inputs: expected 2 to 3, got 1");
  for (int i = 0; i < 3; ++i) node.add_input("w");
  EXPECT_EQ(fault(proto),
            "error: net.onnx: node 'conv1' (Conv, opset 17): inputs: expected 2 to 3, got 4");
  node.set_input(3, "");
  EXPECT_EQ(fault(proto), "");
}

TEST(Prepare, RequiredInputIsLeftOut) {
  onnx::ModelProto proto = conv();
  proto.mutable_graph()->mutable_node(0)->set_input(1, "");
  EXPECT_EQ(
      fault(proto),
      "error: net.onnx: node 'conv1' (Conv, opset 17): input 1 (W): expected a value, got none");
}

TEST(Prepare, OptionalInputsAndUnwantedOutputsMayBeEmpty) {
  EXPECT_EQ(fault(model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 8] x, float hi) => (int64[N, 2] i) <int64[1] k = {2}> { c = Clip(x, , hi) , i = TopK(c, k) })")),
            "");
}

TEST(Prepare, OperatorsThatNobodyKnowsAreLeftToThePlugins) {
  onnx::ModelProto proto = chain();
  proto.mutable_graph()->mutable_node(1)->set_op_type("Nonsense");
  proto.mutable_graph()->mutable_node(2)->set_op_type("Gelu");  // opset 20
  EXPECT_EQ(fault(proto), "");
}

TEST(Prepare, RemovedOperatorIsAWarning) {
  onnx::ModelProto proto = chain();
  proto.mutable_graph()->mutable_node(1)->set_op_type("Upsample");
  EXPECT_EQ(warnings(proto),
            "warning: net.onnx: node 'second' (Upsample, opset 17): the operator was removed from "
            "ONNX in opset 10");
}

TEST(Prepare, NodesOfSubgraphsAreChecked) {
  EXPECT_EQ(fault(model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[N] x) => (float[N] y) {
      [if] y = If(c) <then_branch = a () => (float[N] t) { t = Softmax <axis = 1.5> (x) }, else_branch = b () => (float[N] e) { e = Abs(x) }>
    })")),
            "error: net.onnx: node 'if' then_branch: node #0 (Softmax, opset 17): attribute "
            "'axis': expected INT, got "
            "FLOAT");
}

// --- tensors

TEST(Prepare, TensorsAreChecked) {
  onnx::ModelProto proto = chain();
  onnx::TensorProto& weight = *proto.mutable_graph()->mutable_initializer(0);
  weight.set_dims(0, 5);
  EXPECT_EQ(fault(proto), "error: net.onnx: initializer 'w': float_data: expected 5 values, got 4");
  weight.set_dims(0, -4);
  EXPECT_EQ(fault(proto),
            "error: net.onnx: initializer 'w': dims: expected no negative number, got -4");
}

TEST(Prepare, TensorInAConstantIsChecked) {
  onnx::ModelProto proto = model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N] x) => (float[N] y) { [c] k = Constant <value = float[1] {1}> () y = Add(x, k) })");
  proto.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_t()->set_data_type(99);
  EXPECT_EQ(fault(proto),
            "error: net.onnx: node 'c' (Constant, opset 17): attribute 'value': data type: "
            "expected one of ONNX's, got 99");
}

// --- functions

onnx::ModelProto with_function(const std::string& call, const std::string& body) {
  return model(R"(<ir_version: 10, opset_import: ["" : 17, "acme" : 1]>
    g (float[N] x) => (float[N] y) { )" +
               call + R"( }
    <domain: "acme", opset_import: ["" : 18, "acme" : 1]> Twice <k> (a) => (b) { )" +
               body + R"( })");
}

TEST(Prepare, FunctionBodiesHaveTheirOwnScopeAndOpset) {
  EXPECT_EQ(fault(with_function("y = acme.Twice(x)", "b = Add(a, a)")), "");
  EXPECT_EQ(fault(with_function("y = acme.Twice(x)", "b = Add(a, x)")),
            "error: net.onnx: function 'acme.Twice': node #0 (Add, opset 18): input 1: no value is "
            "named 'x'");
  EXPECT_EQ(fault(with_function("y = acme.Twice(x)", "c = Add(a, a)")),
            "error: net.onnx: function 'acme.Twice': output #0: no node makes 'b'");
}

TEST(Prepare, CallsOfFunctionsAreChecked) {
  EXPECT_EQ(
      fault(with_function("[call] y = acme.Twice(x, x)", "b = Add(a, a)")),
      "error: net.onnx: node 'call' (acme.Twice, opset 1): inputs: expected at most 1, got 2");
}

TEST(Prepare, FunctionThatCallsItself) {
  EXPECT_EQ(
      fault(with_function("y = acme.Twice(x)", "b = acme.Twice(a)")),
      "error: net.onnx: function 'acme.Twice': it calls itself: 'acme.Twice' -> 'acme.Twice'");
}

TEST(Prepare, AttributeReferences) {
  EXPECT_EQ(fault(with_function("y = acme.Twice(x)", "b = Softmax <axis : int = @k> (a)")), "");
  EXPECT_EQ(fault(with_function("y = acme.Twice(x)", "b = Softmax <axis : int = @q> (a)")),
            "error: net.onnx: function 'acme.Twice': node #0 (Softmax, opset 18): attribute "
            "'axis': the function has no "
            "attribute 'q'");
}

TEST(Prepare, OpsetsOfAFunction) {
  const onnx::ModelProto proto = with_function("y = acme.Twice(x)", "b = Add(a, a)");
  EXPECT_EQ(opsets_of(proto.functions(0)), (OpsetTable{{"", 18}, {"acme", 1}}));
}

// --- robustness

TEST(Prepare, DamagedModelsNeverCrash) {
  const std::string good =
      with_function(R"(z = Relu(x) y = acme.Twice(z))", "c = Neg(a) b = Add(a, c)")
          .SerializeAsString();
  std::mt19937 random(11);
  for (int run = 0; run < 20000; ++run) {
    std::string bytes = good;
    for (unsigned i = random() % 3 + 1; i > 0; --i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    try {
      read::ModelFile file = read::read_bytes(std::make_shared<const std::string>(bytes), "", "");
      prepare(file);
    } catch (const ConversionError&) {
      continue;
    }
  }
}

}  // namespace
}  // namespace onnx2fx::prepare
