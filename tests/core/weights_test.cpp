#include "core/weights/weights.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "tests/core/models.hpp"

namespace onnx2fx::weights {
namespace {

using onnx::TensorProto;
using test::error_of;
using test::TemporaryFolder;

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T));
}
std::string text(std::span<const uint8_t> bytes) { return std::string(bytes.begin(), bytes.end()); }
std::string text(const fx::TensorData& data) {
  return *std::get<std::shared_ptr<const std::string>>(data.where);
}

TensorProto tensor(TensorProto::DataType dtype, std::initializer_list<int64_t> dims) {
  TensorProto t;
  t.set_name("w");
  t.set_data_type(dtype);
  for (const int64_t d : dims) t.add_dims(d);
  return t;
}

TensorProto external(const std::string& location, std::initializer_list<int64_t> dims) {
  TensorProto t = tensor(TensorProto::FLOAT, dims);
  t.set_data_location(TensorProto::EXTERNAL);
  auto* entry = t.add_external_data();
  entry->set_key("location");
  entry->set_value(location);
  return t;
}
void set_entry(TensorProto& t, const std::string& key, const std::string& value) {
  auto* entry = t.add_external_data();
  entry->set_key(key);
  entry->set_value(value);
}

/// Its only rule gives every tensor no bytes.
Sourcing no_bytes() {
  struct Nothing final : Source {
    Got find(const Want&) override { return {Got::Kind::kMeta}; }
    std::string read(const Want&) override { return ""; }
  };
  Sourcing s;
  s.rules = {last_rule("nothing")};
  s.open = [](const Opening&) { return std::make_unique<Nothing>(); };
  return s;
}

/// A model whose one weight is `t`, and its store.
struct Fixture {
  explicit Fixture(const TensorProto& t, const std::string& directory = "",
                   const std::vector<std::string>& roots = {}, Sourcing sourcing = {})
      : file(read(t, directory)), store(file, roots, std::move(sourcing)) {}

  static read::ModelFile read(const TensorProto& t, const std::string& directory) {
    onnx::ModelProto model;
    model.set_ir_version(8);
    *model.mutable_graph()->add_initializer() = t;
    return test::read_proto(model, directory);
  }
  const TensorProto& weight() const { return file.model.graph().initializer(0); }
  std::string bytes() { return text(store.bytes(weight())); }

  read::ModelFile file;
  Store store;
};

std::string fault(const TensorProto& t, const std::string& directory = "",
                  const std::vector<std::string>& roots = {}) {
  return error_of([&] {
    Fixture f(t, directory, roots);
    f.store.data(f.weight());
  });
}

// --- data types

TEST(Dtype, EveryOnnxTypeHasACarrier) {
  for (int dtype = TensorProto::DataType_MIN; dtype <= TensorProto::DataType_MAX; ++dtype) {
    const bool none = dtype == TensorProto::UNDEFINED || dtype == TensorProto::STRING;
    EXPECT_EQ(carrier(dtype).empty(), none) << dtype;
    if (none) continue;
    EXPECT_GT(element_size(carrier(dtype)), 0u) << dtype;
  }
  EXPECT_EQ(carrier(TensorProto::INT4), "int8");
  EXPECT_EQ(carrier(TensorProto::FLOAT8E8M0), "float8_e8m0fnu");
}

TEST(Dtype, PackedSize) {
  EXPECT_EQ(packed_size(TensorProto::FLOAT, 3), 12u);
  EXPECT_EQ(packed_size(TensorProto::INT4, 3), 2u);
  EXPECT_EQ(packed_size(TensorProto::UINT2, 5), 2u);
  EXPECT_EQ(packed_size(TensorProto::FLOAT6E2M3, 3), 3u);
  EXPECT_EQ(packed_size(TensorProto::COMPLEX128, 2), 32u);
  EXPECT_EQ(error_of([] { packed_size(TensorProto::DOUBLE, UINT64_MAX / 16); }),
            "error: tensor is too large: 1152921504606846975 elements of DOUBLE");
  EXPECT_EQ(error_of([] { packed_size(TensorProto::STRING, 1); }),
            "error: data type STRING has no bytes");
}

TEST(Dtype, ProductOfDims) {
  EXPECT_EQ(element_count(tensor(TensorProto::FLOAT, {}).dims()), 1u);
  EXPECT_EQ(element_count(tensor(TensorProto::FLOAT, {INT64_MAX, INT64_MAX, 0}).dims()), 0u);
  EXPECT_EQ(error_of([] {
              element_count(tensor(TensorProto::FLOAT, {INT64_MAX, 3}).dims());
            }),
            "error: dims: their product is too large");
}

TEST(Dtype, UnpackSmallIntegers) {
  const auto packed = bytes_of<uint8_t>({0x8f, 0x07});
  const std::span<const uint8_t> view(reinterpret_cast<const uint8_t*>(packed.data()),
                                      packed.size());
  EXPECT_EQ(unpack(TensorProto::INT4, view, 3), bytes_of<int8_t>({-1, -8, 7}));
  EXPECT_EQ(unpack(TensorProto::UINT4, view, 3), bytes_of<uint8_t>({15, 8, 7}));
  EXPECT_EQ(unpack(TensorProto::INT2, view.first(1), 4), bytes_of<int8_t>({-1, -1, 0, -2}));
  EXPECT_EQ(unpack(TensorProto::UINT2, view.first(1), 4), bytes_of<uint8_t>({3, 3, 0, 2}));
}

TEST(Dtype, UnpackSmallFloats) {
  const auto four = bytes_of<uint8_t>({0x10, 0x32, 0x54, 0x76, 0xf9});
  const std::span<const uint8_t> view(reinterpret_cast<const uint8_t*>(four.data()), four.size());
  EXPECT_EQ(unpack(TensorProto::FLOAT4E2M1, view, 10),
            bytes_of<float>({0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.5F, -6}));
  // E2M3: 0x01 = 1/8, 0x08 = 1, 0x1f = 7.5, 0x3f = -7.5.
  const auto six = bytes_of<uint8_t>({0x01, 0xf2, 0xfd});
  const std::span<const uint8_t> bits(reinterpret_cast<const uint8_t*>(six.data()), six.size());
  EXPECT_EQ(unpack(TensorProto::FLOAT6E2M3, bits, 4), bytes_of<float>({0.125F, 1, 7.5F, -7.5F}));
  // E3M2: 0x01 = 1/16, 0x08 = 1/2, 0x1f = 28, 0x3f = -28.
  EXPECT_EQ(unpack(TensorProto::FLOAT6E3M2, bits, 4), bytes_of<float>({0.0625F, 0.5F, 28, -28}));
}

// --- payloads in the proto

TEST(Weights, RawData) {
  TensorProto t = tensor(TensorProto::FLOAT, {2});
  t.set_raw_data(bytes_of<float>({1, 2}));
  Fixture f(t);
  EXPECT_EQ(f.bytes(), t.raw_data());
  EXPECT_EQ(text(f.store.data(f.weight())), t.raw_data());
}

TEST(Weights, TypedFields) {
  const auto decoded = [](TensorProto::DataType dtype, std::initializer_list<int> values) {
    TensorProto t = tensor(dtype, {static_cast<int64_t>(values.size())});
    for (const int v : values) t.add_int32_data(v);
    return Fixture(t).bytes();
  };
  EXPECT_EQ(decoded(TensorProto::INT8, {-1, 127}), bytes_of<int8_t>({-1, 127}));
  EXPECT_EQ(decoded(TensorProto::UINT8, {255, 0}), bytes_of<uint8_t>({255, 0}));
  EXPECT_EQ(decoded(TensorProto::UINT16, {65535}), bytes_of<uint16_t>({65535}));
  EXPECT_EQ(decoded(TensorProto::INT32, {-5}), bytes_of<int32_t>({-5}));
  EXPECT_EQ(decoded(TensorProto::BOOL, {0, 1, 7}), bytes_of<uint8_t>({0, 1, 1}));
  EXPECT_EQ(decoded(TensorProto::FLOAT16, {0x3c00, 0xbc00}), bytes_of<uint16_t>({0x3c00, 0xbc00}));
  EXPECT_EQ(decoded(TensorProto::BFLOAT16, {0x3f80}), bytes_of<uint16_t>({0x3f80}));
  EXPECT_EQ(decoded(TensorProto::FLOAT8E5M2, {0x3c, 0xbc}), bytes_of<uint8_t>({0x3c, 0xbc}));
  EXPECT_EQ(decoded(TensorProto::FLOAT6E2M3, {0x01, 0x08, 0x1f, 0x3f}),
            bytes_of<uint8_t>({0x01, 0xf2, 0xfd}));
}

TEST(Weights, WideTypedFields) {
  TensorProto wide = tensor(TensorProto::INT64, {2});
  wide.add_int64_data(-1);
  wide.add_int64_data(INT64_MAX);
  EXPECT_EQ(Fixture(wide).bytes(), bytes_of<int64_t>({-1, INT64_MAX}));
  TensorProto u32 = tensor(TensorProto::UINT32, {1});
  u32.add_uint64_data(UINT32_MAX);
  EXPECT_EQ(Fixture(u32).bytes(), bytes_of<uint32_t>({UINT32_MAX}));
  TensorProto complex = tensor(TensorProto::COMPLEX64, {1});
  complex.add_float_data(1);
  complex.add_float_data(-2);
  EXPECT_EQ(Fixture(complex).bytes(), bytes_of<float>({1, -2}));
  TensorProto complex128 = tensor(TensorProto::COMPLEX128, {1});
  complex128.add_double_data(1);
  complex128.add_double_data(-2);
  EXPECT_EQ(Fixture(complex128).bytes(), bytes_of<double>({1, -2}));
}

TEST(Weights, FourBitEntriesHoldTwoElements) {
  TensorProto t = tensor(TensorProto::INT4, {3});
  t.add_int32_data(0x8f);
  t.add_int32_data(0x07);
  Fixture f(t);
  EXPECT_EQ(f.bytes(), bytes_of<uint8_t>({0x8f, 0x07}));
  EXPECT_EQ(text(f.store.data(f.weight())), bytes_of<int8_t>({-1, -8, 7}));
}

TEST(Weights, ValueThatDoesNotFit) {
  TensorProto t = tensor(TensorProto::UINT8, {1});
  t.add_int32_data(256);
  EXPECT_EQ(error_of([&] { Fixture(t).bytes(); }),
            "error: net.onnx: weight 'w': data: value does not fit its data type: got 256");
}

TEST(Weights, StrayBoolsAreTrue) {
  TensorProto t = tensor(TensorProto::BOOL, {3});
  t.set_raw_data(bytes_of<uint8_t>({0, 2, 255}));
  EXPECT_EQ(Fixture(t).bytes(), bytes_of<uint8_t>({0, 1, 1}));
}

TEST(Weights, Strings) {
  TensorProto t = tensor(TensorProto::STRING, {2});
  t.add_string_data("a");
  t.add_string_data("");
  Fixture f(t);
  EXPECT_EQ(f.store.strings(f.weight()), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(error_of([&] { f.bytes(); }), "error: net.onnx: weight 'w': strings have no bytes");
}

TEST(Weights, FaultsOfTensors) {
  TensorProto t = tensor(TensorProto::FLOAT, {2});
  t.set_raw_data("123");
  EXPECT_EQ(fault(t), "error: net.onnx: weight 'w': raw_data: expected 8 bytes, got 3");
  t.add_float_data(1);
  EXPECT_EQ(fault(t), "error: net.onnx: weight 'w': data: it stands in more than one field");
  t.clear_raw_data();
  EXPECT_EQ(fault(t), "error: net.onnx: weight 'w': float_data: expected 2 values, got 1");
  t.clear_float_data();
  EXPECT_EQ(fault(t), "error: net.onnx: weight 'w': raw_data: expected 8 bytes, got 0");
  t.add_int64_data(1);
  EXPECT_EQ(fault(t),
            "error: net.onnx: weight 'w': data: expected it in float_data, got int64_data");
}

// --- payloads left in the model's bytes

TEST(Weights, BigPayloadIsAViewAndARange) {
  TensorProto t = tensor(TensorProto::FLOAT, {1000});
  t.set_raw_data(std::string(4000, 'q'));
  Fixture f(t);
  const std::span<const uint8_t> bytes = f.store.bytes(f.weight());
  EXPECT_EQ(bytes.data(), f.file.bytes->data + f.file.weights[0].offset);
  EXPECT_TRUE(f.store.sources().empty());
  const auto range = std::get<fx::FileRange>(f.store.data(f.weight()).where);
  EXPECT_EQ(range.offset, f.file.weights[0].offset);
  EXPECT_EQ(range.length, 4000u);
  ASSERT_EQ(f.store.sources().size(), 1u);
  EXPECT_EQ(f.store.source_bytes(range.source).data(), f.file.bytes->data);
}

TEST(Weights, PointingAtABigWeightDoesNotReadIt) {
  const TemporaryFolder folder;
  onnx::ModelProto model;
  model.set_ir_version(8);
  TensorProto& t = *model.mutable_graph()->add_initializer();
  t = tensor(TensorProto::FLOAT, {16 << 20});
  t.set_raw_data(std::string(size_t{64} << 20, 'q'));
  const std::string path = folder.write("big.onnx", model.SerializeAsString());
  const read::ModelFile file = read::read_file(path);
  const uint64_t before = test::resident_kib();
  Store store(file);
  const TensorProto& weight = file.model.graph().initializer(0);
  EXPECT_EQ(std::get<fx::FileRange>(store.data(weight).where).length, uint64_t{64} << 20);
  EXPECT_EQ(store.sources()[0].path, path);
  EXPECT_LT(test::resident_kib(), before + 4096);
}

TEST(Weights, BigPackedFieldsAreViewedOrDecoded) {
  TensorProto floats = tensor(TensorProto::FLOAT, {1000});
  for (int i = 0; i < 1000; ++i) floats.add_float_data(static_cast<float>(i));
  Fixture viewed(floats);
  ASSERT_EQ(viewed.file.weights.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<fx::FileRange>(viewed.store.data(viewed.weight()).where));

  TensorProto ints = tensor(TensorProto::INT64, {1000});
  std::string wanted;
  for (int64_t i = 0; i < 1000; ++i) {
    ints.add_int64_data(i * i * i - 500);
    wanted += bytes_of<int64_t>({i * i * i - 500});
  }
  Fixture decoded(ints);
  ASSERT_EQ(decoded.file.weights.size(), 1u);
  EXPECT_EQ(decoded.bytes(), wanted);
  EXPECT_EQ(text(decoded.store.data(decoded.weight())), wanted);
  ints.set_dims(0, 999);
  EXPECT_EQ(error_of([&] { Fixture(ints).bytes(); }),
            "error: net.onnx: weight 'w': data: more values than its dims say");
}

TEST(Weights, BigFourBitPayloadIsUnpacked) {
  TensorProto t = tensor(TensorProto::UINT4, {4000});
  t.set_raw_data(std::string(2000, '\x21'));
  Fixture f(t);
  const std::string unpacked = text(f.store.data(f.weight()));
  EXPECT_EQ(unpacked.size(), 4000u);
  EXPECT_EQ(unpacked.substr(0, 2), bytes_of<uint8_t>({1, 2}));
}

TEST(Weights, SourceWithoutBytes) {
  TensorProto t = tensor(TensorProto::FLOAT, {1});
  t.add_float_data(1);
  Fixture f(t, "", {}, no_bytes());
  EXPECT_TRUE(std::holds_alternative<std::monostate>(f.store.data(f.weight()).where));
  EXPECT_EQ(f.bytes(), bytes_of<float>({1}));
}

// --- external data

TEST(External, FileIsMappedOnce) {
  const TemporaryFolder folder;
  folder.write("w.bin", bytes_of<float>({1, 2, 3}));
  TensorProto t = external("w.bin", {2});
  set_entry(t, "offset", "4");
  set_entry(t, "length", "8");
  Fixture f(t, folder.path());
  f.store.data(f.weight());
  EXPECT_EQ(f.bytes(), bytes_of<float>({2, 3}));
  const auto range = std::get<fx::FileRange>(f.store.data(f.weight()).where);
  EXPECT_EQ(range.offset, 4u);
  ASSERT_EQ(f.store.sources().size(), 1u);
  EXPECT_EQ(f.store.sources()[0].path, folder / "w.bin");
  EXPECT_EQ(f.store.sources()[0].size, 12u);
}

TEST(External, AbsentFile) {
  const TemporaryFolder folder;
  const TensorProto t = external("w.bin", {2});
  const std::string wanted =
      "error: net.onnx: weight 'w': file 'w.bin' is missing\n"
      "  note: put the file beside the model, or convert with --weights meta";
  EXPECT_EQ(fault(t, folder.path()), wanted);
  Fixture bare(t, folder.path(), {}, no_bytes());
  EXPECT_TRUE(std::holds_alternative<std::monostate>(bare.store.data(bare.weight()).where));
  EXPECT_EQ(error_of([&] { bare.bytes(); }), wanted);
  EXPECT_EQ(bare.store.absent_file(bare.weight(), "w"), "w.bin");
  folder.write("w.bin", bytes_of<float>({1, 2}));
  Fixture there(t, folder.path());
  EXPECT_EQ(there.store.absent_file(there.weight(), "w"), std::nullopt);
}

TEST(External, ModelFromMemoryHasNoFolder) {
  EXPECT_EQ(fault(external("w.bin", {2})),
            "error: net.onnx: weight 'w': file 'w.bin' is missing\n"
            "  note: the model came without a folder: name the one that holds its data");
}

TEST(External, Bounds) {
  const TemporaryFolder folder;
  folder.write("w.bin", bytes_of<float>({1, 2}));
  TensorProto t = external("w.bin", {2});
  set_entry(t, "offset", "18446744073709551612");
  EXPECT_EQ(fault(t, folder.path()),
            "error: net.onnx: weight 'w': file 'w.bin': expected 8 bytes at offset "
            "18446744073709551612, got a file of 8 "
            "bytes");
  TensorProto longer = external("w.bin", {2});
  set_entry(longer, "length", "12");
  EXPECT_EQ(fault(longer, folder.path()),
            "error: net.onnx: weight 'w': external data: expected 8 bytes, got 12");
}

TEST(External, PathsThatLeaveTheFolder) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "model/deep");
  folder.write("secret.bin", bytes_of<float>({1, 2}));
  folder.write("model/deep/w.bin", bytes_of<float>({1, 2}));
  const std::string home = folder / "model";
  const auto refused = [&](const std::string& location) {
    return fault(external(location, {2}), home);
  };
  EXPECT_EQ(refused("deep/w.bin"), "");
  EXPECT_EQ(refused(folder / "secret.bin"),
            "error: net.onnx: weight 'w': external data '" + folder / "secret.bin" +
                "': expected a path inside the model's folder, got an absolute one");
  EXPECT_EQ(refused("deep/../../secret.bin"),
            "error: net.onnx: weight 'w': external data 'deep/../../secret.bin': expected a path "
            "inside the model's "
            "folder, got one with '..'");
  EXPECT_NE(refused(std::string("w\0.bin", 6)).find("got one with a NUL in it"), std::string::npos);
  EXPECT_EQ(refused(""), "error: net.onnx: weight 'w': external data: no location is given");
  EXPECT_EQ(refused("deep"),
            "error: net.onnx: weight 'w': external data 'deep': cannot read file: expected a "
            "regular file, got a folder");
}

TEST(External, SymlinksStayInsideOrNeedARoot) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "model");
  std::filesystem::create_directories(folder / "blobs");
  folder.write("blobs/b", bytes_of<float>({1, 2}));
  folder.write("model/real.bin", bytes_of<float>({3, 4}));
  std::filesystem::create_symlink("../blobs/b", folder / "model/out.bin");
  std::filesystem::create_symlink("real.bin", folder / "model/in.bin");
  std::filesystem::create_symlink(folder / "model/real.bin", folder / "model/absolute.bin");
  const std::string home = folder / "model";
  EXPECT_EQ(fault(external("in.bin", {2}), home), "");
  EXPECT_EQ(fault(external("absolute.bin", {2}), home), "");
  EXPECT_EQ(
      fault(external("out.bin", {2}), home),
      "error: net.onnx: weight 'w': external data 'out.bin': leads out of the model's folder\n"
      "  note: if that file is meant, allow its folder with --weights-root, in Python with "
      "weight_roots");
  EXPECT_EQ(fault(external("out.bin", {2}), home, {folder / "blobs"}), "");
  EXPECT_EQ(fault(external("out.bin", {2}), home, {folder / "blob"}),
            "error: weights root '" + folder / "blob" +
                "': expected a folder, got No such file or directory");
}

TEST(External, PipeIsRefusedAndDoesNotHang) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "w.bin").c_str(), 0600), 0);
  EXPECT_EQ(fault(external("w.bin", {2}), folder.path()),
            "error: net.onnx: weight 'w': external data 'w.bin': cannot read file: expected a "
            "regular file, got a device "
            "or pipe");
}

TEST(External, HardLinksNeedARoot) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "model");
  folder.write("secret.bin", bytes_of<float>({1, 2}));
  std::filesystem::create_hard_link(folder / "secret.bin", folder / "model/w.bin");
  const std::string home = folder / "model";
  EXPECT_EQ(
      fault(external("w.bin", {2}), home),
      "error: net.onnx: weight 'w': external data 'w.bin': expected a file with one name, got "
      "one with 2 hard links\n"
      "  note: if that file is meant, allow its folder with --weights-root, in Python with "
      "weight_roots");
  EXPECT_EQ(fault(external("w.bin", {2}), home, {home}), "");
}

TEST(External, FileCutShortIsNotRead) {
  const TemporaryFolder folder;
  const std::string path = folder.write("w.bin", std::string(1 << 20, '\0'));
  Fixture f(external("w.bin", {1 << 18}), folder.path());
  f.store.data(f.weight());
  const auto range = std::get<fx::FileRange>(f.store.data(f.weight()).where);
  ASSERT_EQ(truncate(path.c_str(), 4096), 0);
  const std::string wanted = "error: " + path +
                             ": the file changed during the conversion: expected 1048576 bytes, "
                             "got 4096\n  note: convert again when nobody writes to it";
  EXPECT_EQ(error_of([&] { f.bytes(); }), wanted);
  EXPECT_EQ(error_of([&] { f.store.source_bytes(range.source); }), wanted);
}

TEST(External, FileWrittenToIsNotRead) {
  const TemporaryFolder folder;
  const std::string path = folder.write("w.bin", bytes_of<float>({1, 2}));
  Fixture f(external("w.bin", {2}), folder.path());
  f.store.data(f.weight());
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  const struct timespec later[] = {status.st_atim, {status.st_mtim.tv_sec + 1, 0}};
  folder.write("w.bin", bytes_of<float>({3, 4}));
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), later, 0), 0);
  EXPECT_EQ(error_of([&] { f.bytes(); }),
            "error: " + path +
                ": the file changed during the conversion: it was written to\n"
                "  note: convert again when nobody writes to it");
}

TEST(External, FileReplacedStaysTheOneThatWasChecked) {
  const TemporaryFolder folder;
  folder.write("w.bin", bytes_of<float>({1, 2}));
  Fixture f(external("w.bin", {2}), folder.path());
  f.store.data(f.weight());
  std::filesystem::rename(folder.write("new.bin", bytes_of<float>({3, 4})), folder / "w.bin");
  EXPECT_EQ(f.bytes(), bytes_of<float>({1, 2}));
}

/// The faults of a store, and of the tensors' own texts, are all that hostile entries can cause.
TEST(External, DamagedEntriesNeverCrash) {
  const TemporaryFolder folder;
  folder.write("w.bin", std::string(64, '\1'));
  std::filesystem::create_directory(folder / "sub");
  std::filesystem::create_symlink("/dev/zero", folder / "zero");
  const std::vector<std::string> texts = {"location",
                                          "offset",
                                          "length",
                                          "checksum",
                                          "basepath",
                                          "w.bin",
                                          "./w.bin",
                                          "../w.bin",
                                          "/dev/zero",
                                          "zero",
                                          "sub",
                                          "",
                                          "#0",
                                          "0",
                                          "8",
                                          "-1",
                                          "4294967296",
                                          "18446744073709551615",
                                          "99999999999999999999",
                                          "0x8",
                                          " 8",
                                          std::string(1, '\0'),
                                          std::string(300, 'w'),
                                          "\xff\xfe",
                                          "da39a3ee5e6b4b0d3255bfef95601890afd80709"};
  std::mt19937 random(5);
  const auto pick = [&](const auto& from) { return from[random() % from.size()]; };
  const std::vector<int64_t> sizes = {0, 1, 2, 16, 17, -1, int64_t{1} << 31, INT64_MAX, INT64_MIN};
  int good = 0;
  for (int run = 0; run < 5000; ++run) {
    TensorProto t = tensor(static_cast<TensorProto::DataType>(random() % 27 + 1), {});
    t.set_data_location(random() % 8 ? TensorProto::EXTERNAL : TensorProto::DEFAULT);
    for (unsigned i = random() % 3; i > 0; --i) t.add_dims(pick(sizes));
    if (random() % 4) set_entry(t, "location", random() % 4 ? "w.bin" : pick(texts));
    for (unsigned i = random() % 4; i > 0; --i) set_entry(t, pick(texts), pick(texts));
    if (random() % 8 == 0) t.set_raw_data(pick(texts));
    if (random() % 8 == 0) t.add_float_data(1);
    if (random() % 8 == 0) t.add_string_data("s");
    const std::string error = error_of([&] {
      Fixture f(t, folder.path());
      if (t.data_type() != TensorProto::STRING) f.store.data(f.weight());
    });
    good += error.empty();
  }
  EXPECT_GT(good, 50);  // else nothing but the first check was tried
}

// --- sparse tensors

onnx::SparseTensorProto sparse(std::initializer_list<int64_t> indices,
                               std::initializer_list<int64_t> dims) {
  onnx::SparseTensorProto s;
  *s.mutable_values() = tensor(TensorProto::FLOAT, {2});
  s.mutable_values()->add_float_data(7);
  s.mutable_values()->add_float_data(8);
  *s.mutable_indices() = tensor(TensorProto::INT64, dims);
  for (const int64_t i : indices) s.mutable_indices()->add_int64_data(i);
  s.add_dims(2);
  s.add_dims(2);
  return s;
}

TEST(Sparse, DenseForm) {
  Fixture f(tensor(TensorProto::FLOAT, {0}));
  EXPECT_EQ(f.store.dense(sparse({1, 2}, {2})), bytes_of<float>({0, 7, 8, 0}));
  EXPECT_EQ(f.store.dense(sparse({0, 1, 1, 1}, {2, 2})), bytes_of<float>({0, 7, 0, 8}));
  EXPECT_EQ(error_of([&] {
              f.store.dense(sparse({1, 4}, {2}));
            }),
            "error: net.onnx: weight 'w': sparse tensor: indices: expected less than 4, got 4");
  EXPECT_EQ(
      error_of([&] {
        f.store.dense(sparse({1, 2, 3}, {3}));
      }),
      "error: net.onnx: weight 'w': sparse tensor: indices: expected int64[2] or int64[2, 2]");
}

}  // namespace
}  // namespace onnx2fx::weights
