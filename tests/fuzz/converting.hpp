// One conversion of a fuzzed model with the standard plugins, and what may come of it: a module
// that can be written, or a ConversionError. A PluginError is none of the two: it says that one of
// the standard plugins broke the rules of the border.
#ifndef ONNX2FX_TESTS_FUZZ_CONVERTING_HPP_
#define ONNX2FX_TESTS_FUZZ_CONVERTING_HPP_

#include <memory>
#include <string>

#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/registry.hpp"
#include "core/write/graph_json.hpp"
#include "core/write/report_json.hpp"

namespace onnx2fx::fuzz {

inline plugin::Registry& standard_plugins() {
  static plugin::Registry registry([] {
    plugin::Options options;
    options.builtin_directory = ONNX2FX_TEST_PLUGINS;
    options.safe_mode = true;
    return options;
  }());
  return registry;
}

/// flags: bits that choose dialect, weights and keep_going.
inline Options options_of(uint8_t flags) {
  Options options;
  options.dialect = flags & 1 ? fx::Dialect::kAten : fx::Dialect::kNn;
  options.keep_going = flags & 2;
  options.weights = flags & 4 ? weights::Mode::kMeta : weights::Mode::kReference;
  return options;
}

/// The program and the report as they would be written; empty: refused.
inline std::string converted(std::string model, uint8_t flags) {
  try {
    const Conversion c = convert(std::make_shared<const std::string>(std::move(model)), "net.onnx",
                                 "", options_of(flags), &standard_plugins());
    return write::graph_json(c.module, {.weights = std::nullopt, .folder = {}}) +
           write::report_json(c);
  } catch (const PluginError&) {
    throw;
  } catch (const ConversionError&) {
    return {};
  }
}

}  // namespace onnx2fx::fuzz

#endif
