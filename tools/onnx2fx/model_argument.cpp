#include "tools/onnx2fx/model_argument.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace onnx2fx::cli {

static constexpr const char* kName = "<stdin>";

static std::string standard_input() {
  if (isatty(STDIN_FILENO))
    throw ConversionError(kName, "expected a model, got a terminal",
                          {"redirect it: onnx2fx - -o out < model.onnx"});
  std::string bytes;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t n = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n == 0) return bytes;
    if (n > 0) {
      bytes.append(buffer.data(), static_cast<size_t>(n));
    } else if (errno != EINTR) {
      throw ConversionError(kName, std::string("expected a model, got: ") + std::strerror(errno));
    }
  }
}

Conversion convert_argument(const std::string& model, const Options& options,
                            plugin::Registry* registry) {
  if (!is_standard_input(model)) return convert(model, options, registry);
  return convert(std::make_shared<const std::string>(standard_input()), kName, ".", options,
                 registry);
}

}  // namespace onnx2fx::cli
