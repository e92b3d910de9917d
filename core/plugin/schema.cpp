#include "core/plugin/schema.hpp"

#include <re2/re2.h>

#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "core/plugin/nearest.hpp"

namespace onnx2fx::plugin {

bool is_integer(const Json& value) {
  if (value.is_number_integer()) return true;
  return value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>();
}

namespace {

std::string shown(const Json& value) {
  constexpr size_t kLongest = 80;
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

size_t characters(const std::string& utf8) {
  size_t n = 0;
  for (const char c : utf8) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

bool matches_regex(const std::string& text, const std::string& pattern) {
  static thread_local std::map<std::string, std::unique_ptr<const re2::RE2>> compiled;
  std::unique_ptr<const re2::RE2>& regex = compiled[pattern];
  if (!regex) regex = std::make_unique<const re2::RE2>(pattern);
  return re2::RE2::PartialMatch(text, *regex);
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  return is_integer(value);
}

std::string named(const std::string& type) {
  if (type == "boolean") return "true or false";
  return (type == "string" ? "a " : "an ") + type;
}

class Checker {
 public:
  Checker(const Json& schema, const std::string& file, bool tolerant)
      : root_(schema), file_(file), tolerant_(tolerant) {}

  void value(const Json& v, const Json& s, const std::string& at) {
    const Json& schema = resolve(s);
    if (schema.contains("oneOf")) return alternatives(v, schema, at);
    if (schema.contains("enum")) return one_of(v, schema["enum"], at);
    if (!schema.contains("type")) return;
    const std::string& type = schema["type"].get_ref<const std::string&>();
    if (!has_type(v, type)) return expected(at, schema.value("title", named(type)), v);
    if (type == "object") object(v, schema, at);
    if (type == "array" && schema.contains("items"))
      for (size_t i = 0; i < v.size(); i++) value(v[i], schema["items"], pointer(at, i));
    if (type == "string") text(v, schema, at);
    if (type == "integer") integer(v, schema, at);
  }

  std::vector<Diagnostic> faults;

 private:
  const Json& resolve(const Json& schema) const {
    if (!schema.contains("$ref")) return schema;
    return root_.at(Json::json_pointer(schema["$ref"].get<std::string>().substr(1)));
  }

  void fault(const std::string& at, const std::string& what, std::vector<std::string> notes = {},
             Severity severity = Severity::kError) {
    faults.push_back({severity, file_, (at.empty() ? "/" : at) + ": " + what, std::move(notes)});
  }
  void expected(const std::string& at, const std::string& what, const Json& found) {
    fault(at, "expected " + what + ", got " + shown(found));
  }

  void alternatives(const Json& v, const Json& schema, const std::string& at) {
    for (const Json& s : schema["oneOf"])
      if (has_type(v, resolve(s)["type"].get<std::string>())) return value(v, s, at);
    expected(at, schema["title"].get<std::string>(), v);
  }

  void one_of(const Json& v, const Json& choices, const std::string& at) {
    std::vector<std::string> known;
    std::string list;
    for (const Json& c : choices) {
      if (v == c) return;
      known.push_back(c.get<std::string>());
      list += (list.empty() ? "" : ", ") + c.dump();
    }
    std::vector<std::string> notes;
    if (v.is_string())
      if (const auto near = nearest(v.get_ref<const std::string&>(), known))
        notes.push_back("did you mean '" + *near + "'?");
    fault(at, "expected one of " + list + ", got " + shown(v), std::move(notes));
  }

  void object(const Json& v, const Json& schema, const std::string& at) {
    if (v.size() < schema.value("minProperties", 0u))
      fault(at, "expected at least one key, got none");
    if (schema.contains("required"))
      for (const Json& key : schema["required"])
        if (!v.contains(key.get_ref<const std::string&>()))
          fault(at, "expected the key '" + key.get<std::string>() + "', got none");
    for (const auto& [key, member] : v.items()) {
      if (schema.contains("propertyNames")) text(key, schema["propertyNames"], pointer(at, key));
      if (const Json* s = member_schema(schema, key))
        value(member, *s, pointer(at, key));
      else
        unknown_key(key, schema, at);
    }
  }

  static const Json* member_schema(const Json& schema, const std::string& key) {
    static const Json anything = Json::object();
    if (schema.contains("properties") && schema["properties"].contains(key))
      return &schema["properties"][key];
    if (schema.contains("patternProperties"))
      for (const auto& [pattern, s] : schema["patternProperties"].items())
        if (matches_regex(key.substr(0, 8), pattern)) return &s;
    if (!schema.contains("additionalProperties")) return &anything;
    const Json& rest = schema["additionalProperties"];
    return rest.is_object() ? &rest : nullptr;
  }

  void unknown_key(const std::string& key, const Json& schema, const std::string& at) {
    std::vector<std::string> known;
    std::string list;
    for (const auto& [name, unused] : schema["properties"].items()) {
      known.push_back(name);
      list += (list.empty() ? "'" : ", '") + name + "'";
    }
    std::vector<std::string> notes;
    if (const auto near = nearest(key, known)) notes.push_back("did you mean '" + *near + "'?");
    fault(at, "unknown key '" + key + "': expected one of " + list, std::move(notes),
          tolerant_ ? Severity::kWarning : Severity::kError);
  }

  void text(const Json& v, const Json& schema, const std::string& at) {
    const auto& s = v.get_ref<const std::string&>();
    if (characters(s) < schema.value("minLength", size_t{0}))
      return fault(at, "expected a non-empty string, got \"\"");
    const bool bad =
        characters(s) > schema.value("maxLength", s.size()) ||
        (schema.contains("pattern") && !matches_regex(s, schema["pattern"].get<std::string>())) ||
        (schema.contains("not") && any_pattern(s, schema["not"]["anyOf"]));
    if (bad) expected(at, schema["title"].get<std::string>(), v);
  }
  static bool any_pattern(const std::string& s, const Json& list) {
    for (const Json& l : list)
      if (matches_regex(s, l["pattern"].get<std::string>())) return true;
    return false;
  }

  void integer(const Json& v, const Json& schema, const std::string& at) {
    const auto low = schema["minimum"].get<int64_t>(), high = schema["maximum"].get<int64_t>();
    const auto number = v.get<double>();
    if (number < static_cast<double>(low) || number > static_cast<double>(high))
      expected(at, "an integer in [" + std::to_string(low) + ", " + std::to_string(high) + "]", v);
  }

  const Json& root_;
  const std::string& file_;
  bool tolerant_;
};

}  // namespace

bool is_id(const std::string& text) {
  const Json& id = descriptor_schema()["definitions"]["id"];
  return characters(text) <= id["maxLength"].get<size_t>() &&
         matches_regex(text, id["pattern"].get<std::string>());
}

std::vector<Diagnostic> check(const Json& document, const Json& schema, const char* version_key,
                              const std::string& file) {
  const bool versioned =
      document.is_object() && document.contains(version_key) && document[version_key].is_string();
  const std::string version = versioned ? document[version_key].get<std::string>() : "";
  const bool newer = version.starts_with("1.") && version.size() <= 16 && version != "1.0";
  Checker checker(schema, file, newer);
  checker.value(document, schema, "");
  return std::move(checker.faults);
}

}  // namespace onnx2fx::plugin
