#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "core/read/model_file.hpp"
#include "core/read/skim.hpp"
#include "tests/core/models.hpp"

namespace onnx2fx::read {
namespace {

using test::error_of;
using test::resident_kib;
using test::TemporaryFolder;

onnx::ModelProto relu() {
  return test::model(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) })");
}

/// A model with a weight of `floats` elements in raw_data.
onnx::ModelProto with_weight(int64_t floats) {
  onnx::ModelProto proto = relu();
  onnx::TensorProto* weight = proto.mutable_graph()->add_initializer();
  weight->set_name("w");
  weight->set_data_type(onnx::TensorProto::FLOAT);
  weight->add_dims(floats);
  std::string bytes(static_cast<size_t>(floats) * 4, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31);
  weight->set_raw_data(bytes);
  return proto;
}

/// Puts payloads that were left in place back into the proto.
void refill(onnx::TensorProto& tensor, const ModelFile& file) {
  const int64_t index = weight_index(tensor);
  if (index < 0) return;
  const WeightRef& ref = file.weights.at(static_cast<size_t>(index));
  onnx::TensorProto field;
  std::string wire(1, static_cast<char>(static_cast<int>(ref.field) << 3 | 2));
  for (uint64_t n = ref.length;; n >>= 7) {
    wire.push_back(static_cast<char>(n < 0x80 ? n : n | 0x80));
    if (n < 0x80) break;
  }
  wire.append(reinterpret_cast<const char*>(file.bytes->data) + ref.offset, ref.length);
  ASSERT_TRUE(field.ParseFromString(wire));
  tensor.clear_data_location();
  tensor.clear_external_data();
  tensor.MergeFrom(field);
}

TEST(Read, SmallModelIsReadWhole) {
  const ModelFile file = test::read_proto(relu());
  EXPECT_EQ(file.model.SerializeAsString(), relu().SerializeAsString());
  EXPECT_TRUE(file.weights.empty());
  EXPECT_EQ(file.name, "net.onnx");
}

TEST(Read, BigPayloadStaysInPlace) {
  const onnx::ModelProto proto = with_weight(1000);
  const ModelFile file = test::read_proto(proto);
  const onnx::TensorProto& weight = file.model.graph().initializer(0);
  ASSERT_EQ(weight_index(weight), 0);
  EXPECT_TRUE(weight.raw_data().empty());
  EXPECT_EQ(weight.name(), "w");
  const WeightRef& ref = file.weights.at(0);
  EXPECT_EQ(ref.field, Field::kRawData);
  const std::string_view stored(reinterpret_cast<const char*>(file.bytes->data) + ref.offset,
                                ref.length);
  EXPECT_EQ(stored, proto.graph().initializer(0).raw_data());
}

TEST(Read, SmallPayloadStaysInTheProto) {
  const ModelFile file = test::read_proto(with_weight(256));  // 1024 bytes
  EXPECT_EQ(weight_index(file.model.graph().initializer(0)), -1);
  EXPECT_EQ(file.model.graph().initializer(0).raw_data().size(), 1024u);
}

TEST(Read, EveryPlaceOfATensorIsFoundAndNothingElseChanges) {
  onnx::ModelProto proto = with_weight(1000);
  onnx::TensorProto big = proto.graph().initializer(0);
  onnx::NodeProto* node = proto.mutable_graph()->add_node();
  node->add_attribute()->mutable_t()->CopyFrom(big);
  onnx::GraphProto* branch = node->add_attribute()->mutable_g();
  branch->add_initializer()->CopyFrom(big);
  branch->add_node()->add_attribute()->add_tensors()->CopyFrom(big);
  branch->add_sparse_initializer()->mutable_values()->CopyFrom(big);
  onnx::FunctionProto* function = proto.add_functions();
  function->add_node()->add_attribute()->mutable_sparse_tensor()->mutable_values()->CopyFrom(big);
  function->add_attribute_proto()->mutable_t()->CopyFrom(big);
  proto.add_training_info()->mutable_initialization()->add_initializer()->CopyFrom(big);

  ModelFile file = test::read_proto(proto);
  EXPECT_EQ(file.weights.size(), 8u);
  onnx::GraphProto& graph = *file.model.mutable_graph();
  refill(*graph.mutable_initializer(0), file);
  onnx::NodeProto& again = *graph.mutable_node(1);
  refill(*again.mutable_attribute(0)->mutable_t(), file);
  onnx::GraphProto& inner = *again.mutable_attribute(1)->mutable_g();
  refill(*inner.mutable_initializer(0), file);
  refill(*inner.mutable_node(0)->mutable_attribute(0)->mutable_tensors(0), file);
  refill(*inner.mutable_sparse_initializer(0)->mutable_values(), file);
  onnx::FunctionProto& body = *file.model.mutable_functions(0);
  refill(*body.mutable_node(0)->mutable_attribute(0)->mutable_sparse_tensor()->mutable_values(),
         file);
  refill(*body.mutable_attribute_proto(0)->mutable_t(), file);
  refill(*file.model.mutable_training_info(0)->mutable_initialization()->mutable_initializer(0),
         file);
  EXPECT_EQ(file.model.SerializeAsString(), proto.SerializeAsString());
}

TEST(Read, IndicesOfSparseTensorsStayInTheProto) {
  onnx::ModelProto proto = with_weight(1000);
  onnx::SparseTensorProto* sparse = proto.mutable_graph()->add_sparse_initializer();
  sparse->mutable_indices()->CopyFrom(proto.graph().initializer(0));
  const ModelFile file = test::read_proto(proto);
  EXPECT_EQ(weight_index(file.model.graph().sparse_initializer(0).indices()), -1);
}

TEST(Read, ExternalReferencesMoveIntoTheTable) {
  onnx::ModelProto proto = with_weight(256);
  onnx::TensorProto& weight = *proto.mutable_graph()->mutable_initializer(0);
  weight.clear_raw_data();
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto entry = [&](const char* key, const char* value) {
    auto* e = weight.add_external_data();
    e->set_key(key);
    e->set_value(value);
  };
  entry("location", "#7");
  entry("offset", "4096");
  entry("length", "1024");
  const ModelFile file = test::read_proto(proto);
  ASSERT_EQ(weight_index(file.model.graph().initializer(0)), 0);
  const WeightRef& ref = file.weights.at(0);
  EXPECT_EQ(ref.field, Field::kExternal);
  EXPECT_EQ(ref.location, "#7");
  EXPECT_EQ(ref.offset, 4096u);
  EXPECT_EQ(ref.length, 1024u);
  EXPECT_TRUE(ref.has_length);
}

TEST(Read, FaultsOfExternalEntriesStandInTheTable) {
  onnx::ModelProto proto = with_weight(1);
  onnx::TensorProto& weight = *proto.mutable_graph()->mutable_initializer(0);
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  EXPECT_EQ(test::read_proto(proto).weights.at(0).fault,
            "data: expected external data only, got data in the model, too");
  weight.clear_raw_data();
  auto* entry = weight.add_external_data();
  entry->set_key("offset");
  entry->set_value("-1");
  EXPECT_EQ(test::read_proto(proto).weights.at(0).fault,
            "external data: offset: expected decimal digits, below 2^64, got '-1'");
}

TEST(Read, AMarkInASparseTensorsIndicesIsNoReference) {
  onnx::ModelProto proto = with_weight(600);
  auto* indices = proto.mutable_graph()->add_sparse_initializer()->mutable_indices();
  indices->set_data_location(onnx::TensorProto::EXTERNAL);
  auto* entry = indices->add_external_data();
  entry->set_key("location");
  entry->set_value("#0");
  const ModelFile file = test::read_proto(proto);
  const int64_t index = weight_index(file.model.graph().sparse_initializer(0).indices());
  ASSERT_EQ(index, 1);
  EXPECT_EQ(file.weights.at(1).location, "#0");
}

TEST(Read, WeightsAreNotTouched) {
  const TemporaryFolder folder;
  const std::string path =
      folder.write("big.onnx", with_weight(16 << 20).SerializeAsString());  // 64 MiB
  const uint64_t before = resident_kib();
  const ModelFile file = read_file(path);
  EXPECT_LT(resident_kib(), before + 4096);
  EXPECT_EQ(file.weights.at(0).length, uint64_t{64} << 20);
  EXPECT_EQ(file.directory, folder.path());
}

TEST(Read, ProgressReachesTheEnd) {
  uint64_t done = 0, all = 0;
  const std::string bytes = with_weight(1 << 20).SerializeAsString();
  read_bytes(std::make_shared<const std::string>(bytes), "", "", [&](uint64_t d, uint64_t a) {
    done = d;
    all = a;
  });
  EXPECT_EQ(done, bytes.size());
  EXPECT_EQ(all, bytes.size());
}

TEST(Read, FileLongerThanTwoGibibytes) {
  // A sparse file: one raw_data field of 3 GiB that takes no space on the disk.
  const TemporaryFolder folder;
  const uint64_t payload = uint64_t{3} << 30;
  const auto varint = [](uint64_t v) {
    std::string s;
    for (; v >= 0x80; v >>= 7) s.push_back(static_cast<char>(v | 0x80));
    return s + static_cast<char>(v);
  };
  const std::string raw = '\x4a' + varint(payload);
  const std::string tensor =
      "\x10\x02"
      "\x42\x01w" +
      raw;  // UINT8 "w"
  const std::string initializer = '\x2a' + varint(tensor.size() + payload) + tensor;
  const std::string head =
      "\x08\x08"
      "\x3a" +
      varint(initializer.size() + payload) + initializer;
  const std::string path = folder.write("huge.onnx", head);
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(head.size() + payload)), 0);
  const ModelFile file = read_file(path);
  EXPECT_EQ(file.weights.at(0).length, payload);
  EXPECT_EQ(file.weights.at(0).offset, head.size());
}

TEST(Read, AbsentFile) {
  EXPECT_EQ(error_of([] { read_file("no/such.onnx"); }),
            "error: no/such.onnx: cannot open file: No such file or directory");
}

TEST(Read, Folder) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      error_of([&] { read_file(folder.path()); }),
      "error: " + folder.path() + ": cannot read file: expected a regular file, got a folder");
}

TEST(Read, EmptyFile) {
  const TemporaryFolder folder;
  const std::string path = folder.write("net.onnx", "");
  EXPECT_EQ(error_of([&] { read_file(path); }),
            "error: " + path + ": not an ONNX model: the file is empty");
}

std::string error_of_bytes(const std::string& bytes) {
  return error_of([&] { read_bytes(std::make_shared<const std::string>(bytes), "net.onnx", ""); });
}

TEST(Read, TextFile) {
  EXPECT_EQ(error_of_bytes("this is not a model\n"),
            "error: net.onnx: not an ONNX model: byte 0: field of unknown wire type 4\n"
            "  note: this is a text file; onnx2fx reads models in ONNX's binary form");
}

TEST(Read, GitLfsPointer) {
  const std::string error =
      error_of_bytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
  EXPECT_NE(error.find("note: this is a Git LFS pointer"), std::string::npos) << error;
}

TEST(Read, TruncatedFile) {
  std::string bytes = with_weight(1000).SerializeAsString();
  bytes.resize(1000);
  EXPECT_EQ(error_of_bytes(bytes),
            "error: net.onnx: truncated model: byte 2: field 7 runs past the end of the file: "
            "expected 4077 bytes, got 995\n"
            "  note: the file seems to be cut short; download or export it again");
}

TEST(Read, OtherMessageThanAModel) {
  EXPECT_EQ(error_of_bytes(with_weight(10).graph().initializer(0).SerializeAsString()),
            "error: net.onnx: not an ONNX model: byte 2: field 2 is not of the type that a model "
            "has there");
}

TEST(Read, ModelWithoutGraph) {
  onnx::ModelProto proto;
  proto.set_ir_version(8);
  EXPECT_EQ(error_of_bytes(proto.SerializeAsString()),
            "error: net.onnx: not an ONNX model: it holds no graph");
}

TEST(Read, NestedTooDeeply) {
  onnx::ModelProto proto = relu();
  onnx::GraphProto* graph = proto.mutable_graph();
  for (int i = 0; i < 25; ++i) graph = graph->add_node()->add_attribute()->mutable_g();
  const std::string error = error_of([&] { test::read_proto(proto); });
  EXPECT_NE(error.find("messages are nested more than 64 deep"), std::string::npos) << error;
}

TEST(Read, DamagedBytesNeverCrash) {
  const std::string good = with_weight(600).SerializeAsString();
  std::mt19937 random(7);
  for (int run = 0; run < 20000; ++run) {
    std::string bytes = good;
    for (unsigned i = random() % 4 + 1; i > 0; --i)
      bytes[random() % std::min<size_t>(bytes.size(), 120)] = static_cast<char>(random());
    if (run % 3 == 0) bytes.resize(random() % bytes.size());
    try {
      const ModelFile file = read_bytes(std::make_shared<const std::string>(bytes), "", "");
      for (const WeightRef& ref : file.weights) {
        if (ref.field == Field::kExternal) continue;
        ASSERT_LE(ref.offset, bytes.size());
        ASSERT_LE(ref.length, bytes.size() - ref.offset);
      }
    } catch (const ConversionError&) {
      continue;
    }
  }
}

}  // namespace
}  // namespace onnx2fx::read
