// Where the bytes of the module's tensors may come from besides the model, as the store sees it:
// sources, which core/plugin makes of plugins, and the rules of a manifest that choose among them.
#ifndef ONNX2FX_CORE_WEIGHTS_SOURCE_HPP_
#define ONNX2FX_CORE_WEIGHTS_SOURCE_HPP_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/read/model_file.hpp"
#include "core/weights/rename.hpp"

namespace onnx2fx::weights {

/// A tensor that is wanted of a source.
struct Want {
  std::string name;  ///< its key in the source
  int32_t dtype = 0;
  std::vector<int64_t> dims;
  uint64_t size = 0;  ///< bytes in ONNX raw_data packing
  const read::WeightRef* ref =
      nullptr;  ///< what the model says of its external data; null: nothing
};

struct Got {
  enum class Kind : uint8_t {
    kAbsent,    ///< nothing of that name; `fault` may say what was perhaps meant
    kDeclined,  ///< nothing for tensors of this kind
    kMismatch,  ///< something of another type; see `fault`
    kMeta,      ///< a tensor without bytes
    kOwn,       ///< what the model says
    kRange,     ///< Want::size bytes of a file
    kRead       ///< read() gives them
  };
  Kind kind = Kind::kAbsent;
  std::string fault;                       ///< "expected float32[2], got int64[3]"
  std::shared_ptr<read::ByteSource> file;  ///< of a range
  uint64_t offset = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  /// Both throw ConversionError without a place, or PluginError for a plugin that breaks its
  /// contract.
  virtual Got find(const Want& want) = 0;
  /// Want::size bytes.
  virtual std::string read(const Want& want) = 0;
};

/// Null: there is no such file.
using OpenFile = std::function<std::shared_ptr<read::ByteSource>(const std::string& location)>;

/// What a source is to serve.
struct Opening {
  std::string scheme;
  std::string plugin;                      ///< id; empty: whoever serves the scheme
  std::string options = "{}";              ///< a JSON object
  std::string location;                    ///< of `file`
  std::shared_ptr<read::ByteSource> file;  ///< null: none is named
  OpenFile open_file;                      ///< others, relative to the folder of `location`
};

/// "For these tensors, from there." Of several rules the first that selects a tensor counts.
struct Rule {
  std::vector<std::string> tensors;  ///< globs (onnx2fx/glob.hpp)
  std::string scheme, plugin, options = "{}";
  std::string location;                      ///< empty: the source has no file
  std::string folder;                        ///< that `location` is relative to, and contained in
  std::vector<Rename> rename;                ///< one after the other
  std::map<std::string, std::string> names;  ///< before `rename`
  std::vector<std::string> transposed;       ///< globs
  bool required = true;                      ///< a tensor that the source lacks is an error
  std::string origin;                        ///< "FILE at /weights/sources/0"
  bool is_last = false;                      ///< the one that --weights adds for all that is left

  bool selects(const std::string& tensor) const;
  bool transposes(const std::string& tensor) const;
  /// What the source calls it.
  std::string key(const std::string& tensor) const;
};

/// The rule that --weights adds: this scheme serves whatever no other rule selects.
Rule last_rule(std::string_view scheme);

/// Who serves a location of the model; scheme empty: it is the name of a plain file.
struct Served {
  std::string scheme, plugin;
  std::string location;  ///< without the scheme
};

/// The store's view of manifest and plugins.
struct Sourcing {
  std::vector<Rule> rules;
  std::function<std::unique_ptr<Source>(Opening)> open;
  std::function<Served(const std::string& location)> served;
};

}  // namespace onnx2fx::weights

#endif
