#include "core/api/write_package.hpp"

#include "core/weights/weights.hpp"
#include "core/write/package.hpp"
#include "core/write/report_json.hpp"

namespace onnx2fx {

void write_package_to(const Conversion& c, const write::PackageFolder& folder) {
  const auto bytes = [&](const fx::TensorData& data) -> write::Stored {
    if (const auto* range = std::get_if<fx::FileRange>(&data.where)) {
      const read::ByteSource& source = c.store->source(range->source);
      if (source.fd >= 0)
        return write::FileBytes{source.fd, range->offset, range->length, source.path};
    }
    return c.bytes(data);
  };
  // Where rules give some tensors weights, the package is no longer a weightless one.
  const bool partly = c.weights == weights::Mode::kMeta && c.has_weight_rules;
  const weights::Mode weights = partly ? weights::Mode::kReference : c.weights;
  write::write_package(c.module, weights, bytes, write::report_json(c), folder);
}

void write_package(const Conversion& c, const std::string& folder) { write_package_to(c, folder); }

}  // namespace onnx2fx
