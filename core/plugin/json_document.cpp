#include "core/plugin/json_document.hpp"

#include <stdexcept>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/read/open_file.hpp"

namespace onnx2fx::plugin {

namespace {

/// Builds the document from the parser's events, knowing at each where it stands.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(std::string file) : file_(std::move(file)) {}
  Json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool v) override { return put(v); }
  bool number_integer(number_integer_t v) override { return put(v); }
  bool number_unsigned(number_unsigned_t v) override { return put(v); }
  bool number_float(number_float_t v, const string_t&) override { return put(v); }
  bool string(string_t& v) override { return put(std::move(v)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    if (level.has(name)) throw PluginError(file_, where() + ": duplicate key '" + name + "'");
    level.key = std::move(name);
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& e) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..." -> "line 1, column 2:
    // ..."
    std::string text = e.what();
    if (const size_t at = text.find("line "); at != std::string::npos) text.erase(0, at);
    throw PluginError(file_, text);
  }

 private:
  struct Level {
    Json* value;
    std::string key;
    std::unordered_set<std::string> keys;  ///< of an object with many

    bool has(const std::string& name) {
      constexpr size_t kMany = 32;
      const auto& members = value->get_ref<const Json::object_t&>();
      if (members.size() < kMany) {
        for (const auto& [known, unused] : members)
          if (known == name) return true;
        return false;
      }
      if (keys.empty())
        for (const auto& [known, unused] : members) keys.insert(known);
      return !keys.insert(name).second;
    }
  };

  std::string where() const {
    std::string path;
    for (size_t i = 0; i + 1 < levels_.size(); i++)
      path = levels_[i].value->is_array() ? pointer(path, levels_[i].value->size() - 1)
                                          : pointer(path, levels_[i].key);
    return path.empty() ? "/" : path;
  }
  Json* place(Json value) {
    if (levels_.empty()) return &(root_ = std::move(value));
    Json& parent = *levels_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    auto& members = parent.get_ref<Json::object_t&>();
    members.emplace_back(levels_.back().key, std::move(value));
    return &members.back().second;
  }
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json empty) {
    if (levels_.size() == kDeepestDocument)
      throw PluginError(file_, where() + ": expected at most " + std::to_string(kDeepestDocument) +
                                   " levels of nesting, got more");
    Json* value = place(std::move(empty));
    levels_.push_back({value, {}, {}});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }

  std::string file_;
  Json root_;
  std::vector<Level> levels_;
};

}  // namespace

std::string pointer(const std::string& base, std::string_view key) {
  std::string r = base + "/";
  for (const char c : key) {
    if (c == '~')
      r += "~0";
    else if (c == '/')
      r += "~1";
    else
      r += c;
  }
  return r;
}

Json parse_json(std::string_view text, const std::string& file) {
  if (text.size() > kLargestDocument)
    throw PluginError(file,
                      "expected at most " + std::to_string(kLargestDocument) + " bytes, got more");
  if (text.starts_with("\xEF\xBB\xBF"))
    throw PluginError(file, "expected JSON text, got a byte order mark",
                      {"save the file as UTF-8 without one"});
  Builder builder(file);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

Json read_json(const std::string& file, read::Opened* opened) {
  std::string text;
  try {
    text = read::read_regular(file, kLargestDocument + 1, opened);
  } catch (const std::runtime_error& e) {
    throw PluginError(file, std::string("cannot be read: ") + e.what());
  }
  return parse_json(text, file);
}

}  // namespace onnx2fx::plugin
