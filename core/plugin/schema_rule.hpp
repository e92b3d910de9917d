// The part of JSON Schema (draft 7) that sdk/schema uses, compiled: what a rule says is looked up
// once, not at every value.
#ifndef ONNX2FX_CORE_PLUGIN_SCHEMA_RULE_HPP_
#define ONNX2FX_CORE_PLUGIN_SCHEMA_RULE_HPP_

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/plugin/json_document.hpp"

namespace re2 {
class RE2;
}

namespace onnx2fx::plugin {

/// A regular expression, compiled when it is first asked.
class Regex {
 public:
  explicit Regex(std::string text);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;
  /// Is there a match anywhere in the text?
  bool in(std::string_view text) const;

 private:
  std::string text_;
  mutable std::once_flag once_;
  mutable std::unique_ptr<re2::RE2> compiled_;
};

struct SchemaRule {
  enum class Type : uint8_t { kAny, kObject, kArray, kString, kBoolean, kInteger };
  Type type = Type::kAny;
  std::string title;                            ///< "an id such as com.acme.pack", "a string"
  std::vector<std::string> choices;             ///< not empty: one of these texts
  std::vector<const SchemaRule*> alternatives;  ///< not empty: by the value's type
  // objects
  size_t least_members = 0;
  std::vector<std::string> required;
  std::vector<std::pair<std::string, const SchemaRule*>> members;
  std::deque<std::pair<Regex, const SchemaRule*>> members_like;
  const SchemaRule* other_members = nullptr;  ///< null: there may be none
  const SchemaRule* names = nullptr;          ///< of members; null: any
  // arrays
  const SchemaRule* items = nullptr;  ///< null: any
  // strings: length in characters
  size_t shortest = 0, longest = std::numeric_limits<size_t>::max();
  std::unique_ptr<Regex> pattern;  ///< null: any
  std::deque<Regex> refused;
  // integers
  int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();

  /// The rule of a member; null: there may be none of that name.
  const SchemaRule* member(const std::string& key) const;
  /// Length, pattern and what is refused.
  bool fits(const std::string& text) const;
};

class Schema {
 public:
  /// The text is one of ours: what it may hold is what sdk/schema holds.
  explicit Schema(std::string_view text);
  const SchemaRule& root() const { return *root_; }
  const SchemaRule& definition(const std::string& name) const { return *definitions_.at(name); }

 private:
  const SchemaRule* compile(const Json& json);
  void compile_members(const Json& json, SchemaRule& rule);

  std::deque<SchemaRule> rules_;
  std::map<std::string, const SchemaRule*> definitions_;
  const SchemaRule* root_;
};

}  // namespace onnx2fx::plugin

#endif
