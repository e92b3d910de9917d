#include "core/fx/composites/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <stdexcept>

namespace onnx2fx::embedded {
using Files = std::span<const std::pair<std::string_view, std::string_view>>;
extern const Files composites;  // NOLINT(readability-identifier-naming): of the build
}  // namespace onnx2fx::embedded

namespace onnx2fx::fx::composites {
namespace {

using Kind = Term::Kind;

struct Token {
  enum class Kind : uint8_t { kName, kNumber, kText, kSign, kEnd } kind = Kind::kEnd;
  std::string_view text;
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// One line of a definition.
class Line {
 public:
  Line(std::string_view text, std::string where) : rest_(text), where_(std::move(where)) { next(); }

  const Token& peek() const { return token_; }
  Token take() {
    Token t = token_;
    next();
    return t;
  }
  bool take_if(std::string_view text) {
    if (token_.kind == Token::Kind::kText || token_.text != text) return false;
    next();
    return true;
  }
  void expect(std::string_view text) {
    if (!take_if(text)) fail(fmt::format("'{}'", text));
  }
  std::string name() {
    if (token_.kind != Token::Kind::kName) fail("a name");
    return std::string(take().text);
  }
  double number() {
    const bool negative = take_if("-");
    if (token_.kind != Token::Kind::kNumber) fail("a number");
    double value = 0;
    const std::string_view text = take().text;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return negative ? -value : value;
  }
  bool at_end() const { return token_.kind == Token::Kind::kEnd; }
  [[noreturn]] void fail(const std::string& expected) const {
    throw std::invalid_argument(
        fmt::format("{}: expected {}, got {}", where_, expected,
                    at_end() ? "the end of the line" : fmt::format("'{}'", token_.text)));
  }

 private:
  void next() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
    if (rest_.empty() || rest_[0] == '#') {
      token_ = {};
      rest_ = {};
      return;
    }
    if (is_letter(rest_[0])) {
      size_t n = 0;
      while (n < rest_.size() && (is_letter(rest_[n]) || is_digit(rest_[n]) || names_on(n))) n++;
      return cut(Token::Kind::kName, n);
    }
    if (is_digit(rest_[0]))
      return cut(Token::Kind::kNumber,
                 std::min(rest_.find_first_not_of("0123456789.e"), rest_.size()));
    if (rest_[0] == '"') {
      const size_t end = rest_.find('"', 1);
      if (end == std::string_view::npos) fail("'\"'");
      token_ = {Token::Kind::kText, rest_.substr(1, end - 1)};
      rest_.remove_prefix(end + 1);
      return;
    }
    constexpr std::array<std::string_view, 5> kLong = {"**", "->", "<=", ">=", "=="};
    cut(Token::Kind::kSign, std::ranges::count(kLong, rest_.substr(0, 2)) ? 2 : 1);
  }
  /// "::" and "." of aten::clamp.Tensor.
  bool names_on(size_t n) const {
    return rest_[n] == '.' || (rest_[n] == ':' && n + 1 < rest_.size() &&
                               (rest_[n + 1] == ':' || rest_[n - 1] == ':'));
  }
  void cut(Token::Kind kind, size_t n) {
    token_ = {kind, rest_.substr(0, n)};
    rest_.remove_prefix(n);
  }

  std::string_view rest_;
  std::string where_;
  Token token_;
};

/// Formulas of one pattern.
class Formulas {
 public:
  Formulas(const Pattern& pattern, Terms& terms) : pattern_(pattern), terms_(terms) {}

  TermRef formula(Line& line) {
    TermRef first = sum(line);
    if (line.peek().text != "|") return first;
    Term either{.kind = Kind::kOneOf, .children = {first}};
    while (line.take_if("|")) either.children.push_back(sum(line));
    return terms_.make(std::move(either));
  }

 private:
  TermRef made(Line& line, TermRef term) const {
    if (!term) line.fail("a formula that does not cancel out");
    return term;
  }

  /// What stands between such signs: 1 behind the first of the two, -1 behind the second.
  std::vector<Part> chain(Line& line, TermRef (Formulas::*operand)(Line&), std::string_view sign,
                          std::string_view inverse) {
    std::vector<Part> all{{(this->*operand)(line), 1}};
    while (line.peek().text == sign || line.peek().text == inverse) {
      const double number = line.take().text == sign ? 1 : -1;
      all.push_back({(this->*operand)(line), number});
    }
    return all;
  }

  TermRef sum(Line& line) {
    const std::vector<Part> all = chain(line, &Formulas::product, "+", "-");
    return all.size() == 1 ? all[0].term : made(line, terms_.sum(0, all));
  }

  TermRef product(Line& line) {
    const std::vector<Part> all = chain(line, &Formulas::power, "*", "/");
    return all.size() == 1 ? all[0].term : made(line, terms_.product(1, all));
  }

  TermRef power(Line& line) {
    if (line.take_if("-")) {
      if (line.take_if("inf")) return terms_.number(-std::numeric_limits<double>::infinity());
      return made(line, terms_.product(-1, {{power(line), 1}}));
    }
    TermRef base = one(line);
    if (!line.take_if("**")) return base;
    return made(line, terms_.product(1, {{base, line.number()}}));
  }

  TermRef one(Line& line) {
    const Token& t = line.peek();
    if (t.kind == Token::Kind::kNumber) return terms_.number(line.number());
    if (t.kind == Token::Kind::kText) return literal(std::string(line.take().text));
    if (line.take_if("(")) {
      TermRef inner = formula(line);
      line.expect(")");
      return inner;
    }
    if (line.take_if("["))
      return terms_.make({.kind = Kind::kList, .children = list(line, "]").first});
    const std::string name = line.name();
    if (line.take_if("(")) return call(name, line);
    return word(name, line);
  }

  TermRef literal(Argument value) {
    return terms_.make({.kind = Kind::kLiteral, .literal = std::move(value)});
  }

  TermRef word(const std::string& name, Line& line) {
    if (name == "_") return terms_.make({.kind = Kind::kAnything});
    if (name == "none") return literal({});
    if (name == "training") return literal(Training{});
    if (name == "true" || name == "false") return literal(name == "true");
    for (uint32_t i = 0; i < pattern_.lets.size(); i++)
      if (pattern_.lets[i].first == name) return terms_.make({.kind = Kind::kLet, .index = i});
    for (uint32_t i = 0; i < pattern_.variables.size(); i++) {
      const Variable& v = pattern_.variables[i];
      if (v.name != name) continue;
      const bool optional = !v.scalar && line.take_if("?");
      return terms_.make(
          {.kind = v.scalar ? Kind::kScalar : Kind::kTensor, .index = i, .optional = optional});
    }
    line.fail(fmt::format("a variable of '{}' before this, not '{}'", pattern_.name, name));
  }

  TermRef call(const std::string& name, Line& line) {
    auto [children, keywords] = list(line, ")");
    if (children.size() == 1 && keywords.empty()) {
      const double e = name == "sqrt" ? 0.5 : name == "rsqrt" ? -0.5 : 0;
      if (e != 0) return made(line, terms_.product(1, {{children[0], e}}));
    }
    return terms_.make({.kind = Kind::kCall,
                        .children = std::move(children),
                        .name = name,
                        .keywords = std::move(keywords)});
  }

 public:
  std::pair<std::vector<TermRef>, std::vector<std::pair<std::string, TermRef>>> list(
      Line& line, std::string_view close) {
    std::vector<TermRef> all;
    std::vector<std::pair<std::string, TermRef>> keywords;
    while (!line.take_if(close)) {
      if (!all.empty() || !keywords.empty()) line.expect(",");
      // A keyword of the head: "scale=scale".
      Line ahead = line;
      if (ahead.peek().kind == Token::Kind::kName) {
        const std::string name(ahead.take().text);
        if (ahead.take_if("=")) {
          line = ahead;
          keywords.emplace_back(name, formula(line));
          continue;
        }
      }
      all.push_back(formula(line));
    }
    return {std::move(all), std::move(keywords)};
  }

 private:
  const Pattern& pattern_;
  Terms& terms_;
};

Pattern head(Line& line, Terms& terms) {
  Pattern p;
  p.name = line.name();
  line.expect("(");
  bool scalar = false;
  while (!line.take_if(")")) {
    if (!p.variables.empty() && line.take_if(";"))
      scalar = true;
    else if (!p.variables.empty())
      line.expect(",");
    Variable v{.name = line.name(), .scalar = scalar};
    v.optional = line.take_if("?");
    p.variables.push_back(std::move(v));
  }
  line.expect("->");
  p.target = line.name();
  line.expect("(");
  std::tie(p.arguments, p.keywords) = Formulas(p, terms).list(line, ")");
  return p;
}

void conditions(Pattern& p, Line& line, Terms& terms) {
  do {
    Condition c{.left = Formulas(p, terms).formula(line), .right = nullptr, .comparison = {}};
    if (line.peek().text == "<" || line.peek().text == "<=" || line.peek().text == "==") {
      c.comparison = line.take().text;
      c.right = Formulas(p, terms).formula(line);
    }
    p.conditions.push_back(std::move(c));
  } while (line.take_if(","));
}

/// "x[2, 3], eps = 0.01"
void samples(Pattern& p, Line& line) {
  do {
    const std::string name = line.name();
    const auto v = std::ranges::find(p.variables, name, &Variable::name);
    if (v == p.variables.end()) line.fail(fmt::format("a variable of '{}'", p.name));
    if (v->scalar) {
      line.expect("=");
      v->sample = line.number();
      continue;
    }
    line.expect("[");
    while (!line.take_if("]")) {
      if (!v->sample_dims.empty()) line.expect(",");
      v->sample_dims.push_back(static_cast<int64_t>(line.number()));
    }
  } while (line.take_if(","));
}

}  // namespace

bool need_not_be_called(const Term& term) {
  return term.kind == Kind::kCall &&
         (term.name == "full" || term.name == "size" || term.name == "shape");
}

std::vector<Pattern> parse_patterns(std::string_view file, std::string_view text, Terms& terms) {
  std::vector<Pattern> all;
  for (size_t number = 1; !text.empty(); number++) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view content = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    Line line(content, fmt::format("{}:{}", file, number));
    if (line.at_end()) continue;
    if (content[0] != ' ') {
      all.push_back(head(line, terms));
    } else if (all.empty()) {
      line.fail("a head: name(variables) -> call");
    } else if (line.take_if("let")) {
      std::string name = line.name();
      line.expect("=");
      all.back().lets.emplace_back(std::move(name), Formulas(all.back(), terms).formula(line));
    } else if (line.take_if("=")) {
      all.back().bodies.push_back(Formulas(all.back(), terms).formula(line));
    } else if (line.take_if("where")) {
      conditions(all.back(), line, terms);
    } else if (line.take_if("try")) {
      samples(all.back(), line);
    } else {
      line.fail("'let', '=', 'where' or 'try'");
    }
    if (!line.at_end()) line.fail("the end of the line");
  }
  return all;
}

const std::vector<Pattern>& patterns() {
  static Terms terms;
  static const std::vector<Pattern> kAll = [] {
    std::vector<Pattern> all;
    for (const auto& [file, text] : embedded::composites)
      std::ranges::move(parse_patterns(file, text, terms), std::back_inserter(all));
    return all;
  }();
  return kAll;
}

}  // namespace onnx2fx::fx::composites
