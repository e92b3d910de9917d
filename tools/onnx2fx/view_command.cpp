#include "tools/onnx2fx/view_command.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "core/api/write_package.hpp"
#include "tools/onnx2fx/by_python.hpp"
#include "tools/onnx2fx/inspect.hpp"
#include "tools/onnx2fx/model_argument.hpp"
#include "tools/onnx2fx/progress.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

namespace {

struct Shown {
  fs::path package;
  std::string inspection;  ///< a file; empty: of a package
};

/// Converts the model, whose names of sizes stay, and says what it costs at those that are given.
Shown converted(const Arguments& a, const fs::path& folder) {
  const Progress progress("converting " + a.model, !a.quiet);
  Options options = a.options;
  options.weights = weights::Mode::kMeta;
  options.keep_going = true;
  write_package_to(convert_argument(a.model, options), folder / "package");
  const fs::path inspection = folder / "inspection.json";
  std::ofstream file(inspection, std::ios::binary);
  inspect_model(a.model, options, a.sizes, true, file);
  if (!file.flush())
    throw ConversionError(inspection.string(), "expected to write what the model costs");
  return {folder / "package", inspection.string()};
}

}  // namespace

int view_command(const Arguments& a) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const write::PackageFolder out(a.out);
  const TemporaryFolder folder;
  const Shown shown =
      fs::is_directory(a.model) ? Shown{fs::absolute(a.model), ""} : converted(a, folder.path());
  if (!by_python("view",
                 "Python writes the page: pip install onnx-to-fx[torch] in the environment that is "
                 "to do so",
                 "page", {shown.package, out.path, out.shown, shown.inspection}))
    return 1;
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (!a.quiet) std::cerr << fmt::format("wrote {} in {:.2f} s\n", out.shown.string(), seconds);
  return 0;
}

}  // namespace onnx2fx::cli
