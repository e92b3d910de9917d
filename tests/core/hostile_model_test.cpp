// Damaged models through all that looks at tensors: reading, preparing, weights. Only
// ConversionError may come of it.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "core/prepare/prepare.hpp"
#include "core/weights/weights.hpp"
#include "tests/core/models.hpp"

namespace onnx2fx {
namespace {

using onnx::TensorProto;

TensorProto external(const std::string& name, int64_t count, const std::string& offset) {
  TensorProto t;
  t.set_name(name);
  t.set_data_type(TensorProto::FLOAT);
  t.add_dims(count);
  t.set_data_location(TensorProto::EXTERNAL);
  const std::vector<std::pair<const char*, std::string>> entries = {
      {"location", "w.bin"}, {"offset", offset}, {"length", std::to_string(4 * count)}};
  for (const auto& [key, value] : entries) {
    auto* entry = t.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return t;
}

TensorProto embedded(const std::string& name, TensorProto::DataType type, int64_t count) {
  TensorProto t;
  t.set_name(name);
  t.set_data_type(type);
  t.add_dims(count);
  if (type == TensorProto::FLOAT) t.set_raw_data(std::string(static_cast<size_t>(4 * count), '\1'));
  for (int64_t i = 0; i < count && type == TensorProto::INT64; ++i) t.add_int64_data(i);
  for (int64_t i = 0; i < count && type == TensorProto::STRING; ++i) t.add_string_data("s");
  return t;
}

/// One tensor of every kind, in every place.
onnx::ModelProto model_with_tensors() {
  onnx::ModelProto m = test::model(R"(
    <ir_version: 8, opset_import: ["" : 17, "acme" : 1]>
    g (float[2] x, bool c) => (float[2] y) {
      t = acme.F(x)
      y = If (c) <then_branch = a () => (float[2] p) { p = Add(t, v) },
                 else_branch = b () => (float[2] q) { q = Constant() }>
    }
    <opset_import: ["" : 17], domain: "acme">
    F (a) => (b) { b = Constant() })");
  onnx::GraphProto& graph = *m.mutable_graph();
  *graph.add_initializer() = external("v", 2, "0");
  *graph.add_initializer() = embedded("f", TensorProto::FLOAT, 600);
  *graph.add_initializer() = embedded("i", TensorProto::INT64, 600);
  *graph.add_initializer() = embedded("s", TensorProto::STRING, 3);
  onnx::SparseTensorProto& sparse = *graph.add_sparse_initializer();
  *sparse.mutable_values() = external("z", 2, "8");
  *sparse.mutable_indices() = embedded("", TensorProto::INT64, 2);
  sparse.add_dims(4);
  const auto value = [](onnx::NodeProto& node, const TensorProto& tensor) {
    onnx::AttributeProto* attribute = node.add_attribute();
    attribute->set_name("value");
    attribute->set_type(onnx::AttributeProto::TENSOR);
    *attribute->mutable_t() = tensor;
  };
  for (onnx::AttributeProto& attribute : *graph.mutable_node(1)->mutable_attribute()) {
    if (attribute.name() == "else_branch")
      value(*attribute.mutable_g()->mutable_node(0), external("", 2, "16"));
  }
  value(*m.mutable_functions(0)->mutable_node(0), external("", 2, "24"));
  return m;
}

/// Asks for all that a conversion asks for.
void use(weights::Store& store, const onnx::GraphProto& graph) {
  for (const TensorProto& t : graph.initializer()) {
    if (t.data_type() == TensorProto::STRING) {
      store.strings(t);
    } else {
      store.data(t);
    }
  }
  for (const onnx::SparseTensorProto& s : graph.sparse_initializer()) store.dense(s);
  for (const onnx::NodeProto& node : graph.node()) {
    for (const onnx::AttributeProto& a : node.attribute()) {
      if (a.has_t()) store.data(a.t());
      if (a.has_g()) use(store, a.g());
    }
  }
}

std::string fault(const std::string& bytes, const std::string& folder) {
  return test::error_of([&] {
    read::ModelFile file =
        read::read_bytes(std::make_shared<const std::string>(bytes), "net.onnx", folder);
    prepare::prepare(file);
    weights::Store store(file);
    use(store, file.model.graph());
    for (const onnx::FunctionProto& f : file.model.functions())
      for (const onnx::NodeProto& n : f.node())
        for (const onnx::AttributeProto& a : n.attribute())
          if (a.has_t()) store.data(a.t());
  });
}

class HostileModel : public testing::Test {
 protected:
  HostileModel() { folder_.write("w.bin", std::string(64, '\1')); }

  /// Runs `damage` on copies of the good model; how many of them were refused.
  int refused(int runs, const std::function<void(std::string&, std::mt19937&)>& damage) {
    const std::string good = model_with_tensors().SerializeAsString();
    EXPECT_EQ(fault(good, folder_.path()), "");
    std::mt19937 random(3);
    int count = 0;
    for (int run = 0; run < runs; ++run) {
      std::string bytes = good;
      damage(bytes, random);
      count += !fault(bytes, folder_.path()).empty();
    }
    return count;
  }

  test::TemporaryFolder folder_;
};

TEST_F(HostileModel, FlippedBytes) {
  const int count = refused(4000, [](std::string& bytes, std::mt19937& random) {
    for (unsigned i = random() % 3 + 1; i > 0; --i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
  });
  EXPECT_GT(count, 1000);
  EXPECT_LT(count, 4000);
}

TEST_F(HostileModel, CutShort) {
  EXPECT_GT(refused(2000, [](std::string& bytes,
                             std::mt19937& random) { bytes.resize(random() % bytes.size()); }),
            1990);
}

// A piece that stands twice or elsewhere: lengths no longer fit, fields repeat.
TEST_F(HostileModel, MovedPieces) {
  EXPECT_GT(refused(4000,
                    [](std::string& bytes, std::mt19937& random) {
                      const size_t from = random() % bytes.size(), size = random() % 64;
                      const std::string piece = bytes.substr(from, size);
                      if (random() % 2) bytes.erase(from, size);
                      bytes.insert(random() % (bytes.size() + 1), piece);
                    }),
            1000);
}

std::string field(int number, const std::string& content) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  for (size_t n = content.size();; n >>= 7) {
    out += static_cast<char>(n < 0x80 ? n : n | 0x80);
    if (n < 0x80) return out + content;
  }
}

// A message that should stand once and stands twice is merged by protobuf: data of two kinds meet
// in one tensor.
TEST_F(HostileModel, MergedTensors) {
  onnx::AttributeProto small, outside;
  small.set_name("value");
  small.set_type(onnx::AttributeProto::TENSOR);
  *small.mutable_t() = embedded("", TensorProto::FLOAT, 2);
  *outside.mutable_t() = external("", 2, "0");
  outside.mutable_t()->clear_dims();
  onnx::NodeProto node;
  node.set_op_type("Constant");
  node.add_output("y");
  onnx::ModelProto m = test::model(R"(
    <ir_version: 8, opset_import: ["" : 17]> g () => (float[2] y) { })");
  const std::string attribute = small.SerializeAsString() + outside.SerializeAsString();
  const std::string graph =
      m.graph().SerializeAsString() + field(1, node.SerializeAsString() + field(5, attribute));
  m.clear_graph();
  EXPECT_EQ(fault(m.SerializeAsString() + field(7, graph), folder_.path()),
            "error: net.onnx: node #0 (Constant, opset 17): attribute 'value': data: it stands in "
            "more than one field");
}

}  // namespace
}  // namespace onnx2fx
