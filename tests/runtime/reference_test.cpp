// Functions of a pack that compute, in the C++ runtime; tests/plugins/test_reference.py tries what
// they may not do.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "tests/runtime/program_builder.hpp"

namespace onnx2fx::runtime {
namespace {

/// y = acme::NAME(x), stated as float32[size].
fx::Module call(const std::string& name, int64_t size) {
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x");
  const fx::NodeRef all = root.call(
      "onnx2fx::reference", {"acme::" + name, fx::List{x}, "", fx::List{fx::Dtype{"float32"}},
                             fx::List{int64_t{1}}, fx::List{size}});
  fx::Module m;
  m.programs = {root.output(root.call("operator::getitem", {all, int64_t{0}}))};
  m.outputs.resize(1);
  m.torch_libraries = {
      {"hostile_reference.so", "com.acme.reference", "1.0.0", "", "", {"acme::copy"}}};
  return m;
}
std::span<const uint8_t> none(const fx::Tensor&) { return {}; }

// First in this file, while the library is not loaded.
TEST(Reference, AbsentLibraryIsNamed) {
  EXPECT_EQ(error_of([] { Module(call("copy", 3), none); }),
            "error: node 'n1' (onnx2fx::reference): function: expected one of a library that is "
            "loaded, got 'acme::copy'\n"
            "  note: it is in hostile_reference.so of com.acme.reference 1.0.0: load that file "
            "first (--torch-library, load_torch_library)");
}

class LoadedReference : public testing::Test {
 protected:
  void SetUp() override { load_torch_library(ONNX2FX_REFERENCE_LIBRARY, call("copy", 3)); }
};

TEST_F(LoadedReference, ComputesWhatIsNotContiguousToo) {
  Module module(call("copy", 3), none);
  const at::Tensor x = at::arange(6, at::kFloat).slice(0, 0, 6, 2);
  EXPECT_TRUE(at::equal(module.forward({x})[0].toTensor(), x));
}

TEST_F(LoadedReference, SizeThatOnlyTheDataTell) {
  Module module(call("positive", -1), none);
  EXPECT_EQ(values_of(module.forward({floats({-1, 2, 3}, {3})})[0].toTensor()),
            (std::vector<float>{2, 3}));
}

TEST_F(LoadedReference, BackwardIsAnError) {
  Module module(call("copy", 3), none);
  const at::Tensor x = floats({1, 2, 3}, {3}).requires_grad_();
  const at::Tensor y = module.forward({x})[0].toTensor();
  ASSERT_TRUE(y.requires_grad());
  try {
    y.sum().backward();
    FAIL();
  } catch (const c10::Error& e) {
    EXPECT_EQ(std::string(e.what_without_backtrace()),
              "acme::copy: a reference function has no gradient; a torch operator with one, or a "
              "decomposition, can be trained through");
  }
  EXPECT_FALSE(x.grad().defined());
  const c10::NoGradGuard inference;
  EXPECT_FALSE(module.forward({x})[0].toTensor().requires_grad());
}

TEST_F(LoadedReference, OnSeveralThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([t] {
      Module module(call("copy", 3), none);
      const auto v = static_cast<float>(t);
      for (int i = 0; i < 50; i++)
        EXPECT_EQ(values_of(module.forward({floats({v, v, v}, {3})})[0].toTensor()),
                  (std::vector<float>{v, v, v}));
    });
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace onnx2fx::runtime
