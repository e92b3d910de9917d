// What the border costs: conversions by the plugin as a library, or by the same objects linked into
// this program.
//
//     onnx2fx_border_bench shared|linked MODEL PLUGINS N
//
// Prints milliseconds of processor time: of the first conversion, and the least of N more, each
// with a registry of its own.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/registry.hpp"

namespace {

double milliseconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return 1e3 * static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_nsec);
}

double conversion(const std::string& model, const onnx2fx::Options& options, bool linked) {
  const double start = milliseconds();
  std::vector<onnx2fx::plugin::InProcess> here;
  if (linked) here.push_back({onnx2fx_plugin_entry_1()});
  onnx2fx::plugin::Registry registry(options.plugins, onnx2fx::plugin::Registry::Faults::kThrown,
                                     here);
  onnx2fx::convert(model, options, &registry);
  return milliseconds() - start;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const bool linked = std::string(argv[1]) == "linked";
  onnx2fx::Options options;
  options.plugins.safe_mode = !linked;
  options.plugins.default_plugins = false;
  if (!linked) options.plugins.builtin_directory = argv[3];
  const double first = conversion(argv[2], options, linked);
  double least = first;
  for (int i = std::atoi(argv[4]); i > 0; i--)
    least = std::min(least, conversion(argv[2], options, linked));
  std::printf("%.3f %.3f\n", first, least);
  return 0;
}
