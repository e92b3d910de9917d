// A pack's own torch operator, from a library against PyTorch's stable ABI.
#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/tanh.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <filesystem>
#include <fstream>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "tests/runtime/program_builder.hpp"

namespace onnx2fx::runtime {
namespace {

const std::string kHash(64, '0');

/// y = soft_clip(x * weight), of a pack that needs its library with this hash.
fx::Module soft_clip(const std::string& sha256) {
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x"), w = root.tensor(0);
  const fx::NodeRef scaled = root.call("aten::mul.Tensor", {x, w});
  fx::Module m;
  m.programs = {root.output(root.call("example::soft_clip", {scaled, 2.0}))};
  m.outputs.resize(1);
  fx::Tensor weight;
  weight.name = weight.path = "weight";
  weight.dtype = "float32";
  weight.dims = {1};
  weight.role = fx::Role::kParameter;
  weight.requires_grad = true;
  weight.data.where = std::make_shared<const std::string>(std::string("\0\0\x80\x3f", 4));
  m.tensors = {weight};
  m.torch_libraries = {{"example_pack_torch.so",
                        "com.example.pack",
                        "1.0.0",
                        sha256,
                        "2.10",
                        {"example::soft_clip"}}};
  return m;
}

std::span<const uint8_t> one(const fx::Tensor&) {
  static constexpr float kOne = 1;
  return {reinterpret_cast<const uint8_t*>(&kOne), sizeof kOne};
}

const std::string kNeeded =
    "example_pack_torch.so of com.example.pack 1.0.0 (sha256 " + kHash + ", torch 2.10 or later)";

TEST(TorchLibrary, AbsentOneIsNamed) {
  EXPECT_EQ(error_of([] { Module(soft_clip(kHash), one); }),
            "error: node 'n3' (example::soft_clip): target: expected an operator of this "
            "LibTorch, got 'example::soft_clip'\n"
            "  note: it is in " +
                kNeeded + ": load that file first (--torch-library, load_torch_library)");
}

TEST(TorchLibrary, OneThatIsNotThere) {
  EXPECT_EQ(error_of([] { load_torch_library("none.so", soft_clip("")); }),
            "error: none.so: torch library: cannot be read: No such file or directory");
}

TEST(TorchLibrary, OtherBytesAreRefused) {
  const std::string error =
      error_of([] { load_torch_library(ONNX2FX_TORCH_LIBRARY, soft_clip(kHash)); });
  EXPECT_EQ(
      error.substr(0, error.find(", got one")),
      std::string("error: ") + ONNX2FX_TORCH_LIBRARY + ": torch library: expected " + kNeeded);
}

TEST(TorchLibrary, OneThatNoPluginCouldBe) {
  const auto refused = [](const std::string& name, const std::string& command) {
    const std::string path = (std::filesystem::temp_directory_path() / name).string();
    EXPECT_EQ(std::system((command + " > " + path).c_str()), 0);
    const std::string error = error_of([&] { load_torch_library(path, soft_clip("")); });
    std::filesystem::remove(path);
    return error.substr(error.rfind(name));
  };
  EXPECT_EQ(refused("onnx2fx_text.so", "echo 'INPUT(libother.so)'"),
            "onnx2fx_text.so: torch library: expected an ELF shared library, got a text file");
  EXPECT_EQ(
      refused("onnx2fx_run_path.so", "gcc -shared -x c /dev/null -Wl,-rpath,lib -o /dev/stdout"),
      "onnx2fx_run_path.so: torch library: run path 'lib': expected an absolute one, or "
      "$ORIGIN");
}

TEST(TorchLibrary, TorchThatIsTooOld) {
  fx::Module module = soft_clip("");
  module.torch_libraries[0].min_torch = "99.0";
  const std::string error = error_of([&] { load_torch_library(ONNX2FX_TORCH_LIBRARY, module); });
  EXPECT_EQ(error.substr(0, error.find(", got 2.")),
            std::string("error: ") + ONNX2FX_TORCH_LIBRARY +
                ": torch library: expected torch 99.0 or later");
}

TEST(TorchLibrary, RunsTrainsAndIsLoadedOnce) {
  load_torch_library(ONNX2FX_TORCH_LIBRARY, soft_clip(""));
  load_torch_library(ONNX2FX_TORCH_LIBRARY, soft_clip(""));
  Module module(soft_clip(""), one);
  const at::Tensor x = floats({-1, 0, 3}, {3});
  const at::Tensor expected = at::tanh(x / 2) * 2;
  {
    const c10::NoGradGuard inference;  // the kernel
    EXPECT_TRUE(at::allclose(module.forward({x})[0].toTensor(), expected));
  }
  const at::Tensor y = module.forward({x})[0].toTensor();
  EXPECT_TRUE(at::allclose(y, expected));
  y.sum().backward();
  const at::Tensor slope = (x * (1 - (expected / 2).square())).sum().reshape({1});
  EXPECT_TRUE(at::allclose(module.parameters()[0].grad(), slope));
}

}  // namespace
}  // namespace onnx2fx::runtime
