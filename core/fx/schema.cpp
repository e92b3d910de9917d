#include "core/fx/schema.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <unordered_map>

namespace onnx2fx::embedded {
extern const std::string_view aten_schemas_txt;
}  // namespace onnx2fx::embedded

namespace onnx2fx::fx {
namespace {

using Kind = SchemaType::Kind;

constexpr std::string_view kLeaves[] = {
#define LEAF(name, family, schema) std::string_view{"onnx2fx::" #name schema},
#include "core/fx/leaves.def"
};

// The first name of a kind is the one that to_string writes.
constexpr std::array<std::pair<std::string_view, Kind>, 17> kTypeNames = {{
    {"Tensor", Kind::kTensor},
    {"int", Kind::kInt},
    {"SymInt", Kind::kInt},
    {"float", Kind::kFloat},
    {"Scalar", Kind::kNumber},
    {"bool", Kind::kBool},
    {"SymBool", Kind::kBool},
    {"str", Kind::kStr},
    {"ScalarType", Kind::kScalarType},
    {"Device", Kind::kDevice},
    {"Layout", Kind::kLayout},
    {"MemoryFormat", Kind::kMemoryFormat},
    {"Generator", Kind::kGenerator},
    {"Any", Kind::kAny},
    {"Program", Kind::kProgram},
    {"Strings", Kind::kStrings},
    {"Other", Kind::kOther},
}};

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == ':';
}

/// Recursive descent over one line: name "(" arguments ")" "->" returns.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Schema schema() {
    Schema s;
    s.name = word("a name");
    expect("(");
    bool kw_only = false;
    if (!accept(")")) {
      do {
        if (accept("*")) {
          kw_only = true;
        } else {
          s.arguments.push_back(argument(kw_only));
        }
      } while (accept(","));
      expect(")");
    }
    expect("->");
    returns(s);
    if (at_ != text_.size()) fail("the end");
    return s;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) {
    throw std::invalid_argument("schema '" + std::string(text_) + "': expected " + expected +
                                " at column " + std::to_string(at_ + 1));
  }
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool accept(std::string_view token) {
    skip();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail("'" + std::string(token) + "'");
  }
  std::string_view word(const char* what) {
    skip();
    size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    if (at_ == begin) fail(what);
    return text_.substr(begin, at_ - begin);
  }

  SchemaArgument argument(bool kw_only) {
    SchemaArgument a;
    a.kw_only = kw_only;
    std::string_view alias;
    a.type = type(&alias);
    a.mutated = alias.find('!') != std::string_view::npos;
    a.name = word("an argument name");
    if (accept("=")) {
      a.has_default = true;
      a.default_value = literal();
    }
    return a;
  }

  void returns(Schema& s) {
    if (!accept("(")) {
      s.returns.push_back(returned(s.views));
      return;
    }
    if (accept(")")) return;
    do s.returns.push_back(returned(s.views));
    while (accept(","));
    expect(")");
  }

  SchemaType returned(bool& views) {
    std::string_view alias;
    SchemaType t = type(&alias);
    views |= t.kind == Kind::kTensor && !alias.empty() && alias.find('!') == std::string_view::npos;
    skip();
    if (at_ < text_.size() && is_name(text_[at_])) word("a name");
    return t;
  }

  SchemaType type(std::string_view* alias) {
    SchemaType t;
    std::string_view name = word("a type");
    for (auto& [known, kind] : kTypeNames) {
      if (name == known) t.kind = kind;
    }
    for (;;) {
      if (text_.substr(at_).starts_with("(")) {  // "Dict(Tensor, Tensor)" or an alias "(a!)"
        size_t end = text_.find(')', at_);
        if (end == std::string_view::npos) fail("')'");
        *alias = text_.substr(at_, end - at_);
        at_ = end + 1;
      } else if (text_.substr(at_).starts_with("[")) {
        ++at_;
        t.element_optional = t.optional;
        t.optional = false;
        t.list = true;
        if (!accept("]")) {
          t.list_size = integer(word("a list length"));
          expect("]");
        }
      } else if (text_.substr(at_).starts_with("?")) {
        ++at_;
        t.optional = true;
      } else {
        return t;
      }
    }
  }

  int64_t integer(std::string_view digits) {
    int64_t n = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    if (error != std::errc() || end != digits.data() + digits.size()) fail("an integer");
    return n;
  }

  Argument literal() {
    skip();
    if (accept("[")) {
      List items;
      if (accept("]")) return items;
      do items.push_back(literal());
      while (accept(","));
      expect("]");
      return items;
    }
    if (accept("\"")) return string_literal();
    return plain_literal();
  }

  Argument string_literal() {
    std::string s;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      s += text_[at_++];
    }
    expect("\"");
    return s;
  }

  Argument plain_literal() {
    size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != ')' && text_[at_] != ']') ++at_;
    std::string_view word = text_.substr(begin, at_ - begin);
    if (word == "None") return {};
    if (word == "True" || word == "False") return word == "True";
    if (word.find_first_of(".eE") == std::string_view::npos) return integer(word);
    double value = 0;
    auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) fail("a literal");
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string_view target_of(std::string_view line) { return line.substr(0, line.find('(')); }

/// The line of a sorted table whose target is `target`.
std::optional<std::string_view> find_sorted(std::string_view table, std::string_view target) {
  while (!table.empty()) {
    size_t middle = table.rfind('\n', table.size() / 2);
    size_t begin = middle == std::string_view::npos || middle + 1 == table.size() ? 0 : middle + 1;
    size_t end = std::min(table.find('\n', begin), table.size());
    std::string_view line = table.substr(begin, end - begin);
    int order = target.compare(target_of(line));
    if (order == 0) return line;
    table = order < 0 ? table.substr(0, begin) : table.substr(std::min(end + 1, table.size()));
  }
  return std::nullopt;
}

std::optional<std::string_view> find_leaf(std::string_view target) {
  const auto* leaf = std::ranges::find(kLeaves, target, target_of);
  return leaf == std::end(kLeaves) ? std::nullopt : std::optional(*leaf);
}

std::unique_ptr<const Schema> load(std::string_view target) {
  std::optional<std::string_view> line;
  if (target.starts_with("aten::")) line = find_sorted(embedded::aten_schemas_txt, target);
  if (target.starts_with("onnx2fx::")) line = find_leaf(target);
  return line ? std::make_unique<const Schema>(parse_schema(*line)) : nullptr;
}

}  // namespace

bool Schema::mutates() const {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const SchemaArgument& a) { return a.mutated; });
}

std::optional<size_t> Schema::find(std::string_view argument) const {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].name == argument) return i;
  }
  return std::nullopt;
}

std::string to_string(const SchemaType& type) {
  std::string s;
  for (auto& [name, kind] : kTypeNames) {
    if (kind == type.kind) {
      s = name;
      break;
    }
  }
  if (type.element_optional) s += "?";
  if (type.list) s += type.list_size ? "[" + std::to_string(type.list_size) + "]" : "[]";
  return type.optional ? s + "?" : s;
}

Schema parse_schema(std::string_view line) { return Parser(line).schema(); }

const Schema* find_schema(std::string_view target) {
  static std::mutex mutex;
  static std::unordered_map<std::string, std::unique_ptr<const Schema>> cache;
  std::lock_guard lock(mutex);
  auto [entry, added] = cache.try_emplace(std::string(target));
  if (added) entry->second = load(target);
  return entry->second.get();
}

std::vector<const Schema*> find_overloads(std::string_view name) {
  std::vector<const Schema*> all;
  const std::string_view table = embedded::aten_schemas_txt;
  for (size_t at = 0; at < table.size();) {
    const size_t end = std::min(table.find('\n', at), table.size());
    const std::string_view target = target_of(table.substr(at, end - at));
    if (target.starts_with(name) && (target.size() == name.size() || target[name.size()] == '.'))
      all.push_back(find_schema(target));
    at = end + 1;
  }
  return all;
}

std::string_view without_overload(std::string_view target) {
  const size_t space = target.find("::");  // "torch.Tensor::size" has a dot before it
  return space == std::string_view::npos ? target : target.substr(0, target.find('.', space));
}

std::vector<std::string> operator_names() {
  std::vector<std::string> all;
  const std::string_view table = embedded::aten_schemas_txt;
  for (size_t at = 0; at < table.size();) {
    const size_t end = std::min(table.find('\n', at), table.size());
    const std::string_view target = target_of(table.substr(at, end - at));
    const std::string_view name = without_overload(target);
    if (all.empty() || all.back() != name) all.emplace_back(name);
    at = end + 1;
  }
  return all;
}

std::optional<std::vector<std::optional<Argument>>> bind_arguments(const Schema& schema,
                                                                   const Node& call) {
  std::vector<std::optional<Argument>> bound(schema.arguments.size());
  if (call.args.size() > bound.size()) return std::nullopt;
  for (size_t i = 0; i < call.args.size(); ++i) {
    if (schema.arguments[i].kw_only) return std::nullopt;
    bound[i] = call.args[i];
  }
  for (auto& [name, value] : call.kwargs) {
    std::optional<size_t> i = schema.find(name);
    if (!i || bound[*i]) return std::nullopt;
    bound[*i] = value;
  }
  for (size_t i = 0; i < bound.size(); ++i) {
    if (!bound[i]) bound[i] = schema.arguments[i].default_value;
  }
  return bound;
}

}  // namespace onnx2fx::fx
