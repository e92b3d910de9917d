// What a program without LibTorch headers needs in order to run an FX module: plain values, and a
// Session that executes and compares them. libonnx2fx_runtime.so makes Sessions; whoever wants one
// opens that library first (open_runtime), so that conversion alone never maps LibTorch.
#ifndef ONNX2FX_CORE_RUNTIME_SESSION_HPP_
#define ONNX2FX_CORE_RUNTIME_SESSION_HPP_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::runtime {

/// A tensor in C order, little-endian, by torch dtype name.
struct HostTensor {
  std::string dtype;
  std::vector<int64_t> dims;
  std::string bytes;
};
/// A tensor of strings in C order.
struct HostStrings {
  std::vector<int64_t> dims;
  std::vector<std::string> elements;
};
struct HostValue;
using HostSequence = std::vector<HostValue>;
/// Key and value, in the order of the source. Keys are integers or strings.
struct HostMap {
  std::vector<std::variant<int64_t, std::string>> keys;
  std::vector<HostValue> values;
};
/// An input or output of a model. monostate: the empty optional.
struct HostValue {
  std::variant<std::monostate, HostTensor, HostStrings, HostSequence, HostMap> value;
};

struct Tolerance {
  double rtol = 1e-3, atol = 1e-7;
  bool values = true;  ///< false: kinds, dtypes and shapes only
};

/// One output against its reference.
struct OutputCheck {
  std::string name;  ///< ONNX name of the output
  bool passed = false;
  double max_absolute = 0, max_relative = 0;  ///< over finite elements; 0 where nothing is numeric
  std::string difference;  ///< "shape: expected [2, 3], got [2]"; empty when passed
};

/// A module ready to run. All functions throw ConversionError; its text names the node at fault.
class Session {
 public:
  virtual ~Session() = default;
  virtual void train(bool on) = 0;
  /// Inputs in the order of fx::Module::inputs.
  virtual std::vector<HostValue> run(const std::vector<HostValue>& inputs) = 0;
  /// Runs, then compares each output with `expected` (which may be shorter than the outputs).
  /// Random operators draw the same numbers at each check.
  virtual std::vector<OutputCheck> check(const std::vector<HostValue>& inputs,
                                         const std::vector<HostValue>& expected,
                                         const Tolerance& tolerance) = 0;
};

/// What a library of a pack is called for: "while it computed acme::rope". id and version: of its
/// plugin, empty where they are not known.
struct LibraryCall {
  const std::string &library, &id, &version, doing;
};
/// Stands around such a call, which it makes.
using AroundLibrary = void (*)(const LibraryCall& what, const std::function<void()>& call);

/// The entry of libonnx2fx_runtime.so. `bytes` is only called before it returns. torch_libraries:
/// of packs, loaded first. around: all calls into them from now on; may be null.
using MakeSession = std::unique_ptr<Session>(const fx::Module& module, const fx::TensorBytes& bytes,
                                             const std::vector<std::string>& torch_libraries,
                                             AroundLibrary around);
inline constexpr const char* kMakeSessionSymbol = "onnx2fx_runtime_make_session_3";

}  // namespace onnx2fx::runtime

#endif
