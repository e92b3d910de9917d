// JSON written as text: documents with a line for each node are not built in memory first.
#ifndef ONNX2FX_CORE_WRITE_JSON_TEXT_HPP_
#define ONNX2FX_CORE_WRITE_JSON_TEXT_HPP_

#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace onnx2fx::write {

/// Names in ONNX files are bytes; what is no UTF-8 becomes U+FFFD.
std::string json(std::string_view text);
/// JSON has no infinities: {"float": "inf"}, {"float": "nan"}.
std::string json(double number);
std::string json(std::integral auto number) {
  if constexpr (std::same_as<decltype(number), bool>)
    return number ? "true" : "false";
  else
    return std::to_string(number);
}

template <class T>
std::string json(const std::vector<T>& items) {
  return json(items, [](const T& x) { return json(x); });
}
/// `item` gives the JSON of each; `before`: what stands in front of it, a new line.
template <class Items, class F>
std::string json(const Items& items, F&& item, std::string_view before = "") {
  std::string text = "[";
  for (const auto& x : items) {
    if (text.size() > 1) text += ',';
    (text += before) += item(x);
  }
  return text + "]";
}

class ObjectText {
 public:
  explicit ObjectText(std::string_view between = ",") : between_(between) {}

  template <class T>
  ObjectText& add(std::string_view key, const T& value) {
    return add_json(key, json(value));
  }
  ObjectText& add_json(std::string_view key, std::string_view value) {
    if (text_.size() > 1) text_ += between_;
    ((text_ += json(key)) += ':') += value;
    return *this;
  }
  std::string text() const { return text_ + "}"; }

 private:
  std::string_view between_;
  std::string text_ = "{";
};

/// {"key": "text"}; of a key that is there twice, the last.
template <class Pairs>
std::string json_object(const Pairs& texts, std::string_view between = ",") {
  std::map<std::string_view, std::string_view> last;
  for (const auto& [key, value] : texts) last[key] = value;
  ObjectText object(between);
  for (const auto& [key, value] : texts)
    if (const auto at = last.find(key); at != last.end()) {
      object.add(key, at->second);
      last.erase(at);
    }
  return object.text();
}

/// An object with a member on each line, of its long members an item on each: a diff of two can be
/// read.
class DocumentText {
 public:
  template <class T>
  void add(std::string_view key, const T& value) {
    add_json(key, json(value));
  }
  void add_json(std::string_view key, std::string_view value) {
    text_ += text_.empty() ? "{\n" : ",\n";
    ((text_ += json(key)) += ": ") += value;
  }
  /// `line` gives the JSON of each item.
  template <class Items, class F>
  void add_lines(std::string_view key, const Items& items, F&& line) {
    add_json(key, json(items, line, "\n"));
  }
  std::string text() && { return std::move(text_ += "\n}\n"); }

 private:
  std::string text_;
};

}  // namespace onnx2fx::write

#endif
