// Maps, which torch has not: Python dictionaries of the loader's runtime.
#include "plugins/ai.onnx.ml/families.hpp"
#include "plugins/ai.onnx.ml/table.hpp"
#include "plugins/lowering/choices.hpp"

using namespace onnx2fx;

namespace {

// Zero or more keys: either all integers or all strings.
struct Vocabulary {
  std::vector<int64_t> integers;
  std::vector<std::string> texts;
};
Vocabulary read_vocabulary(Node& n, const char* integers, const char* texts) {
  Vocabulary v{n.int64s(integers), n.texts(texts)};
  if (v.integers.empty() == v.texts.empty())
    throw Invalid("expected either " + std::string(integers) + " or " + texts +
                  ", got both or none");
  return v;
}

void cast_map(Node& n) {
  const std::string to = one_of(n, "cast_to", {"TO_FLOAT", "TO_STRING", "TO_INT64"});
  const bool sparse = choice(n, "map_form", {"DENSE", "SPARSE"}) == 1;
  const int64_t width = n.integer("max_map");
  if (to == "TO_STRING" && sparse)
    throw Unsupported("TO_STRING of a sparse map: the standard does not say what fills it up");
  Arg dtype(nullptr);
  if (to != "TO_STRING") dtype = Dtype{to == "TO_FLOAT" ? kFloat : kInt64};
  n.output(n.call("onnx2fx::map_cast", {n.input(0), dtype, sparse ? Arg(width) : Arg(nullptr)}));
}

void dict_vectorizer(Node& n) {
  const Value x = n.input(0);
  const Vocabulary v = read_vocabulary(n, "int64_vocabulary", "string_vocabulary");
  const Info type = n.info(x);
  const o2fx_value_info* element = type.raw.elem;
  if (type.raw.kind != O2FX_KIND_MAP || !element || !element->dtype)
    throw Unsupported("expected a map of known type");
  const Arg dtype = element->dtype == kString ? Arg(nullptr) : Arg(Dtype{element->dtype});
  n.output(n.call("onnx2fx::map_vectorize", {x, v.integers, v.texts, dtype}));
}

void zip_map(Node& n) {
  const Vocabulary v = read_vocabulary(n, "classlabels_int64s", "classlabels_strings");
  n.output(n.call("onnx2fx::map_zip", {n.input(0), v.integers, v.texts}));
}

constexpr o2fx_op kOps[] = {
    op("CastMap", 1, lower<cast_map>, 0, kMl),
    op("DictVectorizer", 1, lower<dict_vectorizer>, 0, kMl),
    op("ZipMap", 1, lower<zip_map>, 0, kMl),
};

}  // namespace

const Family kMaps = family(kOps);
