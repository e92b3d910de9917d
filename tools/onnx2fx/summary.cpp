#include "tools/onnx2fx/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>
#include <vector>

#include "tools/onnx2fx/amounts.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

namespace {

uint64_t stored_bytes(const fx::TensorData& data) {
  if (const auto* range = std::get_if<fx::FileRange>(&data.where)) return range->length;
  if (const auto* memory = std::get_if<std::shared_ptr<const std::string>>(&data.where))
    return (*memory)->size();
  return 0;
}

}  // namespace

uint64_t trainable_elements(const fx::Module& module) {
  uint64_t all = 0;
  for (const fx::Tensor& t : module.tensors) {
    uint64_t n = t.requires_grad;
    for (const int64_t d : t.dims) n *= static_cast<uint64_t>(d);
    all += n;
  }
  return all;
}

Summary::Summary(const Conversion& c, Format format, fs::path written, double seconds)
    : format(kFormatWords[static_cast<size_t>(format)]),
      written(std::move(written)),
      seconds(seconds),
      dialect(fx::kDialectWords[static_cast<size_t>(c.module.dialect)]),
      weights(weights::kModeWords[static_cast<size_t>(c.weights)]),
      recovered(c.module.recovered),
      tensors(c.module.tensors.size()),
      parameters(trainable_elements(c.module)),
      warnings(c.report.warnings.size() + c.report.unsupported.size()) {
  // Archive and source refer to no other file.
  if (format != Format::kPackage && c.weights == weights::Mode::kReference)
    weights = weights::kModeWords[static_cast<size_t>(weights::Mode::kCopy)];
  for (const fx::Submodule& m : c.module.modules) ++(m.program ? blocks : layers);
  for (const fx::Program& p : c.module.programs) fx_nodes += p.nodes.size();
  for (const UnsupportedOperator& o : c.report.unsupported) opaque_nodes += o.nodes.size();
  for (const fx::Tensor& t : c.module.tensors) weight_bytes += stored_bytes(t.data);
}

std::string text(const Summary& s) {
  std::string layers = counted(s.layers, "layer");
  if (s.blocks) layers += " in " + counted(s.blocks, "block");
  std::string lines = fmt::format(
      "wrote {} in {:.2f} s\n"
      "  program  {}, {}, dialect {}\n"
      "  weights  {}, {}, {} ({})\n",
      printable(s.written.string()), s.seconds, layers, counted(s.fx_nodes, "node"), s.dialect,
      counted(s.tensors, "tensor"), counted(s.parameters, "trainable element"),
      sized(s.weight_bytes), s.weights);
  std::string recovered;
  for (const auto& [name, count] : s.recovered)
    recovered += fmt::format("{}{} {}", recovered.empty() ? "" : ", ", count, name);
  if (!recovered.empty()) lines += fmt::format("  recovered {}\n", recovered);
  if (s.opaque_nodes) lines += "  opaque   " + counted(s.opaque_nodes, "node") + "\n";
  if (s.warnings) lines += fmt::format("  warnings {}\n", s.warnings);
  return lines;
}

std::string json(const Summary& s) {
  const nlohmann::ordered_json document = {{"format", s.format},
                                           {"package", s.written.string()},
                                           {"seconds", s.seconds},
                                           {"dialect", s.dialect},
                                           {"weights", s.weights},
                                           {"layers", s.layers},
                                           {"blocks", s.blocks},
                                           {"fx_nodes", s.fx_nodes},
                                           {"recovered", s.recovered},
                                           {"opaque_nodes", s.opaque_nodes},
                                           {"tensors", s.tensors},
                                           {"parameters", s.parameters},
                                           {"weight_bytes", s.weight_bytes},
                                           {"warnings", s.warnings}};
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string details(const Conversion& c, const fs::path& written) {
  std::string lines;
  for (const auto& [id, version] : c.report.plugins)
    lines += fmt::format("  plugin   {} {}\n", printable(id), printable(version));
  std::vector<fs::path> files;
  if (!fs::is_directory(written)) {
    files.push_back(written);
  } else {
    for (const fs::directory_entry& entry : fs::directory_iterator(written))
      if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const fs::path& file : files)
    lines +=
        fmt::format("  file     {}, {}\n", file.filename().string(), sized(fs::file_size(file)));
  return lines;
}

}  // namespace onnx2fx::cli
