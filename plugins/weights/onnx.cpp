// Embedded raw_data and external data, where they lie.
#include "plugins/weights/sources.hpp"

namespace onnx2fx::sources {
namespace {

class Onnx final : public WeightSource {
 public:
  explicit Onnx(const o2fx_weight_file& model) : model_(model) {}

  Found find(WeightsHost& host, const o2fx_weight& want) override {
    if (want.stored == O2FX_STORED_HERE) return range(model_, want);
    if (want.stored != O2FX_STORED_BESIDE) return Found::absent();
    const std::optional<o2fx_weight_file> file = host.open(view(want.location));
    return file ? range(*file, want) : Found::absent();
  }

 private:
  static Found range(const o2fx_weight_file& file, const o2fx_weight& want) {
    if (want.offset > file.size || want.size > file.size - want.offset)
      throw Invalid("file '" + std::string(view(file.location)) + "': expected " +
                    std::to_string(want.size) + " bytes at offset " + std::to_string(want.offset) +
                    ", got a file of " + std::to_string(file.size) + " bytes");
    return Found::range(file.index, want.offset, want.size);
  }

  const o2fx_weight_file model_;
};

}  // namespace

std::unique_ptr<WeightSource> open_onnx(WeightsHost&, const o2fx_weight_source& asked) {
  require_no_options(asked);
  return std::make_unique<Onnx>(*asked.file);
}

}  // namespace onnx2fx::sources
