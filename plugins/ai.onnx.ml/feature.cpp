// Columns of features: picked, scaled, filled in, put together.
#include <algorithm>
#include <cmath>

#include "plugins/ai.onnx.ml/families.hpp"
#include "plugins/ai.onnx.ml/table.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/dtype.hpp"

using namespace onnx2fx;

namespace {

// A vector is a row; the columns Y of the last axis.
void array_feature_extractor(Node& n) {
  const Value x = n.input(0);
  const Value columns = n.call("aten::reshape", {n.input(1), Ints{-1}});
  const bool text = n.dtype(x) == kString;
  Value from = text ? n.calls(1, "onnx2fx::strings_positions", {Values{x}})[0] : x;
  if (n.rank(x, 1) == 1) from = n.call("aten::unsqueeze", {from, 0});
  const Value y = n.call("aten::index_select", {from, -1, columns});
  n.output(text ? n.call("onnx2fx::strings_take", {Values{x}, y}) : y);
}

void binarizer(Node& n) {
  const Value x = n.input(0);
  const Value above = n.call("aten::gt.Scalar", {x, n.real("threshold")});
  n.output(to_dtype(n, above, n.dtype(x)));
}

// The first columns, as many as stated; missing ones are 0.
Value fitted(Node& n, Value x, int64_t columns) {
  if (n.rank(x) != 2)
    throw Unsupported("expected inputs of rank 2, got " + std::to_string(n.rank(x)));
  const Value v = n.cast(x, kFloat);
  const Int width = n.dim(x, 1);
  if (width.is(columns)) return v;
  const Int missing = n.max(n.sub(columns, width), 0);
  const Value cut = n.call("aten::slice.Tensor", {v, 1, 0, columns});
  return missing.is(0) ? cut : n.call("aten::constant_pad_nd", {cut, Ints{0, missing}});
}

void feature_vectorizer(Node& n) {
  const auto widths = n.integers("inputdimensions");
  const Values xs = n.inputs();
  if (widths.size() != xs.size())
    throw Invalid("attribute 'inputdimensions': expected " + std::to_string(xs.size()) +
                  " values, got " + std::to_string(widths.size()));
  Values parts;
  for (size_t i = 0; i < xs.size(); i++) parts.push_back(fitted(n, xs[i], widths[i]));
  n.output(n.call("aten::cat", {parts, 1}));
}

void check_columns(Node& n, Value x, size_t count, const char* attribute) {
  const Int width = n.dim(x, n.rank(x, 1) - 1);
  if (count != 1 && width.known() && !width.is(static_cast<int64_t>(count)))
    throw Invalid("attribute '" + std::string(attribute) + "': expected one value, or " +
                  std::to_string(width.arg.u.i) + ", got " + std::to_string(count));
}

void imputer(Node& n) {
  const Value x = n.input(0);
  const bool real = is_floating(n.dtype(x));
  const char* attribute = real ? "imputed_value_floats" : "imputed_value_int64s";
  n.ignore(real ? "replaced_value_int64" : "replaced_value_float");
  n.ignore(real ? "imputed_value_int64s" : "imputed_value_floats");
  const auto reals = real ? n.reals(attribute) : std::vector<double>{};
  const auto integers = real ? std::vector<int64_t>{} : n.int64s(attribute);
  if (reals.empty() && integers.empty())
    throw Invalid("attribute '" + std::string(attribute) + "': expected values, got none");
  check_columns(n, x, std::max(reals.size(), integers.size()), attribute);
  Value values = real ? table(n, "imputed", n.dtype(x), reals)
                      : n.cast(table(n, "imputed", kInt64, integers), n.dtype(x));
  Value hole;
  if (!real) {
    hole = n.call("aten::eq.Scalar", {x, n.int64("replaced_value_int64")});
  } else if (const double replaced = n.real("replaced_value_float"); std::isnan(replaced)) {
    hole = n.call("aten::isnan", {x});
  } else {
    hole = n.call("aten::eq.Scalar", {x, replaced});
  }
  n.output(n.call("aten::where.self", {hole, values, x}));
}

// By row, as a vector is one; where the divisor is 0, the row stays as it is. MAX is the greatest
// element, not the greatest size: so the standard and ONNX Runtime have it.
void normalizer(Node& n) {
  const std::string norm = one_of(n, "norm", {"MAX", "L1", "L2"});
  const int32_t rank = n.rank(n.input(0), 1);
  if (rank > 2) throw Unsupported("expected X of rank 1 or 2, got " + std::to_string(rank));
  const Value x = n.cast(n.input(0), kFloat);
  const Value size = n.call("aten::abs", {x});
  Value by;
  if (norm == "MAX")
    by = n.call("aten::amax", {x, Ints{-1}, true});
  else if (norm == "L1")
    by = n.call("aten::sum.dim_IntList", {size, Ints{-1}, true});
  else
    by = n.call("aten::linalg_vector_norm", {x, 2, Ints{-1}, true});
  const Value empty = n.call("aten::eq.Scalar", {by, 0});
  n.output(n.call("aten::div.Tensor", {x, n.call("aten::masked_fill.Scalar", {by, empty, 1})}));
}

void scaler(Node& n) {
  const Value x = n.input(0);
  const auto offset = n.reals("offset"), scale = n.reals("scale");
  check_columns(n, x, offset.size(), "offset");
  check_columns(n, x, scale.size(), "scale");
  Value y = n.cast(x, kFloat);
  y = n.call("aten::sub.Tensor", {y, table(n, "offset", kFloat, offset)});
  n.output(n.call("aten::mul.Tensor", {y, table(n, "scale", kFloat, scale)}));
}

constexpr o2fx_op kOps[] = {
    op("ArrayFeatureExtractor", 1, lower<array_feature_extractor>, 0, kMl),
    op("Binarizer", 1, lower<binarizer>, 0, kMl),
    op("FeatureVectorizer", 1, lower<feature_vectorizer>, 0, kMl),
    op("Imputer", 1, lower<imputer>, 0, kMl),
    op("Normalizer", 1, lower<normalizer>, 0, kMl),
    op("Scaler", 1, lower<scaler>, 0, kMl),
};

}  // namespace

const Family kFeatures = family(kOps);
