// Who is asked to lower an operator: the rules of sdk/ABI.md, "choosing a provider", one by one.
#include "core/plugin/choice.hpp"

#include <gtest/gtest.h>

#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {

namespace {

Provider provider(const std::string& id, std::vector<DescribedOp> ops, bool builtin = false) {
  Provider p;
  Descriptor d;
  d.id = id;
  d.file = "/" + id + ".onnx2fx.json";
  d.ops = std::move(ops);
  p.descriptor = std::make_shared<const Descriptor>(std::move(d));
  p.builtin = builtin;
  p.status = "ok";
  return p;
}
DescribedOp gelu(int32_t since, int32_t until = 0, int32_t priority = 0,
                 bool override_builtin = false) {
  return {"", "Gelu", since, until, priority, override_builtin};
}

/// Providers, a manifest and a question; the answer as "std, com.a" and the reasons line by line.
struct Question {
  std::vector<Provider> providers;
  std::string op_set;  ///< members of the op set
  std::string top;     ///< further members of the manifest
  std::set<std::string> allow_override;
  int64_t opset = 20;

  std::string answer() {
    const Scene scene;
    std::vector<Diagnostic> faults;
    std::string said;
    const std::string refused = refusal(scene, [&] {
      Configuration c;
      const std::string file = scene.manifest(R"("op_sets": {"prod": {)" + op_set + "}}" + top);
      c.manifest = read_manifest(op_set.empty() && top.empty() ? "" : file, "", faults);
      c.allow_override = allow_override;
      std::vector<const Provider*> all;
      for (const Provider& p : providers) all.push_back(&p);
      std::vector<std::string> why_not;
      for (const Choice& choice : choose(all, c, "", "Gelu", opset, why_not))
        said += (said.empty() ? "" : ", ") + choice.provider->descriptor->id + "@" +
                std::to_string(choice.op->since);
      for (const std::string& line : why_not) said += "\n" + line;
    });
    EXPECT_EQ(format(faults), "");
    for (size_t at; (at = said.find(scene.root())) != std::string::npos;)
      said.replace(at, scene.root().size(), "DIR");
    return refused.empty() ? said : refused;
  }
};

}  // namespace

TEST(Choice, HighestSinceWithinAProvider) {
  EXPECT_EQ((Question{{provider("std", {gelu(1), gelu(13), gelu(20), gelu(24)}, true)}}.answer()),
            "std@20");
}
TEST(Choice, TooOld) {
  Question q{{provider("std", {gelu(20)}, true)}};
  q.opset = 17;
  EXPECT_EQ(q.answer(), "\nstd: lowers it at opset 20.., not at 17");
}
TEST(Choice, OlderSemanticsNeverStandIn) {
  EXPECT_EQ((Question{{provider("std", {gelu(1), gelu(13, 15)}, true)}}.answer()),
            "\nstd: lowers it at opset 1..15, not at 20");
}
TEST(Choice, GapBetweenTheRows) {
  EXPECT_EQ((Question{{provider("std", {gelu(1, 6), gelu(7, 9), gelu(22)})}}.answer()),
            "\nstd: lowers it at opset 1..9, 22.., not at 20");
}
TEST(Choice, OverrideNeedsTheDescriptorsConsent) {
  EXPECT_EQ((Question{{provider("com.a", {gelu(20)}), provider("std", {gelu(20)}, true)}}.answer()),
            "std@20\ncom.a: a built-in provides it, and /com.a.onnx2fx.json does not say "
            "\"override\": true for it");
}
TEST(Choice, OverrideNeedsTheUsersConsent) {
  EXPECT_EQ(
      (Question{{provider("com.a", {gelu(20, 0, 0, true)}), provider("std", {gelu(20)}, true)}}
           .answer()),
      "std@20\ncom.a: a built-in provides it; --allow-override com.a would let it override");
}
TEST(Choice, ConsentedOverrideComesFirstWhateverItsSince) {
  Question q{{provider("com.a", {gelu(1, 0, 0, true)}), provider("std", {gelu(20)}, true)}};
  q.allow_override = {"com.a"};
  EXPECT_EQ(q.answer(), "com.a@1, std@20");
}
TEST(Choice, LowerPriorityOverrideStandsBehindTheBuiltin) {
  Question q{{provider("com.a", {gelu(20, 0, -1, true)}), provider("std", {gelu(20)}, true)}};
  q.allow_override = {"com.a"};
  EXPECT_EQ(q.answer(), "std@20, com.a@20");
}
TEST(Choice, HigherPriorityFirst) {
  EXPECT_EQ(
      (Question{{provider("com.a", {gelu(20)}), provider("com.b", {gelu(1, 0, 10)})}}.answer()),
      "com.b@1, com.a@20");
}
TEST(Choice, LargerSinceFirst) {
  EXPECT_EQ((Question{{provider("com.a", {gelu(1)}), provider("com.b", {gelu(13)})}}.answer()),
            "com.b@13, com.a@1");
}
TEST(Choice, EqualsAreAConflictThatNamesItsRemedy) {
  EXPECT_EQ((Question{{provider("com.a", {gelu(20)}), provider("com.b", {gelu(20)})}}.answer()),
            "error: Gelu (opset 20): expected one provider, got 'com.a' and 'com.b', both since 20 "
            "with priority 0\n"
            "  note: com.a: /com.a.onnx2fx.json\n"
            "  note: com.b: /com.b.onnx2fx.json\n"
            "  note: give a --manifest with: "
            "{\"config_version\":\"1.0\",\"op_sets\":{\"default\":{\"bind\":[{\"op\":\"Gelu\","
            "\"to\":\"com.a\"}]}}}");
}
TEST(Choice, ConflictWithAManifestSaysWhereTheBindGoes) {
  Question q{{provider("com.a", {gelu(20)}), provider("com.b", {gelu(20)})}};
  q.op_set = R"("bind": [])";
  EXPECT_EQ(
      q.answer(),
      "error: Gelu (opset 20): expected one provider, got 'com.a' and 'com.b', both since 20 with "
      "priority 0\n"
      "  note: com.a: /com.a.onnx2fx.json\n"
      "  note: com.b: /com.b.onnx2fx.json\n"
      "  note: add to DIR/manifest.json at /op_sets/prod/bind: {\"op\":\"Gelu\",\"to\":\"com.a\"}");
}
TEST(Choice, ConflictsMayGoToTheFirst) {
  Question q{{provider("com.b", {gelu(20)}), provider("com.a", {gelu(20)})}};
  q.top = R"(, "on_conflict": "first")";
  EXPECT_EQ(q.answer(), "com.b@20, com.a@20");
}
TEST(Choice, BindGoesFirstAndAlone) {
  Question q{
      {provider("com.a", {gelu(20)}), provider("com.b", {gelu(20)}), provider("com.c", {gelu(1)})}};
  q.op_set = R"("bind": [{"op": "Gelu", "since": 13, "to": "com.c"}])";
  EXPECT_EQ(q.answer(),
            "com.c@1\ncom.a: another one is bound by DIR/manifest.json at /op_sets/prod/bind/0\n"
            "com.b: another one is bound by DIR/manifest.json at /op_sets/prod/bind/0");
}
TEST(Choice, BindOutsideItsOpsetsIsIdle) {
  Question q{{provider("com.a", {gelu(20)}), provider("com.c", {gelu(1)})}};
  q.op_set = R"("bind": [{"op": "Gelu", "until": 19, "to": "com.c"}])";
  EXPECT_EQ(q.answer(), "com.a@20, com.c@1");
}
TEST(Choice, BindWithFallthrough) {
  Question q{{provider("com.a", {gelu(20)}), provider("com.c", {gelu(1)})}};
  q.op_set = R"("bind": [{"op": "Gelu", "to": "com.c", "fallthrough": true}])";
  EXPECT_EQ(q.answer(), "com.c@1, com.a@20");
}
TEST(Choice, BindIsTheUsersConsent) {
  Question q{{provider("com.a", {gelu(20, 0, 0, true)}), provider("std", {gelu(20)}, true)}};
  q.op_set = R"("bind": [{"op": "Gelu", "to": "com.a", "fallthrough": true}])";
  EXPECT_EQ(q.answer(), "com.a@20, std@20");
}
TEST(Choice, BindThatCannotBeKeptIsAnError) {
  Question q{{provider("com.a", {gelu(22)}), provider("std", {gelu(20)}, true)}};
  q.op_set = R"("bind": [{"op": "Gelu", "to": "com.a"}])";
  EXPECT_EQ(q.answer(),
            "error: DIR/manifest.json at /op_sets/prod/bind/0: expected 'com.a' to provide Gelu "
            "(opset 20), got no such row that may serve\n"
            "  note: com.a: lowers it at opset 22.., not at 20");
}
TEST(Choice, BindWithPriorityOnlyRanks) {
  Question q{{provider("com.a", {gelu(20, 0, 5)}), provider("com.b", {gelu(20)})}};
  q.op_set = R"("bind": [{"op": "Gelu", "to": "com.b", "priority": 6}])";
  EXPECT_EQ(q.answer(), "com.b@20, com.a@20");
}
TEST(Choice, DisabledOp) {
  Question q{{provider("std", {gelu(20)}, true)}};
  q.op_set = R"("disable": [{"domain": "ai.onnx", "op": "Ge*"}])";
  EXPECT_EQ(q.answer(), "\ndisabled by DIR/manifest.json at /op_sets/prod/disable/0");
}
TEST(Choice, OpsetOutsideTheOpSet) {
  Question q{{provider("std", {gelu(20)}, true)}};
  q.op_set = R"("domains": {"": {"min": 13, "max": 19}})";
  EXPECT_EQ(q.answer(),
            "\nopset 20 is outside 13..19, set by DIR/manifest.json at /op_sets/prod/domains/");
}
TEST(Choice, OpSetOfTheStandard) {
  Question q{{provider("std", {gelu(20)}, true)}};
  q.op_set = R"("inherits": ["onnx-19"])";
  EXPECT_EQ(q.answer(), "\nopset 20 is outside 1..19, set by op set 'onnx-19'");
}
TEST(Choice, ExtendingTheStandardLimitsEveryOpSet) {
  Question q{{provider("std", {gelu(20)}, true)}};
  q.op_set = R"("bind": [])";
  q.top = R"(, "extends": ["builtin:onnx-19"])";
  EXPECT_EQ(q.answer(), "\nopset 20 is outside 1..19, set by DIR/manifest.json at /extends/0");
  q.op_set = R"("domains": {"ai.onnx": {"max": 20}})";
  EXPECT_EQ(q.answer(), "std@20");
}
TEST(Choice, InheritedLimitsAreJoinedOneByOne) {
  Question q{{provider("std", {gelu(1)}, true)}};
  q.top = R"(, "default_op_set": "prod")";
  const auto at = [&q](int64_t opset) {
    q.opset = opset;
    return q.answer();
  };
  q.op_set = R"("domains": {"": {"max": 20}}, "inherits": ["base"]}, "base": {"domains":
                {"": {"min": 13, "max": 23}, "com.acme": {"max": 1}}, "inherits": ["onnx-21"])";
  EXPECT_EQ(at(12),
            "\nopset 12 is outside 13..20, set by DIR/manifest.json at /op_sets/base/domains/");
  EXPECT_EQ(at(13), "std@1");
  EXPECT_EQ(at(20), "std@1");
  EXPECT_EQ(at(21),
            "\nopset 21 is outside 13..20, set by DIR/manifest.json at /op_sets/prod/domains/");
  q.op_set = R"("domains": {"": {"min": 7}}, "inherits": ["onnx-19"])";
  EXPECT_EQ(at(20), "\nopset 20 is outside 7..19, set by op set 'onnx-19'");
  EXPECT_EQ(at(6),
            "\nopset 6 is outside 7..19, set by DIR/manifest.json at /op_sets/prod/domains/");
}
TEST(Choice, ManifestsExtendEachOther) {
  Question q{{provider("com.a", {gelu(20)}), provider("com.b", {gelu(20)})}};
  const Scene base;
  const std::string file = base.write(
      "base.json",
      R"({"config_version": "1.0", "op_sets": {"base": {"bind": [{"op": "Gelu", "to": "com.b"}]}}})");
  q.op_set = R"("inherits": ["base"])";
  q.top = R"(, "default_op_set": "prod", "extends": [")" + file + "\"]";
  EXPECT_EQ(q.answer(),
            "com.b@20\ncom.a: another one is bound by " + file + " at /op_sets/base/bind/0");
}
TEST(Choice, UnusableProviderSaysWhy) {
  Provider p = provider("com.a", {gelu(20)});
  p.status = "disabled by FILE at /plugins/disable/0";
  EXPECT_EQ((Question{{p}}.answer()), "\ncom.a: disabled by FILE at /plugins/disable/0");
}

}  // namespace onnx2fx::plugin
