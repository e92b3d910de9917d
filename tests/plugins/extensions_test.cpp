// What a table of the C++ wrapper offers beside its operators: none of several is lost.
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <onnx2fx/reference.hpp>
#include <onnx2fx/weights.hpp>

namespace onnx2fx {
namespace {

std::unique_ptr<WeightSource> open(WeightsHost&, const o2fx_weight_source&) { return nullptr; }
constexpr o2fx_weight_scheme kSchemes[] = {scheme("listed")};
constexpr o2fx_weights_ext kWeights = weights<open>(kSchemes);

void compute(ReferenceCall&) {}
constexpr o2fx_reference kFunctions[] = {reference<compute>("acme::rope")};
constexpr o2fx_reference_ext kReferences = references(kFunctions);

constexpr o2fx_op kOps[] = {direct("Relu", 1, "aten::relu")};

TEST(Extensions, OfAPackWithBoth) {
  const o2fx_plugin p =
      with_references<kReferences>(with_weights<kWeights>(plugin_table("x.both", "1.0.0", kOps)));
  EXPECT_EQ(p.get_extension(O2FX_EXT_WEIGHTS), &kWeights);
  EXPECT_EQ(p.get_extension(O2FX_EXT_REFERENCE), &kReferences);
  EXPECT_EQ(p.get_extension("x.other/1"), nullptr);
  EXPECT_EQ(p.n_ops, 1U);
}

// An answer of a host that knows less than this one: the fields behind it are nobody's.
TEST(Extensions, AnswerOfAnOlderHostIsNotOverrun) {
  struct Source final : WeightSource {
    Found find(WeightsHost&, const o2fx_weight&) override { return Found::range(3, 64, 16); }
  } source;
  o2fx_weight_answer answer{};
  answer.struct_size = offsetof(o2fx_weight_answer, offset);
  answer.offset = 7;
  const o2fx_weight want{};
  EXPECT_EQ(kWeights.find(nullptr, nullptr, static_cast<WeightSource*>(&source), &want, &answer),
            O2FX_OK);
  EXPECT_EQ(answer.file, 3U);
  EXPECT_EQ(answer.offset, 7U);
  EXPECT_EQ(answer.struct_size, offsetof(o2fx_weight_answer, offset));
}

}  // namespace
}  // namespace onnx2fx
