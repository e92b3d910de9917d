#include "core/plugin/schema_rule.hpp"

#include <re2/re2.h>

#include <algorithm>

namespace onnx2fx::plugin {
namespace {

using Type = SchemaRule::Type;

const SchemaRule kAnything;

constexpr std::pair<std::string_view, Type> kTypes[] = {{"object", Type::kObject},
                                                        {"array", Type::kArray},
                                                        {"string", Type::kString},
                                                        {"boolean", Type::kBoolean},
                                                        {"integer", Type::kInteger}};

std::string default_title(Type type) {
  if (type == Type::kBoolean) return "true or false";
  for (const auto& [name, t] : kTypes)
    if (t == type) return (type == Type::kString ? "a " : "an ") + std::string(name);
  return "";
}

size_t characters(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

Regex::Regex(std::string text) : text_(std::move(text)) {}
Regex::~Regex() = default;

bool Regex::in(std::string_view text) const {
  std::call_once(once_, [this] { compiled_ = std::make_unique<re2::RE2>(text_); });
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

const SchemaRule* SchemaRule::member(const std::string& key) const {
  for (const auto& [name, rule] : members)
    if (name == key) return rule;
  for (const auto& [pattern, rule] : members_like)
    if (pattern.in(key)) return rule;
  return other_members;
}

bool SchemaRule::fits(const std::string& text) const {
  const size_t length = characters(text);
  return length >= shortest && length <= longest && (!pattern || pattern->in(text)) &&
         std::none_of(refused.begin(), refused.end(), [&](const Regex& p) { return p.in(text); });
}

Schema::Schema(std::string_view text) {
  const Json json = Json::parse(text);
  if (json.contains("definitions"))
    for (const auto& [name, definition] : json["definitions"].items())
      definitions_[name] = compile(definition);
  root_ = compile(json);
}

const SchemaRule* Schema::compile(const Json& json) {
  constexpr std::string_view kDefinitions = "#/definitions/";
  if (json.contains("$ref"))
    return definitions_.at(json["$ref"].get<std::string>().substr(kDefinitions.size()));
  SchemaRule& rule = rules_.emplace_back();
  if (json.contains("type"))
    rule.type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& t) {
                  return t.first == json["type"];
                })->second;
  rule.title = json.value("title", default_title(rule.type));
  if (json.contains("enum")) rule.choices = json["enum"].get<std::vector<std::string>>();
  if (json.contains("oneOf"))
    for (const Json& a : json["oneOf"]) rule.alternatives.push_back(compile(a));
  if (rule.type == Type::kObject) compile_members(json, rule);
  if (json.contains("items")) rule.items = compile(json["items"]);
  rule.shortest = json.value("minLength", rule.shortest);
  rule.longest = json.value("maxLength", rule.longest);
  if (json.contains("pattern")) rule.pattern = std::make_unique<Regex>(json["pattern"]);
  if (json.contains("not"))
    for (const Json& p : json["not"]["anyOf"]) rule.refused.emplace_back(p["pattern"]);
  rule.low = json.value("minimum", rule.low);
  rule.high = json.value("maximum", rule.high);
  return &rule;
}

void Schema::compile_members(const Json& json, SchemaRule& rule) {
  rule.least_members = json.value("minProperties", size_t{0});
  if (json.contains("required")) rule.required = json["required"].get<std::vector<std::string>>();
  if (json.contains("properties"))
    for (const auto& [name, member] : json["properties"].items())
      rule.members.emplace_back(name, compile(member));
  if (json.contains("patternProperties"))
    for (const auto& [pattern, member] : json["patternProperties"].items())
      rule.members_like.emplace_back(std::piecewise_construct, std::forward_as_tuple(pattern),
                                     std::forward_as_tuple(compile(member)));
  if (json.contains("propertyNames")) rule.names = compile(json["propertyNames"]);
  if (!json.contains("additionalProperties"))
    rule.other_members = &kAnything;
  else if (json["additionalProperties"].is_object())
    rule.other_members = compile(json["additionalProperties"]);
}

}  // namespace onnx2fx::plugin
