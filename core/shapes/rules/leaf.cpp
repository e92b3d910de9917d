// Leaves of the loader's runtime. What returns the results of a sub-program is typed where programs
// are known: core/build/control_types.cpp.
#include <onnx/onnx_pb.h>

#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

using D = onnx::TensorProto;

// A tensor of strings, or of what is told of each, of the first argument's shape.
//   string, bool, int64: dtype
Returned strings(const TorchCall& c) {
  const int32_t dtype = c.says("bool") ? D::BOOL : c.says("int64") ? D::INT64 : int32_t{D::STRING};
  return tensor_of(c.dtype(dtype), c.self().dims);
}

Returned strings_joined(const TorchCall& c) {
  const auto &a = c.self().dims, &b = c.tensor(c.schema.arguments[1].name).dims;
  std::optional<Dims> dims;
  if (a && b) dims = c.sizes.broadcast(*a, *b);
  return tensor_of(c.says("bool") ? D::BOOL : int32_t{D::STRING}, std::move(dims));
}

Returned strings_constant(const TorchCall& c) { return tensor_of(D::STRING, c.integers("shape")); }

// Stop words go: one axis less long.
Returned strings_normalized(const TorchCall& c) {
  auto dims = c.self().dims;
  if (dims && !dims->empty()) dims->back().reset();
  return tensor_of(D::STRING, std::move(dims));
}

// The parts, padded to the longest, and how many there are of each.
Returned strings_split(const TorchCall& c) {
  auto dims = c.self().dims;
  if (dims) dims->emplace_back();
  return Types{tensor_of(D::STRING, std::move(dims)), tensor_of(D::INT64, c.self().dims)};
}

Returned strings_taken(const TorchCall& c) { return tensor_of(D::STRING, c.tensor("index").dims); }

Returned strings_positions(const TorchCall& c) {
  const TorchCall::Tensors all = c.tensors("xs");
  Types r;
  for (const Type& t : all.types) r.push_back(tensor_of(D::INT64, t.dims));
  return {std::move(r), all.open};
}

// [height, width, channels]
Returned image(const TorchCall& c) {
  const bool gray = c.operand("pixel_format").text == "Grayscale";
  return tensor_of(D::UINT8, Dims{MaybeSym(), MaybeSym(), Sym(gray ? 1 : 3)});
}

Returned optional_element(const TorchCall& c) {
  const Operand& o = c.operand("value");
  if (o.kind != Operand::Kind::kValue) return Type{};
  if (o.type->kind == O2FX_KIND_OPTIONAL) return o.type->elem ? *o.type->elem : Type{};
  return *o.type;
}

Returned has_element(const TorchCall&) { return tensor_of(D::BOOL, Dims{}); }

// A sequence with an element more or less.
Returned sequence(const TorchCall& c) {
  const TorchCall::Tensors all = c.tensors("sequence");
  std::optional<Type> element;
  Types each = all.types;
  if (c.operand("element").kind == Operand::Kind::kValue)
    each.push_back(*c.operand("element").type);
  for (const Type& t : each) element = element ? common(*element, t) : t;
  return {{element.value_or(Type{})}, true};
}

// Of a map, as a row [1, C]; strings where no dtype is asked for.
Returned map_row(const TorchCall& c) {
  MaybeSym columns = c.integer("width");
  for (const char* keys : {"integers", "texts"})
    if (const Operand& o = c.operand(keys); !o.items.empty())
      columns = Sym(static_cast<int64_t>(o.items.size()));
  return tensor_of(c.dtype(D::STRING), Dims{Sym(1), columns});
}

// A map for each row, from label to element.
Returned map_rows(const TorchCall& c) {
  Type map;
  map.kind = O2FX_KIND_MAP;
  map.dtype = c.operand("integers").items.empty() ? D::STRING : int32_t{D::INT64};
  map.elem = std::make_shared<Type>(tensor_of(c.self().dtype, Dims{}));
  return {{map}, true};
}

// As the call says: dtypes and ranks of all results, then the extents of one after the other; -1:
// not known.
Returned stated(const TorchCall& c) {
  const std::vector<Operand>& dtypes = c.operand("dtypes").items;
  const auto ranks = c.literals("ranks");
  const auto sizes = c.integers("sizes");
  Types r;
  size_t next = 0;
  for (size_t k = 0; k < dtypes.size(); k++) {
    std::optional<Dims> dims;
    if (ranks && sizes && k < ranks->size()) {
      dims.emplace();
      for (int64_t i = 0; i < (*ranks)[k] && next < sizes->size(); i++) {
        const MaybeSym& size = (*sizes)[next++];
        dims->push_back(size && size->is_literal() && size->literal() < 0 ? MaybeSym() : size);
      }
    }
    r.push_back(tensor_of(dtypes[k].dtype, std::move(dims)));
  }
  return r;
}

constexpr TypeRule kRules[] = {
    {"stated", stated},
    {"strings", strings},
    {"strings_joined", strings_joined},
    {"strings_constant", strings_constant},
    {"strings_normalized", strings_normalized},
    {"strings_split", strings_split},
    {"strings_taken", strings_taken},
    {"strings_positions", strings_positions},
    {"image", image},
    {"optional_element", optional_element},
    {"has_element", has_element},
    {"sequence", sequence},
    {"map_row", map_row},
    {"map_rows", map_rows},
};

}  // namespace

constinit const TypeRules kLeafRules = kRules;

}  // namespace onnx2fx::conversion
