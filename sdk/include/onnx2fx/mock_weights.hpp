// onnx2fx plugin SDK: the mock host's other half, for sources of weights. Header-only.
//
//     const mock::Library pack("build/npz.so");
//     mock::WeightFile file = {"w.npz", bytes, {}};
//     std::string w = mock::Source(pack, "npz", file).read("w", onnx2fx::kFloat, {2, 4});
#ifndef ONNX2FX_MOCK_WEIGHTS_HPP_
#define ONNX2FX_MOCK_WEIGHTS_HPP_

#include <deque>
#include <map>
#include <onnx2fx/mock_host.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace onnx2fx::mock {

/// What a source is opened for.
struct WeightFile {
  std::string location, bytes;
  std::map<std::string, std::string> others;  ///< beside it, by location
};

/// An open source of a plugin. Throws std::runtime_error with the plugin's words.
class Source {
 public:
  Source(const Library& library, std::string_view scheme, const WeightFile& file,
         const std::string& options = "{}")
      : others_(file.others), ext_(extension(library)) {
    const o2fx_weight_file& first = add(file.location, file.bytes);
    const o2fx_weight_source asked = {sizeof asked, str(scheme), str(options), &first, 0};
    check(ext_.open(host(), ctx(), &asked, &source_), "open");
  }
  ~Source() { ext_.close(source_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// The bytes of a tensor; "absent" and "declined" are errors here.
  std::string read(std::string_view name, int32_t dtype, const std::vector<int64_t>& dims) {
    uint64_t count = 1;
    for (const int64_t d : dims) count *= static_cast<uint64_t>(d);
    const o2fx_weight want = {sizeof want, str(name),
                              dtype,       static_cast<int32_t>(dims.size()),
                              dims.data(), (count * bits_of(dtype) + 7) / 8,
                              0,           0,
                              0,           0};
    o2fx_weight_answer answer{};
    answer.struct_size = sizeof answer;
    check(ext_.find(host(), ctx(), source_, &want, &answer), "find");
    if (answer.kind == O2FX_WEIGHT_RANGE) {
      const o2fx_weight_file& file = files_.at(answer.file);
      if (answer.length != want.size || answer.offset > file.size ||
          answer.length > file.size - answer.offset)
        throw std::runtime_error("find: expected a range of " + std::to_string(want.size) +
                                 " bytes inside the file");
      return {static_cast<const char*>(file.data) + answer.offset, answer.length};
    }
    if (answer.kind != O2FX_WEIGHT_READ)
      throw std::runtime_error("find: expected RANGE or READ, got kind " +
                               std::to_string(answer.kind));
    std::string bytes(want.size, '\0');
    check(ext_.read(host(), ctx(), source_, &want, bytes.data()), "read");
    return bytes;
  }

 private:
  static const o2fx_weights_ext& extension(const Library& library) {
    const auto get = library.table().get_extension;
    const void* const found = get ? get(O2FX_EXT_WEIGHTS) : nullptr;
    if (!found) throw std::runtime_error("the plugin has no sources of weights");
    return *static_cast<const o2fx_weights_ext*>(found);
  }
  static uint64_t bits_of(int32_t dtype) {
    static const std::map<int32_t, uint64_t> kBits = {
#define O2FX_ONNX_DTYPE(number, onnx, sdk, bits, carrier) {number, bits},
#include <onnx2fx/dtypes.def>
    };
    const auto found = kBits.find(dtype);
    if (found == kBits.end())
      throw std::runtime_error("expected an ONNX dtype, got another number");
    return found->second;
  }

  static Source& of(o2fx_ctx c) { return *reinterpret_cast<Source*>(c); }
  o2fx_ctx ctx() { return reinterpret_cast<o2fx_ctx>(this); }
  static const o2fx_weights_host* host() {
    static const o2fx_weights_host table = {
        sizeof table, [](o2fx_ctx, int32_t, o2fx_str) {},
        [](o2fx_ctx c, o2fx_status status, const char*, int32_t, o2fx_str text) {
          of(c).error_ = view(text);
          return status;
        },
        [](o2fx_ctx c, uint64_t size, uint64_t) -> void* {
          return of(c).memory_.emplace_back(size / 16 + 1).data();
        },
        [](o2fx_ctx c, o2fx_str location, o2fx_weight_file* out) -> o2fx_status {
          const auto found = of(c).others_.find(std::string(view(location)));
          if (found == of(c).others_.end()) return O2FX_ABSENT;
          *out = of(c).add(found->first, found->second);
          return O2FX_OK;
        }};
    return &table;
  }
  const o2fx_weight_file& add(const std::string& location, const std::string& bytes) {
    const std::string& name = texts_.emplace_back(location);
    const std::string& kept = texts_.emplace_back(bytes);
    const auto index = static_cast<uint32_t>(files_.size());
    return files_.emplace_back(o2fx_weight_file{sizeof(o2fx_weight_file), str(name), kept.data(),
                                                kept.size(), -1, index, 0});
  }
  void check(o2fx_status status, const char* function) const {
    if (status == O2FX_OK) return;
    const char* answer = status == O2FX_ABSENT    ? "absent"
                         : status == O2FX_DECLINE ? "declined"
                                                  : "no text was set";
    throw std::runtime_error(std::string(function) + ": " + (error_.empty() ? answer : error_));
  }

  std::map<std::string, std::string> others_;
  std::deque<std::string> texts_;
  std::deque<o2fx_weight_file> files_;
  struct alignas(16) Block {
    char bytes[16];
  };
  std::deque<std::vector<Block>> memory_;
  const o2fx_weights_ext& ext_;
  void* source_ = nullptr;
  std::string error_;
};

}  // namespace onnx2fx::mock

#endif
