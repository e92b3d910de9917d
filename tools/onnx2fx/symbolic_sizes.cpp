#include "tools/onnx2fx/symbolic_sizes.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "core/plugin/nearest.hpp"

namespace onnx2fx::cli {
namespace {

using Value = std::optional<int64_t>;

Value number(std::string_view text) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return n;
}

// ---- the functions that stand in dims

Value floordiv(int64_t a, int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return {};
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
Value mod(int64_t a, int64_t b) {
  if (b == 0 || b == -1) return b ? Value(0) : Value();
  const int64_t rest = a % b;
  return rest && (rest < 0) != (b < 0) ? rest + b : rest;
}
Value greatest(int64_t a, int64_t b) { return std::max(a, b); }
Value least(int64_t a, int64_t b) { return std::min(a, b); }
Value equal(int64_t a, int64_t b) { return a == b; }
Value less(int64_t a, int64_t b) { return a < b; }

struct Function {
  std::string_view name;
  Value (*call)(int64_t, int64_t);
};
constexpr std::array kFunctions = {Function{"floordiv", floordiv}, Function{"mod", mod},
                                   Function{"max", greatest},      Function{"min", least},
                                   Function{"equal", equal},       Function{"less", less}};

/// Recursive descent over the text of a dim, as conversion::SymTable writes it: sums of products of
/// numbers, names and functions. A name that the model's author gave to a dim of an input may hold
/// any character; elsewhere names are identifiers.
class Dim {
 public:
  Dim(std::string_view text, const std::set<std::string>& input_names,
      const std::map<std::string, int64_t>& given)
      : text_(text), input_names_(input_names), given_(given) {}

  /// nullopt: as a whole it is none of these, or a size is not given.
  Value value() {
    const Value v = sum();
    if (at_ != text_.size()) legible_ = false;
    return legible_ ? v : Value();
  }
  /// The names that stand in it; none where it is not legible.
  std::set<std::string> names() const { return legible_ ? names_ : std::set<std::string>(); }

 private:
  bool accept(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  Value sum() {
    Value all = accept("-") ? negated(product()) : product();
    while (legible_) {
      if (accept(" + ")) {
        all = added(all, product());
      } else if (accept(" - ")) {
        all = added(all, negated(product()));
      } else {
        break;
      }
    }
    return all;
  }
  Value product() {
    Value all = factor();
    while (legible_ && accept("*")) {
      const Value next = factor();
      int64_t both = 0;
      all = all && next && !__builtin_mul_overflow(*all, *next, &both) ? Value(both) : Value();
    }
    return all;
  }
  Value factor() {
    if (const std::string name = input_name(); !name.empty()) return sized(name);
    const std::string word = identifier();
    if (word.empty()) return legible_ = false, Value();
    if (std::isdigit(static_cast<unsigned char>(word[0]))) {
      const Value n = number(word);
      legible_ &= n.has_value();
      return n;
    }
    return accept("(") ? call(word) : sized(word);
  }
  Value call(std::string_view name) {
    const auto* f = std::ranges::find(kFunctions, name, &Function::name);
    if (f == kFunctions.end()) return legible_ = false, Value();
    const Value a = sum();
    legible_ &= accept(", ");
    const Value b = sum();
    legible_ &= accept(")");
    return a && b ? f->call(*a, *b) : Value();
  }
  Value sized(const std::string& name) {
    names_.insert(name);
    const auto found = given_.find(name);
    return found == given_.end() ? Value() : Value(found->second);
  }

  /// The longest that goes on here and ends where a name can.
  std::string input_name() {
    std::string longest;
    for (const std::string& name : input_names_) {
      const std::string_view rest = text_.substr(at_);
      if (rest.starts_with(name) && name.size() > longest.size() &&
          (rest.size() == name.size() || !is_of_identifier(rest[name.size()])))
        longest = name;
    }
    at_ += longest.size();
    return longest;
  }
  std::string identifier() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_of_identifier(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }
  static bool is_of_identifier(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  }
  static Value negated(Value v) { return v && *v != INT64_MIN ? Value(-*v) : Value(); }
  static Value added(Value a, Value b) {
    int64_t both = 0;
    return a && b && !__builtin_add_overflow(*a, *b, &both) ? Value(both) : Value();
  }

  std::string_view text_;
  const std::set<std::string>& input_names_;
  const std::map<std::string, int64_t>& given_;
  size_t at_ = 0;
  bool legible_ = true;
  std::set<std::string> names_;
};

std::set<std::string> names_of_inputs(const fx::Module& module) {
  std::set<std::string> names;
  for (const fx::Port& p : module.inputs)
    for (const std::string& dim : p.type.shape.value_or(std::vector<std::string>()))
      if (!number(dim) && !dim.empty() && dim != "?") names.insert(dim);
  return names;
}

std::string joined(const std::set<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace

SymbolicSizes::SymbolicSizes(const fx::Module& module, const std::vector<std::string>& given)
    : input_names_(names_of_inputs(module)), names_(input_names_) {
  find_names(module);
  std::vector<Diagnostic> faults;
  for (const std::string& list : given) give(list, faults);
  if (!faults.empty()) throw ConversionError(faults);
}

SymbolicSizes::SymbolicSizes(const fx::Module& module, const SymbolicSizes& checked)
    : input_names_(names_of_inputs(module)), names_(input_names_), given_(checked.given_) {
  find_names(module);
}

void SymbolicSizes::find_names(const fx::Module& module) {
  for (const fx::Program& p : module.programs)
    for (const fx::Node& n : p.nodes)
      for (const std::string& dim : n.type.shape.value_or(std::vector<std::string>())) {
        Dim text(dim, input_names_, given_);
        text.value();
        names_.merge(text.names());
      }
}

void SymbolicSizes::give(std::string_view list, std::vector<Diagnostic>& faults) {
  const auto fault = [&](std::string what, std::vector<std::string> notes = {}) {
    faults.push_back({Severity::kError, "--size", std::move(what), std::move(notes)});
  };
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view item = list.substr(begin, end - begin);
    const size_t sign = std::min(item.rfind('='), item.size());
    const std::string name(item.substr(0, sign));
    const Value size = sign < item.size() ? number(item.substr(sign + 1)) : Value();
    begin = end + 1;
    if (name.empty() || !size || *size < 0) {
      fault("expected NAME=N,..., got '" + std::string(item) + "'");
    } else if (names_.empty()) {
      fault("expected none, since every size of the model is fixed, got '" + name + "'");
    } else if (!names_.contains(name)) {
      fault("expected one of " + joined(names_) + ", got '" + name + "'",
            plugin::did_you_mean(name, {names_.begin(), names_.end()}));
    } else if (!given_.emplace(name, *size).second) {
      fault("'" + name + "' is given twice");
    }
  }
}

std::optional<int64_t> SymbolicSizes::of(const std::string& dim) {
  if (const Value n = number(dim)) return n;
  const auto [known, fresh] = known_.try_emplace(dim);
  if (!fresh && known->second) return known->second;
  Dim text(dim, input_names_, given_);
  known->second = text.value();
  if (known->second && *known->second < 0)
    throw ConversionError("--size",
                          dim + ": expected 0 or more, got " + std::to_string(*known->second));
  for (const std::string& name : text.names())
    if (!given_.contains(name)) {
      needed_.insert(name);
      ++waits_;
    }
  return known->second;
}

std::optional<std::vector<int64_t>> SymbolicSizes::of(const fx::TypeText& type) {
  if (!type.shape) return {};
  std::vector<int64_t> sizes;
  bool all = true;
  for (const std::string& dim : *type.shape) {
    const Value size = of(dim);
    all &= size.has_value();
    sizes.push_back(size.value_or(0));
  }
  return all ? std::optional(std::move(sizes)) : std::nullopt;
}

}  // namespace onnx2fx::cli
