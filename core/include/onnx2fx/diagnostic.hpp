// What goes wrong, as data. Every fault of a run is collected; one formatter prints them:
//
//     error: net.onnx: node 'conv1' (Conv, opset 17): attribute 'strides': expected 2 values, got 1
//       note: the remedy
#ifndef ONNX2FX_DIAGNOSTIC_HPP_
#define ONNX2FX_DIAGNOSTIC_HPP_

#include <cstdint>
#include <onnx2fx/export.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace onnx2fx {

enum class Severity : uint8_t { kError, kWarning, kNote };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string where;               ///< "net.onnx: node 'conv1' (Conv, opset 17)"
  std::string what;                ///< "attribute 'strides': expected 2 values, got 1"
  std::vector<std::string> notes;  ///< remedies
};

/// Names come from files: no byte of theirs may move the terminal's cursor.
inline std::string printable(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string s;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      s += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      s += c;
    }
  }
  return s;
}

/// "error: where: what", then an indented "note: ..." line each; no newline at the end.
inline std::string format(const Diagnostic& d) {
  static constexpr const char* kName[] = {"error", "warning", "note"};
  std::string s = std::string(kName[static_cast<size_t>(d.severity)]) + ": ";
  if (!d.where.empty()) s += printable(d.where) + ": ";
  s += printable(d.what);
  for (const std::string& n : d.notes) s += "\n  note: " + printable(n);
  return s;
}
inline std::string format(const std::vector<Diagnostic>& all) {
  std::string s;
  for (const Diagnostic& d : all) s += (s.empty() ? "" : "\n") + format(d);
  return s;
}

/// Base of all failures; what() is the formatted text of all diagnostics.
class ONNX2FX_API ConversionError : public std::runtime_error {
 public:
  explicit ConversionError(std::vector<Diagnostic> all)
      : std::runtime_error(format(all)), diagnostics(std::move(all)) {}
  ConversionError(std::string where, std::string what, std::vector<std::string> notes = {})
      : ConversionError(std::vector<Diagnostic>{
            {Severity::kError, std::move(where), std::move(what), std::move(notes)}}) {}
  std::vector<Diagnostic> diagnostics;
};

/// A plugin, descriptor or manifest is at fault (exit code 3).
class ONNX2FX_API PluginError : public ConversionError {
  using ConversionError::ConversionError;
};

/// Operators that nobody lowers; every one of the model (exit code 1).
struct UnsupportedOperator {
  std::string domain, op_type;
  int64_t opset = 0;
  std::vector<std::string> nodes;    ///< names of all nodes that use it
  std::vector<std::string> reasons;  ///< which plugins were considered and why each was not used
  std::string similar;  ///< of one that no plugin knows: "did you mean 'Relu'?"; else empty
};
class ONNX2FX_API UnsupportedOperatorError : public ConversionError {
 public:
  UnsupportedOperatorError(std::vector<Diagnostic> all, std::vector<UnsupportedOperator> ops)
      : ConversionError(std::move(all)), operators(std::move(ops)) {}
  std::vector<UnsupportedOperator> operators;
};

}  // namespace onnx2fx

#endif
