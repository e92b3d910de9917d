// A source of weights, the scheme "listed": a text that lists names, offsets and lengths, a blank
// line, then the bytes, which the host maps and nobody copies.
//
//     w 0 24
//     b 24 12
//
//     <36 bytes>
#include <map>
#include <onnx2fx/weights.hpp>
#include <sstream>

using namespace onnx2fx;

class Listed final : public WeightSource {
 public:
  explicit Listed(const o2fx_weight_file& file) : file_(file) {
    const std::string_view all(static_cast<const char*>(file.data), file.size);
    const size_t end = all.find("\n\n");
    if (end == std::string_view::npos) throw Invalid("expected a list, then a blank line");
    begin_ = end + 2;
    std::istringstream list{std::string(all.substr(0, end))};
    std::string name;
    for (Part part; list >> name >> part.offset >> part.length;) parts_[name] = part;
    if (!list.eof())
      throw Invalid("expected lines NAME OFFSET LENGTH, got another after '" + name + "'");
  }

  Found find(WeightsHost&, const o2fx_weight& want) override {
    const auto found = parts_.find(view(want.name));
    if (found == parts_.end()) return Found::absent();
    return Found::range(file_.index, begin_ + found->second.offset, found->second.length);
  }

  // For messages: what else there is.
  std::optional<std::string_view> name(uint64_t index) override {
    if (index >= parts_.size()) return std::nullopt;
    return std::next(parts_.begin(), static_cast<ptrdiff_t>(index))->first;
  }

 private:
  struct Part {
    uint64_t offset = 0, length = 0;
  };
  o2fx_weight_file file_;
  size_t begin_ = 0;
  std::map<std::string, Part, std::less<>> parts_;
};

static std::unique_ptr<WeightSource> open(WeightsHost&, const o2fx_weight_source& asked) {
  if (view(asked.options) != "{}") throw Invalid("options: expected none");
  if (!asked.file) throw Invalid("location: expected a file, got none");
  return std::make_unique<Listed>(*asked.file);
}

static constexpr o2fx_str kSuffixes[] = {str(".listed")};
static constexpr o2fx_weight_scheme kSchemes[] = {scheme("listed", kSuffixes, 1)};
static constexpr o2fx_weights_ext kWeights = weights<open>(kSchemes);
ONNX2FX_ENTRY(concurrent(weights_plugin<kWeights>("com.example.pack", "1.0.0")))
