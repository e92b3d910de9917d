// Strings, which torch has not: string tensors are host-side values of the loader's runtime.
#include <algorithm>
#include <numeric>
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/sizes.hpp"

using namespace onnx2fx;

namespace {

void string_normalizer(Node& n) {
  const std::string action = one_of(n, "case_change_action", {"NONE", "LOWER", "UPPER"});
  // The letters i of Turkish, Azerbaijani and Lithuanian are the ones whose case depends on the
  // locale.
  const std::string language = n.text("locale", "en").substr(0, 2);
  if (language == "tr" || language == "az" || language == "lt")
    throw Unsupported("the letter case of locale '" + language + "'");
  const std::vector<std::string> stopwords = n.texts("stopwords");
  n.output(n.call(
      "onnx2fx::string_normalize",
      {n.input(0), stopwords, n.flag("is_case_sensitive", false), std::string_view(action)}));
}

void string_split(Node& n) {
  const std::string delimiter = n.text("delimiter", "");
  const Arg separator = delimiter.empty() ? Arg(nullptr) : Arg(std::string_view(delimiter));
  n.outputs(
      n.calls(2, "onnx2fx::string_split", {n.input(0), separator, n.integer("maxsplit", -1)}));
}

void regex_full_match(Node& n) {
  const std::string pattern = n.text("pattern");
  n.output(n.call("onnx2fx::regex_full_match", {n.input(0), std::string_view(pattern)}));
}

// ---- TfIdfVectorizer

// The n-grams of one length, as rows of word numbers, and their columns in the output.
struct Grams {
  int64_t length = 1;
  std::vector<int64_t> words, columns;
};
std::vector<Grams> grams_of(Node& n, const std::vector<int64_t>& words) {
  const auto starts = n.integers("ngram_counts"), columns = n.integers("ngram_indexes");
  const int64_t shortest = n.integer("min_gram_length"), longest = n.integer("max_gram_length");
  std::vector<Grams> r;
  size_t column = 0;
  for (size_t k = 0; k < starts.size(); k++) {
    Grams g;
    g.length = static_cast<int64_t>(k) + 1;
    const int64_t end = k + 1 < starts.size() ? starts[k + 1] : static_cast<int64_t>(words.size());
    const int64_t count = (end - starts[k]) / g.length;
    if (starts[k] < 0 || end < starts[k] || end > static_cast<int64_t>(words.size()) ||
        column + static_cast<size_t>(count) > columns.size())
      throw Invalid("attribute 'ngram_counts': expected starts within the pool, in order");
    g.words.assign(words.begin() + starts[k], words.begin() + starts[k] + count * g.length);
    for (int64_t i = 0; i < count; i++) g.columns.push_back(columns[column++]);
    if (count && g.length >= shortest && g.length <= longest) r.push_back(g);
  }
  return r;
}

// Each word of the input as the number of its first place in the pool, or -1; `pool` becomes these
// numbers too.
Value word_numbers(Node& n, Value x, std::vector<int64_t>& pool) {
  const std::vector<std::string> texts = n.texts("pool_strings");
  const auto first_place = [&](const auto& all) {
    pool.clear();
    for (const auto& word : all)
      pool.push_back(std::find(all.begin(), all.end(), word) - all.begin());
  };
  if (!texts.empty()) {
    first_place(texts);
    return n.call("onnx2fx::strings_lookup", {x, texts});
  }
  const std::vector<int64_t> numbers = n.int64s("pool_int64s");
  first_place(numbers);
  const Value table = n.constant("pool", kInt64, numbers, {static_cast<int64_t>(numbers.size())});
  const Value same = n.call("aten::eq.Tensor", {n.call("aten::unsqueeze", {x, -1}), table});
  const Value first = n.call("aten::argmax", {n.call("aten::to.dtype", {same, Dtype{kInt64}}), -1});
  const Value none = n.call("aten::logical_not", {n.call("aten::any.dim", {same, -1})});
  return n.call("aten::masked_fill.Scalar", {first, none, -1});
}

// How often each n-gram occurs with `skip` words left out between neighbours. Padding that is no
// word makes every input as long as the window.
Value occurrences(Node& n, Value words, const Grams& g, int64_t skip) {
  const int64_t span = (g.length - 1) * (skip + 1) + 1;
  const Value padded =
      span == 1 ? words : n.call("aten::constant_pad_nd", {words, Ints{0, span - 1}, -1});
  Value windows = n.call("aten::unfold", {padded, -1, span, 1});
  if (skip) windows = n.call("aten::slice.Tensor", {windows, -1, 0, span, skip + 1});
  const Value table =
      n.constant("ngrams", kInt64, g.words, {static_cast<int64_t>(g.columns.size()), g.length});
  const Value equal = n.call("aten::eq.Tensor", {n.call("aten::unsqueeze", {windows, -2}), table});
  return n.call("aten::sum.dim_IntList", {n.call("aten::all.dim", {equal, -1}), Ints{-2}});
}

// The weights stand in the order of the pool's n-grams, as ngram_indexes does.
std::vector<float> weights_by_column(Node& n, size_t width) {
  const auto columns = n.integers("ngram_indexes");
  const auto weights = n.reals("weights");
  std::vector<float> r(width, 1);
  for (size_t i = 0; i < weights.size() && i < columns.size(); i++)
    r[static_cast<size_t>(columns[i])] = static_cast<float>(weights[i]);
  return r;
}

void tf_idf_vectorizer(Node& n) {
  const std::string mode = one_of(n, "mode", {"TF", "IDF", "TFIDF"});
  const Value x = n.input(0);
  const int32_t rank = n.rank(x);
  std::vector<int64_t> pool;
  Value words = word_numbers(n, x, pool);
  if (rank == 0) words = n.call("aten::reshape", {words, Ints{1}});
  const auto columns = n.integers("ngram_indexes");
  const int64_t width = columns.empty() ? 0 : *std::max_element(columns.begin(), columns.end()) + 1;
  const int64_t skips = n.integer("max_skip_count");
  Ints shape;
  if (rank == 2) shape.push_back(sizes::number(n.call("aten::sym_size.int", {words, 0})));
  shape.push_back(width);
  Value counts = n.call("aten::new_zeros", {words, shape});
  for (const Grams& g : grams_of(n, pool)) {
    const Value at =
        n.constant("columns", kInt64, g.columns, {static_cast<int64_t>(g.columns.size())});
    for (int64_t skip = 0; skip <= (g.length == 1 ? 0 : skips); skip++)
      counts = n.call("aten::index_add", {counts, -1, at, occurrences(n, words, g, skip)});
  }
  if (mode == "IDF") counts = n.call("aten::gt.Scalar", {counts, 0});
  counts = n.call("aten::to.dtype", {counts, Dtype{kFloat}});
  const std::vector<float> weights = weights_by_column(n, static_cast<size_t>(width));
  if (mode != "TF" && n.has("weights"))
    counts = n.call("aten::mul.Tensor",
                    {counts, n.constant("weights", kFloat, weights, {width}, O2FX_ROLE_BUFFER)});
  n.output(counts);
}

constexpr o2fx_op kOps[] = {
    op("RegexFullMatch", 20, lower<regex_full_match>),
    direct("StringConcat", 20, "onnx2fx::string_concat"),
    op("StringNormalizer", 10, lower<string_normalizer>),
    op("StringSplit", 20, lower<string_split>),
    op("TfIdfVectorizer", 9, lower<tf_idf_vectorizer>),
};

}  // namespace

const Family kStrings = family(kOps);
