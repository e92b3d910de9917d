// The op set in force, written out; and what an operator that nobody knows may have meant.
#include "core/plugin/effective_ops.hpp"

#include <gtest/gtest.h>

#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {

namespace {

using Lines = std::vector<std::string>;

/// Packs com.acme.a (Gelu from 1, Rope from 2) and com.acme.b (Gelu from 20).
class EffectiveOps : public testing::Test {
 protected:
  EffectiveOps() {
    scene_.describe("d/a.onnx2fx.json", "com.acme.a",
                    R"({"domain": "", "op": "Gelu", "since": 1},
                       {"domain": "com.acme", "op": "Rope", "since": 2, "until": 4},
                       {"domain": "com.acme", "op": "Rope", "since": 7})");
    scene_.describe("d/b.onnx2fx.json", "com.acme.b",
                    R"({"domain": "", "op": "Gelu", "since": 20})");
  }
  Options options(const std::string& op_set) const {
    Options o = scene_.options();
    o.directories = {scene_.path("d")};
    if (!op_set.empty()) o.manifest = scene_.manifest(R"("op_sets": {"s": {)" + op_set + "}}");
    return o;
  }
  Lines effective(const std::string& op_set) const {
    const Registry registry(options(op_set));
    Lines all;
    for (const EffectiveOp& op : registry.effective_ops())
      all.push_back((op.domain.empty() ? "" : op.domain + "::") + op.op_type + " " +
                    std::to_string(op.since) + ".." + (op.until ? std::to_string(op.until) : "") +
                    " " + (op.conflict ? op.conflict->what : op.provider));
    return all;
  }

  Scene scene_;
};

}  // namespace

TEST_F(EffectiveOps, WithoutAManifest) {
  EXPECT_EQ(effective(""),
            (Lines{"Gelu 1..19 com.acme.a", "Gelu 20.. com.acme.b",
                   "com.acme::Rope 2..4 com.acme.a", "com.acme::Rope 7.. com.acme.a"}));
}
TEST_F(EffectiveOps, DisabledAndLimited) {
  EXPECT_EQ(effective(R"("domains": {"": {"min": 13, "max": 21}, "com.acme": {"max": 8}},
                         "disable": [{"op": "Gelu", "since": 15, "until": 16},
                                     {"domain": "com.acme", "op": "Ro*", "until": 3}])"),
            (Lines{"Gelu 13..14 com.acme.a", "Gelu 17..19 com.acme.a", "Gelu 20..21 com.acme.b",
                   "com.acme::Rope 4..4 com.acme.a", "com.acme::Rope 7..8 com.acme.a"}));
}
TEST_F(EffectiveOps, BoundAndMerged) {
  EXPECT_EQ(effective(R"("bind": [{"op": "Gelu", "since": 22, "to": "com.acme.a"}],
                         "disable": [{"domain": "com.acme", "op": "*"}])"),
            (Lines{"Gelu 1..19 com.acme.a", "Gelu 20..21 com.acme.b", "Gelu 22.. com.acme.a"}));
}
TEST_F(EffectiveOps, ConflictsAndBindsThatCannotBeKeptAreListed) {
  scene_.describe("d/c.onnx2fx.json", "com.acme.c", R"({"domain": "", "op": "Gelu", "since": 20})");
  EXPECT_EQ(
      effective(R"("bind": [{"op": "Gelu", "until": 5, "to": "com.acme.b"}],
                         "disable": [{"domain": "com.acme", "op": "*"}])"),
      (Lines{"Gelu 1..5 expected 'com.acme.b' to provide Gelu (opset 1), got no such row that "
             "may serve",
             "Gelu 6..19 com.acme.a",
             "Gelu 20.. expected one provider, got 'com.acme.b' and 'com.acme.c', both since "
             "20 with priority 0"}));
}

TEST_F(EffectiveOps, SimilarOperators) {
  const Registry r(options(""));
  const auto similar = [&](const char* domain, const char* op) {
    return r.similar(domain, op).value_or("");
  };
  EXPECT_EQ(similar("", "GELU"), "did you mean 'Gelu'?");
  EXPECT_EQ(similar("ai.onnx", "Gleu"), "did you mean 'Gelu'?");
  EXPECT_EQ(similar("ai.onnx", "Gel"), "did you mean 'Gelu'?");
  EXPECT_EQ(similar("com.other", "Gelu"), "did you mean 'Gelu' of domain 'ai.onnx'?");
  EXPECT_EQ(similar("", "Rope"), "did you mean 'Rope' of domain 'com.acme'?");
  EXPECT_EQ(similar("", "rope"), "did you mean 'Rope' of domain 'com.acme'?");
  EXPECT_EQ(similar("com.acme", "Attention"), "");
}

}  // namespace onnx2fx::plugin
