// Gets the bytes of tensors from the sources that the manifest's rules, the mode or a location of
// the model name. Opens each source once.
#ifndef ONNX2FX_CORE_WEIGHTS_SUPPLY_HPP_
#define ONNX2FX_CORE_WEIGHTS_SUPPLY_HPP_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/weights/external_file.hpp"
#include "core/weights/source.hpp"

namespace onnx2fx::weights {

/// Bytes of a tensor in ONNX packing: a range of `file`, else `memory`, else none (meta).
struct Supplied {
  std::shared_ptr<read::ByteSource> file;
  uint64_t offset = 0;
  std::shared_ptr<const std::string> memory;
};

class Supply {
 public:
  /// model: the file whose tensors these are. open: a file beside it. Both outlive the supply.
  Supply(Sourcing sourcing, const read::ModelFile& model, std::vector<std::string> roots,
         OpenFile open);

  bool has_sources() const { return static_cast<bool>(sourcing_.open); }

  /// By the first rule that selects `name` and does not pass; nullopt: it is the model's own. What
  /// is missing or of another type is noted for settle().
  std::optional<Supplied> by_rule(const std::string& name, const Want& want,
                                  const std::string& where);
  /// The same for values that the conversion needs: only a source with a file counts, what it lacks
  /// is the model's own, and other faults are thrown at once.
  std::optional<Supplied> values_by_rule(const std::string& name, const Want& want,
                                         const std::string& where);
  /// From a source that no rule names: "meta", "random", or "onnx", which gets the model itself.
  /// nullopt: it has nothing for such a tensor.
  std::optional<Supplied> by_scheme(const std::string& scheme, const Want& want);
  /// Who serves a location of the model; scheme empty: it is a plain file's name.
  Served served(const std::string& location) const;
  /// From the file of a location that is served. nullopt: the file is absent.
  std::optional<Supplied> by_location(const Served& served, const Want& want);

  /// The end of the conversion: closes the sources. Throws ConversionError with every fault noted;
  /// returns a warning for each rule that selected nothing.
  std::vector<Diagnostic> settle();

 private:
  struct RuleState {
    std::unique_ptr<Source> source;
    bool used = false;
    std::vector<Diagnostic> failure;  ///< why it cannot be opened
  };
  std::optional<Supplied> ask_rule(size_t index, const std::string& name, Want want, bool required,
                                   std::string& fault);
  std::optional<Supplied> asked(size_t index, const std::string& name, const Want& want,
                                bool required, std::string& fault);
  Source& source_of(size_t rule);
  bool can_open(size_t rule);
  static Supplied take(Source& source, const Want& want, const Got& got);

  Sourcing sourcing_;
  const read::ModelFile& model_;
  std::vector<std::string> roots_;
  OpenFile open_;
  std::vector<RuleState> rules_;
  std::map<std::string, std::unique_ptr<Source>> by_scheme_, by_location_;
  std::vector<Diagnostic> faults_;
};

}  // namespace onnx2fx::weights

#endif
