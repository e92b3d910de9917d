// What the user of a conversion chooses. A new option is a member, and a row of for_each_option
// below; Python's is an argument of convert_onnx_to_fx as well.
#ifndef ONNX2FX_OPTIONS_HPP_
#define ONNX2FX_OPTIONS_HPP_

#include <cstdint>
#include <onnx2fx/program.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onnx2fx {

namespace plugin {

/// Which plugins there are.
struct Options {
  std::vector<std::string> descriptors;  ///< --plugin FILE.json
  std::vector<std::string> directories;  ///< --plugin-dir, in order
  std::string manifest;                  ///< --manifest FILE; empty: none
  std::string op_set;                    ///< --op-set; empty: the manifest's default_op_set
  /// Of the standard plugins: <prefix>/lib/onnx2fx/plugins.d. Empty: beside libonnx2fx_core.so.
  std::string builtin_directory;
  bool default_plugins = true;  ///< false: --no-default-plugins
  bool safe_mode = false;       ///< built-ins only
  bool allow_insecure = false;  ///< --allow-insecure-plugins
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
/// What the command, Python and graph.json call them, by mode.
inline constexpr std::string_view kModeWords[] = {"reference", "copy", "meta", "random"};
/// The scheme of the source that serves what no rule of the manifest selects, as a last rule;
/// empty: the model itself does.
inline constexpr std::string_view kModeSources[] = {"", "", "meta", "random"};

}  // namespace weights

/// Whether calls that the exporter took apart become one again.
enum class Recover : uint8_t {
  kOn,
  kOff  ///< the parts stay: the same numbers to the last bit
};
/// By choice.
inline constexpr std::string_view kRecoverWords[] = {"on", "off"};

/// Whether the author's modules become modules of their own.
enum class Blocks : uint8_t {
  kNested,  ///< where the exporter says them; nn dialect
  kFlat     ///< one program
};
/// By choice.
inline constexpr std::string_view kBlocksWords[] = {"nested", "flat"};

struct Options {
  plugin::Options plugins;
  weights::Mode weights = weights::Mode::kReference;
  std::vector<std::string>
      weight_roots;  ///< folders besides the model's own that may hold external data
  fx::WeightsLayout weights_layout = fx::WeightsLayout::kContiguous;
  uint64_t seed = 0;  ///< of random weights; equal seeds and names give equal numbers
  fx::Dialect dialect = fx::Dialect::kNn;
  Recover recover = Recover::kOn;
  Blocks blocks = Blocks::kNested;
  /// Of inputs whose shape the model leaves open: "NAME=DIM,DIM,...", numbers, names or "?".
  std::vector<std::string> input_shapes;
  bool training = false;    ///< aten dialect: the mode baked into dropout and batch_norm
  bool keep_going = false;  ///< keep what cannot be lowered as onnx2fx::opaque nodes
  /// Times the usual budget of expanded bodies and of nodes, which is in proportion to the model's
  /// size and ends a conversion that would not end in reasonable time.
  uint32_t budget = 1;
  bool debug = false;             ///< faults of plugins say where in their source they were raised
  bool allow_unresolved = false;  ///< accept torch ops that no descriptor declares
  std::vector<std::string> trainable,
      frozen;  ///< globs (glob.hpp) of tensor names; they overrule every role
};

// ---- the options outside C++: the command line and Python's convert_onnx_to_fx know these rows

/// How one is spelled.
struct Spelling {
  const char* keyword;   ///< in Python; empty: it has none
  const char* flag;      ///< of the command; empty: it has none
  const char* argument;  ///< what follows the flag; empty: nothing does
  const char* help;
  const char* topic = "Conversion";  ///< what it stands under in the command's help
};

/// visit(member, Spelling) for each.
template <class Visit>
void for_each_option(plugin::Options& o, Visit&& visit) {
  visit(o.descriptors,
        Spelling{"plugins", "--plugin", "FILE",
                 "Descriptor of one plugin (NAME.onnx2fx.json); may be repeated", "Plugins"});
  visit(o.directories, Spelling{"plugin_dirs", "--plugin-dir", "DIR",
                                "Folder of plugin descriptors; may be repeated", "Plugins"});
  visit(o.builtin_directory, Spelling{"builtin_directory", "", "", ""});
  visit(o.manifest, Spelling{"manifest", "--manifest", "FILE", "Op-set manifest", "Plugins"});
  visit(o.op_set, Spelling{"op_set", "--op-set", "NAME", "Op set of the manifest", "Plugins"});
  visit(o.allow_override, Spelling{"allow_override", "--allow-override", "ID",
                                   "Plugin that may take over built-in operators", "Plugins"});
  visit(o.default_plugins,
        Spelling{"", "!--no-default-plugins", "",
                 "Only plugins named on the command line or in the manifest", "Plugins"});
  visit(o.safe_mode, Spelling{"safe_mode", "--safe-mode", "", "Only built-in plugins", "Plugins"});
  visit(o.allow_insecure, Spelling{"", "--allow-insecure-plugins", "",
                                   "Accept plugin files that others can write", "Plugins"});
}
template <class Visit>
void for_each_option(Options& o, Visit&& visit) {
  for_each_option(o.plugins, visit);
  visit(o.weights, Spelling{"weights", "--weights", "MODE",
                            "Where the package's weights are: reference (the model's own file, "
                            "default), copy, meta, random",
                            "Weights"});
  visit(o.weight_roots, Spelling{"weight_roots", "--weights-root", "DIR",
                                 "Folder that the model's external data may lie in, too, through "
                                 "symbolic or hard links; may be repeated. Without it, nothing "
                                 "outside the model's folder is read",
                                 "Weights"});
  visit(o.weights_layout,
        Spelling{"weights_layout", "--weights-layout", "LAYOUT",
                 "Of weights that the file holds transposed: contiguous (default), or view, which "
                 "takes no memory, and which FSDP2, safetensors, prune and others refuse",
                 "Weights"});
  visit(o.seed, Spelling{"seed", "--seed", "N", "Of random weights (default 0)", "Weights"});
  visit(o.dialect, Spelling{"dialect", "--dialect", "DIALECT",
                            "nn: torch.nn modules (default); aten: ATen calls only"});
  visit(o.recover,
        Spelling{"recover", "--recover", "on|off",
                 "Whether gelu, layer_norm, attention and others that the exporter took apart "
                 "become one call again (default on); off: equal to the last bit"});
  visit(o.blocks, Spelling{"blocks", "--blocks", "nested|flat",
                           "Whether the author's modules, where the exporter says them, become "
                           "modules that can be called (default nested); flat: one program"});
  visit(o.input_shapes,
        Spelling{"input_shapes", "--input-shape", "NAME=DIMS",
                 "Shape of an input that the model leaves open: numbers, names or ?, with commas; "
                 "may be repeated"});
  visit(o.training, Spelling{"training", "", "", ""});
  visit(o.trainable,
        Spelling{"trainable", "--trainable", "GLOB", "Tensors that become parameters", "Weights"});
  visit(o.frozen,
        Spelling{"frozen", "--frozen", "GLOB", "Parameters that get no gradient", "Weights"});
  visit(o.keep_going, Spelling{"keep_going", "--keep-going", "",
                               "Keep what cannot be lowered as opaque nodes, for analysis"});
  visit(o.budget, Spelling{"budget", "--budget", "N",
                           "Times the usual budget of nodes and expanded bodies that a model of "
                           "its size has"});
  visit(o.debug,
        Spelling{"debug", "--debug", "",
                 "Print the FX program; a plugin's fault says where it was raised", "Messages"});
  visit(o.allow_unresolved, Spelling{"allow_unresolved", "--allow-unresolved", "",
                                     "Accept torch ops that no descriptor declares", "Plugins"});
}
/// The words of an option that is one of a few.
constexpr std::span<const std::string_view> words_of(Recover) { return kRecoverWords; }
constexpr std::span<const std::string_view> words_of(Blocks) { return kBlocksWords; }
constexpr std::span<const std::string_view> words_of(weights::Mode) { return weights::kModeWords; }
constexpr std::span<const std::string_view> words_of(fx::WeightsLayout) {
  return fx::kWeightsLayoutWords;
}
constexpr std::span<const std::string_view> words_of(fx::Dialect) { return fx::kDialectWords; }

}  // namespace onnx2fx

#endif
