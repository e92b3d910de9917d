// Operators on string tensors. ONNX's regular expressions are RE2's.
#include <ATen/ExpandUtils.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <re2/re2.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/runtime/coerce.hpp"
#include "core/runtime/leaf_functions.hpp"
#include "core/runtime/number_text.hpp"
#include "core/runtime/strings.hpp"
#include "core/runtime/utf8.hpp"

namespace onnx2fx::runtime::leaf {
namespace {

std::vector<std::string> texts(const c10::IValue& list) {
  std::vector<std::string> result;
  for (const c10::IValue& item : list.toListRef()) result.push_back(item.toStringRef());
  return result;
}

at::Tensor numbers(at::IntArrayRef dims, at::ScalarType type) {
  return at::empty(dims, at::TensorOptions().dtype(type));
}

// For each element of the broadcast shape the places of its two operands.
struct Broadcast {
  Broadcast(const Strings& a, const Strings& b)
      : dims(at::infer_size(a.dims, b.dims)), left(places(a)), right(places(b)) {}

  std::vector<int64_t> dims;
  std::vector<int64_t> left, right;

 private:
  std::vector<int64_t> places(const Strings& s) const {
    const at::Tensor at = at::arange(static_cast<int64_t>(s.elements.size()))
                              .reshape(s.dims)
                              .expand(dims)
                              .contiguous();
    return std::vector<int64_t>(at.const_data_ptr<int64_t>(),
                                at.const_data_ptr<int64_t>() + at.numel());
  }
};

// At runs of whitespace, which leave nothing at either end; what is left after `most` splits stays
// whole.
std::vector<std::string> split_at_spaces(const std::string& text, int64_t most) {
  const std::u32string characters = decode(text);
  const auto end = characters.end();
  std::vector<std::string> parts;
  for (auto begin = std::find_if_not(characters.begin(), end, is_space); begin != end;) {
    const bool rest = most >= 0 && static_cast<int64_t>(parts.size()) == most;
    const auto stop = rest ? end : std::find_if(begin, end, is_space);
    parts.push_back(encode({begin, stop}));
    begin = std::find_if_not(stop, end, is_space);
  }
  return parts;
}

std::vector<std::string> split_at(const std::string& text, const std::string& delimiter,
                                  int64_t most) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t end = text.find(delimiter, begin);
    if (end == std::string::npos) break;
    parts.push_back(text.substr(begin, end - begin));
    begin = end + delimiter.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

}  // namespace

c10::IValue strings(Arguments& x, const Context&) {
  std::vector<std::string> items = texts(x[0]);
  std::vector<int64_t> dims = x[1].toIntVector();
  const int64_t count = c10::multiply_integers(dims);
  TORCH_CHECK(count == static_cast<int64_t>(items.size()), "expected ", count, " items for ",
              at::IntArrayRef(dims), ", got ", items.size());
  return make_strings(std::move(dims), std::move(items));
}

c10::IValue strings_equal(Arguments& x, const Context&) {
  const Strings &a = to_strings(x[0]), &b = to_strings(x[1]);
  const Broadcast pairs(a, b);
  at::Tensor equal = numbers(pairs.dims, at::kBool);
  bool* out = equal.mutable_data_ptr<bool>();
  for (size_t i = 0; i < pairs.left.size(); i++)
    out[i] = a.elements[static_cast<size_t>(pairs.left[i])] ==
             b.elements[static_cast<size_t>(pairs.right[i])];
  return equal;
}

c10::IValue string_concat(Arguments& x, const Context&) {
  const Strings &a = to_strings(x[0]), &b = to_strings(x[1]);
  const Broadcast pairs(a, b);
  std::vector<std::string> joined;
  for (size_t i = 0; i < pairs.left.size(); i++)
    joined.push_back(a.elements[static_cast<size_t>(pairs.left[i])] +
                     b.elements[static_cast<size_t>(pairs.right[i])]);
  return make_strings(pairs.dims, std::move(joined));
}

c10::IValue strings_from_tensor(Arguments& x, const Context&) {
  const at::Tensor tensor = x[0].toTensor().detach().cpu().contiguous();
  const at::ScalarType type = tensor.scalar_type();
  TORCH_CHECK(!tensor.is_complex(), "expected real numbers, got ", dtype_name(type));
  std::vector<std::string> items;
  if (type == at::kBool) {
    for (int64_t i = 0; i < tensor.numel(); i++)
      items.push_back(tensor.const_data_ptr<bool>()[i] ? "True" : "False");
  } else if (type == at::kUInt64) {
    for (int64_t i = 0; i < tensor.numel(); i++)
      items.push_back(std::to_string(tensor.const_data_ptr<uint64_t>()[i]));
  } else if (tensor.is_floating_point()) {
    const at::Tensor wide =
        tensor.to(at::kFloat8_e8m0fnu == type ? at::kFloat : at::kDouble).to(at::kDouble);
    for (int64_t i = 0; i < wide.numel(); i++)
      items.push_back(number_text(wide.const_data_ptr<double>()[i], type));
  } else {
    const at::Tensor wide = tensor.to(at::kLong);
    for (int64_t i = 0; i < wide.numel(); i++)
      items.push_back(std::to_string(wide.const_data_ptr<int64_t>()[i]));
  }
  return make_strings(tensor.sizes().vec(), std::move(items));
}

c10::IValue strings_to_tensor(Arguments& x, const Context&) {
  const Strings& s = to_strings(x[0]);
  const auto type = static_cast<at::ScalarType>(x[1].toInt());
  if (c10::isFloatingType(type)) {
    at::Tensor wide = numbers(s.dims, at::kDouble);
    std::transform(s.elements.begin(), s.elements.end(), wide.mutable_data_ptr<double>(),
                   parse_real);
    return wide.to(type);
  }
  const bool bits = type == at::kUInt64;
  at::Tensor wide = numbers(s.dims, bits ? type : at::kLong);
  auto* const out = static_cast<int64_t*>(wide.mutable_data_ptr());
  std::transform(s.elements.begin(), s.elements.end(), out,
                 [&](const std::string& text) { return parse_integer(text, type); });
  return bits ? wide : wide.to(type);
}

// For each element its first place in the pool, -1 if it is not there.
c10::IValue strings_lookup(Arguments& x, const Context&) {
  const Strings& s = to_strings(x[0]);
  std::unordered_map<std::string, int64_t> places;
  int64_t place = 0;
  for (std::string& text : texts(x[1])) places.emplace(std::move(text), place++);
  at::Tensor found = numbers(s.dims, at::kLong);
  std::transform(s.elements.begin(), s.elements.end(), found.mutable_data_ptr<int64_t>(),
                 [&](const std::string& text) {
                   const auto known = places.find(text);
                   return known == places.end() ? -1 : known->second;
                 });
  return found;
}

// Tensors of the shapes of the arguments that number their elements consecutively.
c10::IValue strings_positions(Arguments& x, const Context&) {
  c10::List<at::Tensor> result;
  int64_t start = 0;
  for (const c10::IValue& item : x[0].toListRef()) {
    const Strings& s = to_strings(item);
    const int64_t count = static_cast<int64_t>(s.elements.size());
    result.push_back(at::arange(start, start + count, at::kLong).reshape(s.dims));
    start += count;
  }
  return result;
}

// The elements that strings_positions numbered so.
c10::IValue strings_take(Arguments& x, const Context&) {
  std::vector<const std::string*> pool;
  const auto sources = x[0].toListRef();
  for (const c10::IValue& item : sources)
    for (const std::string& text : to_strings(item).elements) pool.push_back(&text);
  const at::Tensor index = x[1].toTensor().to(at::kLong).contiguous();
  std::vector<std::string> taken;
  for (int64_t i = 0; i < index.numel(); i++) {
    const int64_t place = index.const_data_ptr<int64_t>()[i];
    TORCH_CHECK(0 <= place && place < static_cast<int64_t>(pool.size()),
                "index: expected one in [0, ", static_cast<int64_t>(pool.size()) - 1, "], got ",
                place);
    taken.push_back(*pool[static_cast<size_t>(place)]);
  }
  return make_strings(index.sizes().vec(), std::move(taken));
}

// Drops the stopwords, then changes the case; a result of no element is one empty string.
c10::IValue string_normalize(Arguments& x, const Context&) {
  const Strings& s = to_strings(x[0]);
  const bool sensitive = x[2].toBool();
  const std::string action = x[3].toStringRef();
  TORCH_CHECK(s.dims.size() == 1 || (s.dims.size() == 2 && s.dims[0] == 1),
              "expected shape [C] or [1, C], got ", at::IntArrayRef(s.dims));
  std::unordered_set<std::string> dropped;
  for (std::string& word : texts(x[1])) dropped.insert(sensitive ? std::move(word) : lower(word));
  std::vector<std::string> kept;
  for (const std::string& text : s.elements) {
    if (!dropped.empty() && dropped.contains(sensitive ? text : lower(text))) continue;
    kept.push_back(action == "LOWER" ? lower(text) : action == "UPPER" ? upper(text) : text);
  }
  if (kept.empty()) kept.emplace_back();
  std::vector<int64_t> dims = s.dims;
  dims.back() = static_cast<int64_t>(kept.size());
  return make_strings(std::move(dims), std::move(kept));
}

// The parts of each element, filled up with "" along a new last axis, and their number.
c10::IValue string_split(Arguments& x, const Context&) {
  const Strings& s = to_strings(x[0]);
  const int64_t most = x[2].toInt();
  std::vector<std::vector<std::string>> all;
  size_t width = 0;
  at::Tensor counts = numbers(s.dims, at::kLong);
  for (const std::string& text : s.elements) {
    all.push_back(x[1].isNone() ? split_at_spaces(text, most)
                                : split_at(text, x[1].toStringRef(), most));
    counts.mutable_data_ptr<int64_t>()[all.size() - 1] = static_cast<int64_t>(all.back().size());
    width = std::max(width, all.back().size());
  }
  std::vector<std::string> items;
  for (std::vector<std::string>& parts : all) {
    parts.resize(width);
    std::move(parts.begin(), parts.end(), std::back_inserter(items));
  }
  std::vector<int64_t> dims = s.dims;
  dims.push_back(static_cast<int64_t>(width));
  return c10::ivalue::Tuple::create(make_strings(std::move(dims), std::move(items)),
                                    std::move(counts));
}

c10::IValue regex_full_match(Arguments& x, const Context&) {
  const Strings& s = to_strings(x[0]);
  const std::string& pattern = x[1].toStringRef();
  RE2::Options quiet;
  quiet.set_log_errors(false);
  const RE2 regex(pattern, quiet);
  TORCH_CHECK(regex.ok(), "pattern '", pattern, "': ", regex.error());
  at::Tensor matches = numbers(s.dims, at::kBool);
  std::transform(s.elements.begin(), s.elements.end(), matches.mutable_data_ptr<bool>(),
                 [&](const std::string& text) { return RE2::FullMatch(text, regex); });
  return matches;
}

}  // namespace onnx2fx::runtime::leaf
