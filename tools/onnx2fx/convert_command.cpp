#include "tools/onnx2fx/convert_command.hpp"

#include <chrono>
#include <future>
#include <iostream>

#include "core/api/write_package.hpp"
#include "core/fx/print.hpp"
#include "core/plugin/registry.hpp"
#include "core/prepare/prepare.hpp"
#include "core/write/package.hpp"
#include "tools/onnx2fx/archive.hpp"
#include "tools/onnx2fx/model_argument.hpp"
#include "tools/onnx2fx/progress.hpp"
#include "tools/onnx2fx/same_model.hpp"
#include "tools/onnx2fx/source_folder.hpp"
#include "tools/onnx2fx/summary.hpp"

namespace onnx2fx::cli {

static void print_warnings(const Report& report) {
  for (const Diagnostic& w : report.warnings) std::cerr << format(w) << "\n";
  for (const UnsupportedOperator& o : report.unsupported) {
    const std::string where =
        (o.domain.empty() ? "" : o.domain + ".") + o.op_type + ", opset " + std::to_string(o.opset);
    const std::string what = "kept " + std::to_string(o.nodes.size()) + " opaque node" +
                             (o.nodes.size() == 1 ? "" : "s");
    std::vector<std::string> notes = o.reasons;
    if (!o.similar.empty()) notes.push_back(o.similar);
    std::cerr << format({Severity::kWarning, where, what, std::move(notes)}) << "\n";
  }
}

static void check(const write::PackageFolder& out, Format format) {
  switch (format) {
    case Format::kPackage:
      return write::check_folder(out);
    case Format::kPt2:
      return check_archive(out);
    case Format::kSource:
      return check_source_folder(out);
  }
}

/// False: what is wrong has been told.
static bool write(const Conversion& c, const write::PackageFolder& out, const Arguments& a) {
  const Progress progress("writing " + out.shown.string(), !a.quiet);
  switch (a.format) {
    case Format::kPackage:
      write_package_to(c, out);
      return true;
    case Format::kPt2:
      return write_archive(c, out, a.force);
    case Format::kSource:
      return write_source(c, out, a.force);
  }
  return false;
}

/// What discovery warns of is told where the conversion fails as well: it may be why.
static Conversion converted(const Arguments& a) {
  plugin::Registry registry(a.options.plugins);
  try {
    return convert_argument(a.model, a.options, &registry);
  } catch (const ConversionError&) {
    for (const Diagnostic& d : registry.warnings())
      if (!a.quiet) std::cerr << format(d) << "\n";
    throw;
  }
}

int convert_command(const Arguments& a) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const std::future<void> warm = prepare::warm_up();
  const write::PackageFolder out(a.out);
  check(out, a.format);
  const Conversion& c = *[&] {  // the process ends before it would be of use to free it
    const Progress progress("converting " + a.model, !a.quiet);
    return new Conversion(converted(a));
  }();
  if (a.format == Format::kPackage && !a.force) check_same_model(c, out);
  if (!a.quiet) print_warnings(c.report);
  if (a.options.debug) std::cerr << fx::print_program(c.module);
  if (!write(c, out, a)) return 1;
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const Summary summary(c, a.format, out.shown, seconds);
  if (a.json) {
    std::cout << json(summary);
  } else if (!a.quiet) {
    std::cerr << text(summary) << (a.verbose ? details(c, out.path) : "");
  }
  return 0;
}

}  // namespace onnx2fx::cli
