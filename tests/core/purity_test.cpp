// Calls that no graph of values can hold, and the ones to take in their place.
#include "core/fx/purity.hpp"

#include <gtest/gtest.h>

namespace onnx2fx::fx {

static std::string of(const char* target) { return impurity(*find_schema(target)); }

TEST(Purity, FunctionsAreFine) {
  for (const char* target : {"aten::add.Tensor", "aten::relu", "aten::batch_norm", "aten::dropout",
                             "aten::native_dropout", "onnx2fx::loop"})
    EXPECT_EQ(of(target), "") << target;
}

TEST(Purity, WritersNameTheFunctionalOverload) {
  EXPECT_EQ(of("aten::add_.Tensor"), "it writes to its argument 'self': expected aten::add.Tensor");
  EXPECT_EQ(of("aten::relu_"), "it writes to its argument 'self': expected aten::relu");
  EXPECT_EQ(of("aten::add.out"), "it writes to its argument 'out': expected aten::add.Tensor");
  EXPECT_EQ(of("aten::max.dim_max"), "it writes to its argument 'max': expected aten::max.dim");
  EXPECT_EQ(of("aten::normal_"),
            "it writes to its argument 'self': expected aten::normal_functional");
  EXPECT_EQ(of("aten::_native_batch_norm_legit"),
            "it writes to its argument 'running_mean': expected "
            "aten::_native_batch_norm_legit_functional");
  EXPECT_EQ(of("aten::_foreach_add_.List"),
            "it writes to its argument 'self': expected aten::_foreach_add.List");
  EXPECT_EQ(of("aten::set_.source_Tensor"),
            "it writes to its argument 'self': expected aten::set.source_Tensor");
  EXPECT_EQ(of("aten::requires_grad_"),
            "it writes to its argument 'self': expected an operator that does not");
}

TEST(Purity, WhatActsOutsideTheProgram) {
  EXPECT_EQ(of("aten::from_file"),
            "it acts outside the program: expected an operator on tensors alone");
  EXPECT_EQ(of("aten::_print"), "it returns nothing: expected an operator with a result");
  EXPECT_EQ(of("aten::_assert_async"), "it returns nothing: expected an operator with a result");
}

}  // namespace onnx2fx::fx
