// Weights for a model whose own are absent or do not matter, and custom initialisation: a rule's
// options choose the distribution.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "plugins/weights/distributions.hpp"
#include "plugins/weights/sources.hpp"

namespace onnx2fx::sources {
namespace {

using Json = nlohmann::json;

/// To nearest, ties to even; what is too large becomes infinite.
uint16_t to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const float magnitude = std::fabs(value);
  if (!(magnitude < 65520.0F)) return sign | 0x7c00;
  const int exponent = std::max(std::ilogb(magnitude), -14);  // below: subnormal
  const auto steps = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // A step count of 2^11 carries into the exponent by itself.
  return static_cast<uint16_t>(sign | ((static_cast<uint32_t>(exponent + 14) << 10) + steps));
}

uint16_t to_bfloat(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

bool is_drawn(int32_t dtype) {
  return dtype == kFloat || dtype == kDouble || dtype == kFloat16 || dtype == kBfloat16;
}

template <class T, class Convert>
void fill(void* to, uint64_t count, Generator& generator, const Draw& draw, Convert convert) {
  auto* out = static_cast<T*>(to);
  for (uint64_t i = 0; i < count; ++i) out[i] = convert(draw(generator));
}

/// A rule's options.
class Options {
 public:
  explicit Options(std::string_view text) : json_(Json::parse(text)) {}

  std::string word(const char* key, const std::string& fallback) {
    known_.insert(key);
    if (!json_.contains(key)) return fallback;
    if (!json_[key].is_string()) wrong(key, "a string");
    return json_[key].get<std::string>();
  }
  double number(const char* key, double fallback) {
    known_.insert(key);
    if (!json_.contains(key)) return fallback;
    if (!json_[key].is_number()) wrong(key, "a number");
    return json_[key].get<double>();
  }
  double required_number(const char* key) {
    if (!json_.contains(key)) throw Invalid("options: expected the key '" + std::string(key) + "'");
    return number(key, 0);
  }
  uint64_t seed(uint64_t fallback) {
    known_.insert("seed");
    if (!json_.contains("seed")) return fallback;
    if (!json_["seed"].is_number_unsigned()) wrong("seed", "an integer from 0 on");
    return json_["seed"].get<uint64_t>();
  }
  void refuse_others() const {
    for (const auto& [key, unused] : json_.items())
      if (!known_.contains(key)) {
        std::string list;
        for (const std::string& k : known_) list += (list.empty() ? "'" : ", '") + k + "'";
        throw Invalid("options: unknown key '" + key + "': expected one of " + list);
      }
  }
  [[noreturn]] void wrong(const char* key, const std::string& expected) const {
    throw Invalid("options: " + std::string(key) + ": expected " + expected + ", got " +
                  json_[key].dump());
  }

 private:
  Json json_;
  std::set<std::string> known_;
};

/// From two dims on uniform in +-sqrt(3 / fan_in), which keeps the variance of a linear layer's
/// input; below that uniform in [0.5, 1.5), which is good for scales and variances.
Draw usual(std::span<const int64_t> dims) {
  if (dims.size() < 2) return uniform(0.5, 1.5);
  const double high = std::sqrt(3 / std::max(1.0, fans(dims).in));
  return uniform(-high, high);
}

/// The distribution for a tensor of these dims.
using Choose = std::function<Draw(std::span<const int64_t> dims)>;

Choose always(Draw draw) {
  return [draw = std::move(draw)](std::span<const int64_t>) { return draw; };
}

/// `spread`: from the fans to the standard deviation.
Choose by_fans(const std::string& name, bool is_uniform,
               const std::function<double(Fans)>& spread) {
  return [=](std::span<const int64_t> dims) {
    if (dims.size() < 2)
      throw Invalid(name + ": expected a weight of at least two dims, got " +
                    std::to_string(dims.size()));
    const Fans f = fans(dims);
    const double std = f.in == 0 || f.out == 0 ? 0 : spread(f);
    const double bound = std::sqrt(3.0) * std;
    return is_uniform ? uniform(-bound, bound) : normal(0, std);
  };
}

Choose kaiming(const std::string& name, bool is_uniform, Options& options) {
  const double gain = options.number("gain", std::sqrt(2.0));
  const std::string mode = options.word("mode", "fan_in");
  if (mode != "fan_in" && mode != "fan_out") options.wrong("mode", "\"fan_in\" or \"fan_out\"");
  return by_fans(name, is_uniform,
                 [=](Fans f) { return gain / std::sqrt(mode == "fan_in" ? f.in : f.out); });
}

Choose xavier(const std::string& name, bool is_uniform, Options& options) {
  const double gain = options.number("gain", 1);
  return by_fans(name, is_uniform, [=](Fans f) { return gain * std::sqrt(2 / (f.in + f.out)); });
}

double positive(Options& options, const char* key) {
  const double value = options.number(key, 1);
  if (!(value > 0)) options.wrong(key, "a number above 0");
  return value;
}

Choose chosen(Options& options) {
  const std::string name = options.word("distribution", "");
  if (name.empty()) return usual;
  if (name == "constant") return always(constant(options.required_number("value")));
  if (name == "uniform") {
    const double low = options.number("low", 0), high = options.number("high", 1);
    if (low > high) options.wrong("low", "at most 'high'");
    return always(uniform(low, high));
  }
  if (name == "normal") {
    const double mean = options.number("mean", 0);
    return always(normal(mean, positive(options, "std")));
  }
  if (name == "truncated_normal") {
    const double mean = options.number("mean", 0), std = positive(options, "std");
    const double low = options.number("low", mean - 2 * std);
    const double high = options.number("high", mean + 2 * std);
    if (share_within(mean, std, low, high) < 0.01)
      throw Invalid("options: low, high: expected them to hold at least 1 % of the distribution");
    return always(truncated_normal(mean, std, low, high));
  }
  if (name.starts_with("kaiming_") || name.starts_with("xavier_")) {
    const std::string kind = name.substr(name.find('_') + 1);
    if (kind == "uniform" || kind == "normal")
      return name[0] == 'k' ? kaiming(name, kind == "uniform", options)
                            : xavier(name, kind == "uniform", options);
  }
  options.wrong("distribution",
                "one of normal, uniform, truncated_normal, constant, kaiming_uniform, "
                "kaiming_normal, xavier_uniform, xavier_normal");
}

class Random final : public WeightSource {
 public:
  Random(Choose choose, uint64_t seed) : choose_(std::move(choose)), seed_(seed) {}

  Found find(WeightsHost&, const o2fx_weight& want) override {
    if (!is_drawn(want.dtype)) return Found::declined();
    choose_(dims(want));
    return Found::to_read();
  }

  void read(WeightsHost&, const o2fx_weight& want, void* to) override {
    uint64_t count = 1;
    for (const int64_t d : dims(want)) count *= static_cast<uint64_t>(d);
    const Draw draw = choose_(dims(want));
    Generator generator(view(want.name), seed_);
    const auto single = [](double v) { return static_cast<float>(v); };
    switch (want.dtype) {
      case kDouble:
        return fill<double>(to, count, generator, draw, [](double v) { return v; });
      case kFloat:
        return fill<float>(to, count, generator, draw, single);
      case kFloat16:
        return fill<uint16_t>(to, count, generator, draw,
                              [&](double v) { return to_half(single(v)); });
      default:
        return fill<uint16_t>(to, count, generator, draw,
                              [&](double v) { return to_bfloat(single(v)); });
    }
  }

 private:
  static std::span<const int64_t> dims(const o2fx_weight& want) {
    return {want.dims, static_cast<size_t>(want.rank)};
  }

  const Choose choose_;
  const uint64_t seed_;
};

}  // namespace

std::unique_ptr<WeightSource> open_random(WeightsHost&, const o2fx_weight_source& asked) {
  Options options(view(asked.options));
  const uint64_t seed = options.seed(asked.seed);
  Choose choose = chosen(options);
  options.refuse_others();
  return std::make_unique<Random>(std::move(choose), seed);
}

}  // namespace onnx2fx::sources
