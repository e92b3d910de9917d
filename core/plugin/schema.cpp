#include "core/plugin/schema.hpp"

#include <cmath>
#include <utility>

#include "core/plugin/nearest.hpp"

namespace onnx2fx::plugin {
namespace {

using Type = SchemaRule::Type;

std::string shown(const Json& value) {
  constexpr size_t kLongest = 80;
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

/// A float with an integral value is an integer too, as in JSON Schema.
bool is_integer(const Json& value) {
  if (value.is_number_integer()) return true;
  return value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>();
}

bool has_type(const Json& value, Type type) {
  switch (type) {
    case Type::kObject:
      return value.is_object();
    case Type::kArray:
      return value.is_array();
    case Type::kString:
      return value.is_string();
    case Type::kBoolean:
      return value.is_boolean();
    case Type::kInteger:
      return is_integer(value);
    default:
      return true;
  }
}

/// The way to a value; its text is made for a fault only.
struct Place {
  const Place* parent = nullptr;
  const std::string* key = nullptr;  ///< null: `index`
  size_t index = 0;

  std::string text() const {
    if (!parent) return "";
    return key ? pointer(parent->text(), *key) : pointer(parent->text(), index);
  }
};

class Checker {
 public:
  Checker(const std::string& file, bool tolerant) : file_(file), tolerant_(tolerant) {}

  void value(const Json& v, const SchemaRule& rule, const Place& at) {
    if (!rule.alternatives.empty()) return alternatives(v, rule, at);
    if (!rule.choices.empty()) return one_of(v, rule.choices, at);
    if (!has_type(v, rule.type)) return expected(at, rule.title, v);
    if (rule.type == Type::kObject) object(v, rule, at);
    if (rule.type == Type::kArray && rule.items)
      for (size_t i = 0; i < v.size(); i++) value(v[i], *rule.items, {&at, nullptr, i});
    if (rule.type == Type::kString) text(v.get_ref<const std::string&>(), v, rule, at);
    if (rule.type == Type::kInteger) integer(v, rule, at);
  }

  std::vector<Diagnostic> faults;

 private:
  void fault(const Place& at, const std::string& what, std::vector<std::string> notes = {},
             Severity severity = Severity::kError) {
    const std::string place = at.text();
    faults.push_back(
        {severity, file_, (place.empty() ? "/" : place) + ": " + what, std::move(notes)});
  }
  void expected(const Place& at, const std::string& what, const Json& found) {
    fault(at, "expected " + what + ", got " + shown(found));
  }

  void alternatives(const Json& v, const SchemaRule& rule, const Place& at) {
    for (const SchemaRule* a : rule.alternatives)
      if (has_type(v, a->type)) return value(v, *a, at);
    expected(at, rule.title, v);
  }

  void one_of(const Json& v, const std::vector<std::string>& choices, const Place& at) {
    std::string list;
    for (const std::string& c : choices) {
      if (v == c) return;
      list += (list.empty() ? "\"" : ", \"") + c + "\"";
    }
    std::vector<std::string> notes;
    if (v.is_string()) notes = did_you_mean(v.get_ref<const std::string&>(), choices);
    fault(at, "expected one of " + list + ", got " + shown(v), std::move(notes));
  }

  void object(const Json& v, const SchemaRule& rule, const Place& at) {
    if (v.size() < rule.least_members) fault(at, "expected at least one key, got none");
    for (const std::string& key : rule.required)
      if (!v.contains(key)) fault(at, "expected the key '" + key + "', got none");
    for (const auto& [key, member] : v.get_ref<const Json::object_t&>()) {
      const Place inside{&at, &key};
      if (rule.names) text(key, key, *rule.names, inside);
      if (const SchemaRule* r = rule.member(key))
        value(member, *r, inside);
      else
        unknown_key(key, rule, at);
    }
  }

  void unknown_key(const std::string& key, const SchemaRule& rule, const Place& at) {
    std::vector<std::string> known;
    std::string list;
    for (const auto& [name, unused] : rule.members) {
      known.push_back(name);
      list += (list.empty() ? "'" : ", '") + name + "'";
    }
    fault(at, "unknown key '" + key + "': expected one of " + list, did_you_mean(key, known),
          tolerant_ ? Severity::kWarning : Severity::kError);
  }

  void text(const std::string& s, const Json& v, const SchemaRule& rule, const Place& at) {
    if (s.empty() && rule.shortest) return fault(at, "expected a non-empty string, got \"\"");
    if (!rule.fits(s)) expected(at, rule.title, v);
  }

  void integer(const Json& v, const SchemaRule& rule, const Place& at) {
    const auto number = v.get<double>();
    if (number < static_cast<double>(rule.low) || number > static_cast<double>(rule.high))
      expected(
          at, "an integer in [" + std::to_string(rule.low) + ", " + std::to_string(rule.high) + "]",
          v);
  }

  const std::string& file_;
  bool tolerant_;
};

}  // namespace

bool is_id(const std::string& text) { return descriptor_schema().definition("id").fits(text); }

std::vector<Diagnostic> check(const Json& document, const Schema& schema, const char* version_key,
                              const std::string& file) {
  const bool versioned =
      document.is_object() && document.contains(version_key) && document[version_key].is_string();
  const std::string version = versioned ? document[version_key].get<std::string>() : "";
  const bool newer = version.starts_with("1.") && version.size() <= 16 && version != "1.0";
  Checker checker(file, newer);
  checker.value(document, schema.root(), {});
  return std::move(checker.faults);
}

}  // namespace onnx2fx::plugin
