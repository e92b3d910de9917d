#include "core/read/external_entries.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace onnx2fx::read {
namespace {

constexpr size_t kShown = 60;  ///< characters of a hostile text in a message

std::string shown(const std::string& text) {
  return "'" + text.substr(0, kShown) + (text.size() > kShown ? "'..." : "'");
}

bool is_sha1(const std::string& text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
}

}  // namespace

void ExternalEntries::add(const std::string& key, const std::string& value) {
  if (!keys_.insert(key).second) return fault(key + ": it is given twice");
  if (key == "location") {
    ref_.location = value;
  } else if (key == "offset") {
    ref_.has_offset = number(key, value, ref_.offset);
  } else if (key == "length") {
    ref_.has_length = number(key, value, ref_.length);
  } else if (key == "checksum") {
    if (!is_sha1(value))
      return fault("checksum: expected 40 hexadecimal digits, got " + shown(value));
    ref_.checksum = value;
    std::transform(value.begin(), value.end(), ref_.checksum.begin(),
                   [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  } else if (key != "basepath") {
    keys_.erase(key);  // a million unknown keys are not kept
    fault("expected the keys location, offset, length, checksum and basepath, got " + shown(key));
  }
}

WeightRef ExternalEntries::take() {
  ref_.field = Field::kExternal;
  if (ref_.location.empty()) fault("no location is given");
  return std::move(ref_);
}

void ExternalEntries::fault(const std::string& text) {
  if (ref_.fault.empty()) ref_.fault = "external data: " + text;
}

bool ExternalEntries::number(const std::string& key, const std::string& value, uint64_t& result) {
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, result);
  if (error == std::errc() && stop == end) return true;
  fault(key + ": expected decimal digits, below 2^64, got " + shown(value));
  return false;
}

}  // namespace onnx2fx::read
