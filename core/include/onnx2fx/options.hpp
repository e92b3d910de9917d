// What the user of a conversion chooses.
#ifndef ONNX2FX_OPTIONS_HPP_
#define ONNX2FX_OPTIONS_HPP_

#include <cstdint>
#include <string>
#include <vector>

#include "core/fx/program.hpp"

namespace onnx2fx {

namespace plugin {

/// Which plugins there are.
struct Options {
  std::vector<std::string> descriptors;  ///< --plugin FILE.json
  std::vector<std::string> directories;  ///< --plugin-dir, in order
  std::string manifest;                  ///< --manifest FILE; empty: none
  std::string op_set;                    ///< --op-set; empty: the manifest's default_op_set
  std::string builtin_directory;         ///< <prefix>/lib/onnx2fx/plugins.d
  bool default_plugins = true;           ///< false: --no-default-plugins
  bool safe_mode = false;                ///< built-ins only
  bool allow_insecure = false;           ///< --allow-insecure-plugins
  std::vector<std::string> allow_override;
};

}  // namespace plugin

namespace weights {

/// Where the weights of a module come from.
enum class Mode : uint8_t {
  kReference,  ///< left in the model's own files
  kCopy,       ///< copied into the package
  kMeta,       ///< none: the module's parameters are on the meta device
  kRandom      ///< random numbers of the right shape: see Options::seed
};

}  // namespace weights

struct Options {
  plugin::Options plugins;
  weights::Mode weights = weights::Mode::kReference;
  std::vector<std::string>
      weight_roots;   ///< folders besides the model's own that may hold external data
  uint64_t seed = 0;  ///< of random weights; equal seeds and names give equal numbers
  fx::Dialect dialect = fx::Dialect::kNn;
  bool training = false;          ///< aten dialect: the mode baked into dropout and batch_norm
  bool keep_going = false;        ///< keep what cannot be lowered as onnx2fx::opaque nodes
  bool allow_unresolved = false;  ///< accept torch ops that no descriptor declares
  std::vector<std::string> trainable,
      frozen;  ///< globs (see glob.hpp) of tensor names; they overrule every role
};

}  // namespace onnx2fx

#endif
