// Rules and sources, as the store follows them; the sources are the test's own.
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "core/weights/transpose.hpp"
#include "core/weights/weights.hpp"
#include "tests/core/models.hpp"

namespace onnx2fx::weights {
namespace {

using onnx::TensorProto;
using test::error_of;
using test::TemporaryFolder;

std::string floats(std::initializer_list<float> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(float));
}
std::string text(std::span<const uint8_t> bytes) { return std::string(bytes.begin(), bytes.end()); }

/// Holds tensors in memory; what is asked of it is written to `asked`.
class Shelf final : public Source {
 public:
  Shelf(std::map<std::string, std::string> tensors, std::vector<std::string>& asked)
      : tensors_(std::move(tensors)), asked_(asked) {}
  Got find(const Want& want) override {
    asked_.push_back(want.name);
    if (want.dtype != TensorProto::FLOAT) return {Got::Kind::kDeclined};
    const auto at = tensors_.find(want.name);
    if (at == tensors_.end()) return {Got::Kind::kAbsent, "; did you mean 'q'?"};
    if (at->second.size() != want.size) return {Got::Kind::kMismatch, "expected A, got B"};
    return {Got::Kind::kRead};
  }
  std::string read(const Want& want) override { return tensors_.at(want.name); }

 private:
  std::map<std::string, std::string> tensors_;
  std::vector<std::string>& asked_;
};

class Nothing final : public Source {
 public:
  Got find(const Want&) override { return {Got::Kind::kMeta}; }
  std::string read(const Want&) override { return ""; }
};

/// Keeps what the model says.
class Own final : public Source {
 public:
  Got find(const Want&) override { return {Got::Kind::kOwn}; }
  std::string read(const Want&) override { return ""; }
};

class SourcingTest : public testing::Test {
 protected:
  SourcingTest() {
    folder_.write("s.shelf", "shelf");
    sourcing_.served = [](const std::string& location) { return Served{"", "", location}; };
    sourcing_.open = [this](const Opening& opening) -> std::unique_ptr<Source> {
      opened_.push_back(opening.scheme + " " + opening.location);
      if (opening.scheme == "nothing") return std::make_unique<Nothing>();
      if (opening.scheme == "own") return std::make_unique<Own>();
      return std::make_unique<Shelf>(shelf_, asked_);
    };
  }

  Rule& rule(const std::string& glob) {
    Rule r;
    r.tensors = {glob};
    r.scheme = "shelf";
    r.location = "s.shelf";
    r.folder = folder_.path();
    r.origin = "m.json at /weights/sources/" + std::to_string(sourcing_.rules.size());
    sourcing_.rules.push_back(r);
    return sourcing_.rules.back();
  }
  void add(const std::string& name, std::initializer_list<int64_t> dims, const std::string& bytes,
           TensorProto::DataType dtype = TensorProto::FLOAT) {
    TensorProto& t = *model_.mutable_graph()->add_initializer();
    t.set_name(name);
    t.set_data_type(dtype);
    for (const int64_t d : dims) t.add_dims(d);
    t.set_raw_data(bytes);
  }
  Store& store() {
    file_ = test::read_proto(model_);
    store_ = std::make_unique<Store>(file_, roots_, sourcing_);
    return *store_;
  }
  const TensorProto& weight(int index) const { return file_.model.graph().initializer(index); }
  /// "" stands for no bytes.
  std::string data(Store& s, int index) {
    const fx::TensorData d = s.data(weight(index));
    if (const auto* range = std::get_if<fx::FileRange>(&d.where))
      return text(s.source_bytes(range->source).subspan(range->offset, range->length));
    const auto* memory = std::get_if<std::shared_ptr<const std::string>>(&d.where);
    return memory ? **memory : "";
  }

  TemporaryFolder folder_;
  std::vector<std::string> roots_;
  std::map<std::string, std::string> shelf_;
  std::vector<std::string> asked_, opened_;
  Sourcing sourcing_;
  onnx::ModelProto model_;
  read::ModelFile file_;
  std::unique_ptr<Store> store_;
};

TEST_F(SourcingTest, FirstRuleThatSelectsCounts) {
  add("a.w", {1}, floats({1}));
  add("b.w", {1}, floats({2}));
  add("c.w", {1}, floats({3}));
  shelf_ = {{"a.w", floats({10})}, {"b.w", floats({20})}};
  Rule& own = rule("a.*");
  own.scheme = "own";
  own.location.clear();
  rule("[ab].*");
  Store& s = store();
  EXPECT_EQ(data(s, 0), floats({1}));
  EXPECT_EQ(data(s, 1), floats({20}));
  EXPECT_EQ(data(s, 2), floats({3}));
  EXPECT_EQ(asked_, (std::vector<std::string>{"b.w"}));
  EXPECT_EQ(opened_, (std::vector<std::string>{"own ", "shelf s.shelf"}));
}

TEST_F(SourcingTest, RenamesInOrderAndNamesFirst) {
  add("enc.0.w", {1}, floats({1}));
  add("odd", {1}, floats({1}));
  shelf_ = {{"model.enc.layer0.weight", floats({7})}, {"even", floats({8})}};
  Rule& r = rule("*");
  r.rename = {{"\\.(\\d+)\\.w$", ".layer$1.weight"}, {"^", "model."}};
  r.names = {{"odd", "even"}};
  Store& s = store();
  EXPECT_EQ(data(s, 0), floats({7}));
  EXPECT_EQ(data(s, 1), floats({8}));
}

TEST(Rename, EveryMatchIsReplaced) {
  EXPECT_EQ(Rename("[./]", "_").of("a.b/c"), "a_b_c");
  EXPECT_EQ(Rename("(\\w)(\\d)", "$2$1$$$&\\").of("a1"), "1a$a1\\");
  EXPECT_EQ(Rename("x", "").of("y"), "y");
  EXPECT_EQ(Rename("^.", "").of("\u00e9t\u00e9"), "t\u00e9");
}

TEST(Rename, LongNamesTakeNoStack) {
  const std::string name(size_t{1} << 20, 'a');
  EXPECT_EQ(Rename("^(a|b)*$", "short").of(name), "short");
  EXPECT_EQ(Rename("(a*)*b", "").of(name), name);
  EXPECT_EQ(Rename("a", "bb").of(name).size(), 2 * name.size());
}

TEST(Rename, Refused) {
  const auto refusal = [](const std::string& match, const std::string& replacement) {
    try {
      Rename(match, replacement);
    } catch (const std::invalid_argument& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal("(", ""),
            "match: expected a regular expression of RE2, got \"(\": missing ): (");
  EXPECT_EQ(refusal("(?=a)", ""),
            "match: expected a regular expression of RE2, got \"(?=a)\": invalid perl operator: "
            "(?=");
  EXPECT_EQ(refusal("(a)", "$2"),
            "replace: expected groups up to $1, as match has no more, got \"$2\"");
  EXPECT_EQ(refusal("a", "$"),
            "replace: expected $1 to $9, $& or $$ wherever a '$' stands, got \"$\"");
}

TEST_F(SourcingTest, TransposedIsTurnedToTheModelsLayout) {
  add("w", {2, 3}, floats({0, 0, 0, 0, 0, 0}));
  shelf_ = {{"w", floats({1, 4, 2, 5, 3, 6})}};
  rule("*").transposed = {"w"};
  EXPECT_EQ(data(store(), 0), floats({1, 2, 3, 4, 5, 6}));
}

TEST_F(SourcingTest, TransposedVectorIsRefused) {
  add("w", {2}, floats({0, 0}));
  rule("*").transposed = {"w"};
  Store& s = store();
  EXPECT_EQ(data(s, 0), "");
  EXPECT_EQ(error_of([&] { s.settle(); }),
            "error: net.onnx: weight 'w': 's.shelf': transposed: expected a matrix of whole bytes, "
            "got 1 dims\n  note: asked for by m.json at /weights/sources/0");
}

TEST(Transpose, AnyShapeAndSize) {
  for (const uint64_t size : {1, 2, 8}) {
    for (const auto& [rows, columns] : {std::pair{33, 70}, {1, 5}, {64, 64}}) {
      std::vector<uint8_t> matrix(static_cast<size_t>(rows * columns) * size);
      for (size_t i = 0; i < matrix.size(); ++i) matrix[i] = static_cast<uint8_t>(i * 131 >> 3);
      const std::string turned = transposed(matrix, rows, columns, size);
      for (int i = 0; i < rows; ++i)
        for (int j = 0; j < columns; ++j)
          ASSERT_EQ(std::memcmp(&turned[static_cast<size_t>(j * rows + i) * size],
                                &matrix[static_cast<size_t>(i * columns + j) * size], size),
                    0);
    }
  }
}

TEST_F(SourcingTest, AllThatIsMissingOrOfAnotherTypeIsTold) {
  add("a", {1}, floats({1}));
  add("b", {1}, floats({2}));
  shelf_ = {{"b", floats({1, 2})}};
  rule("*");
  Store& s = store();
  data(s, 0);
  data(s, 1);
  EXPECT_EQ(error_of([&] { s.settle(); }),
            "error: net.onnx: weight 'a': 's.shelf': no tensor 'a'; did you mean 'q'?\n"
            "  note: asked for by m.json at /weights/sources/0\n"
            "error: net.onnx: weight 'b': 's.shelf': tensor 'b': expected A, got B\n"
            "  note: asked for by m.json at /weights/sources/0");
}

TEST_F(SourcingTest, WhatIsNotRequiredOrDeclinedFallsThrough) {
  add("a", {1}, floats({1}));
  add("table", {1}, std::string(8, '\1'), TensorProto::INT64);
  Rule& first = rule("*");
  first.required = false;
  Rule& second = rule("a");
  second.names = {{"a", "z"}};
  shelf_ = {{"z", floats({9})}};
  Store& s = store();
  EXPECT_EQ(data(s, 0), floats({9}));
  EXPECT_EQ(data(s, 1), std::string(8, '\1'));
  EXPECT_TRUE(s.settle().empty());
}

TEST_F(SourcingTest, LastRuleServesWhatIsLeft) {
  add("a", {1}, floats({1}));
  add("b", {1}, floats({2}));
  add("c", {1}, floats({3}));
  shelf_ = {{"a", floats({5})}};
  rule("a");
  Rule& own = rule("c");
  own.scheme = "own";
  own.location.clear();
  sourcing_.rules.push_back(last_rule("nothing"));
  Store& s = store();
  EXPECT_EQ(data(s, 0), floats({5}));
  EXPECT_EQ(data(s, 1), "");
  EXPECT_EQ(data(s, 2), floats({3}));
  for (const Store::Rest rest : {Store::Rest::kOwn, Store::Rest::kCopied})
    EXPECT_EQ(*std::get<std::shared_ptr<const std::string>>(s.data(weight(1), "b", rest).where),
              floats({2}));
  EXPECT_TRUE(s.settle().empty());
}

TEST_F(SourcingTest, LastRuleThatDeclinesLeavesTheModels) {
  add("table", {1}, std::string(8, '\1'), TensorProto::INT64);
  sourcing_.rules.push_back(last_rule("shelf"));
  Store& s = store();
  EXPECT_EQ(data(s, 0), std::string(8, '\1'));
  EXPECT_TRUE(s.settle().empty());
}

TEST_F(SourcingTest, OwnBytesAreNotTransposed) {
  add("w", {2, 3}, floats({0, 0, 0, 0, 0, 0}));
  Rule& own = rule("*");
  own.scheme = "own";
  own.location.clear();
  own.transposed = {"w"};
  Store& s = store();
  data(s, 0);
  EXPECT_EQ(error_of([&] { s.settle(); }),
            "error: net.onnx: weight 'w': own: transposed: expected bytes of a file, got the "
            "model's own\n  note: asked for by m.json at /weights/sources/0");
}

TEST_F(SourcingTest, ValuesAgreeWithTheModule) {
  add("a", {1}, floats({1}));
  add("b", {1}, floats({2}));
  shelf_ = {{"a", floats({5})}};
  rule("a");
  Rule& meta = rule("b");
  meta.scheme = "nothing";
  meta.location.clear();
  Store& s = store();
  EXPECT_EQ(text(s.bytes(weight(0))), floats({5}));
  EXPECT_EQ(text(s.bytes(weight(1))), floats({2}));
}

TEST_F(SourcingTest, ValueThatTheFileLacksIsTheModels) {
  add("a", {1}, floats({1}));
  add("b", {1}, floats({2}));
  shelf_ = {{"b", floats({1, 2})}};
  rule("*");
  Store& s = store();
  EXPECT_EQ(text(s.bytes(weight(0))), floats({1}));
  EXPECT_EQ(error_of([&] { s.bytes(weight(1)); }),
            "error: net.onnx: weight 'b': 's.shelf': tensor 'b': expected A, got B\n"
            "  note: asked for by m.json at /weights/sources/0");
  EXPECT_EQ(error_of([&] { s.settle(); }), "");
}

TEST_F(SourcingTest, RuleThatSelectsNothingIsAWarning) {
  add("a", {1}, floats({1}));
  rule("encoder.*");
  Store& s = store();
  data(s, 0);
  const std::vector<Diagnostic> warnings = s.settle();
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(format(warnings[0]),
            "warning: m.json at /weights/sources/0: selects no weight of net.onnx");
}

TEST_F(SourcingTest, FileThatIsMissingIsToldOnce) {
  add("a", {1}, floats({1}));
  add("b", {1}, floats({1}));
  rule("*").location = "gone.shelf";
  Store& s = store();
  data(s, 0);
  data(s, 1);
  EXPECT_EQ(error_of([&] { s.settle(); }),
            "error: m.json at /weights/sources/0: file 'gone.shelf' is missing\n"
            "  note: it is looked for in " +
                folder_.path());
}

TEST_F(SourcingTest, FilesOfTheManifestStayInItsFolderOrARoot) {
  const TemporaryFolder other;
  other.write("s.shelf", "shelf");
  add("a", {1}, floats({1}));
  shelf_ = {{"a", floats({5})}};
  rule("a").location = other / "s.shelf";
  Store& outside = store();
  data(outside, 0);
  EXPECT_EQ(error_of([&] { outside.settle(); }),
            "error: m.json at /weights/sources/0: '" + other / "s.shelf" +
                "': expected a file inside the manifest's folder or a weights root, got one "
                "outside\n  note: if that file is meant, allow its folder with --weights-root, or "
                "in the manifest's weights.roots");
  roots_ = {other.path()};
  Store& allowed = store();
  EXPECT_EQ(data(allowed, 0), floats({5}));
  std::filesystem::create_symlink(other / "s.shelf", folder_ / "link.shelf");
  sourcing_.rules[0].location = "link.shelf";
  EXPECT_EQ(data(store(), 0), floats({5}));
  roots_.clear();
  Store& link = store();
  data(link, 0);
  EXPECT_EQ(error_of([&] { link.settle(); }),
            "error: m.json at /weights/sources/0: external data 'link.shelf': leads out of the "
            "model's folder\n  note: if that file is meant, allow its folder with --weights-root, "
            "in Python with weight_roots");
}

}  // namespace
}  // namespace onnx2fx::weights
