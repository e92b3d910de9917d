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

  /// By the first rule that selects `name` and does not pass, the last one (see last_rule) among
  /// them if `to_the_last`; nullopt: it is the model's own. What is missing or of another type is
  /// noted for settle().
  std::optional<Supplied> by_rule(const std::string& name, const Want& want,
                                  const std::string& where, bool to_the_last);
  /// The same for values that the conversion needs: only a source with a file counts, what it lacks
  /// is the model's own, and other faults are thrown at once.
  std::optional<Supplied> values_by_rule(const std::string& name, const Want& want,
                                         const std::string& where);
  /// Who serves a location of the model; scheme empty: it is a plain file's name.
  Served served(const std::string& location) const;
  /// From the file of a location that is served; nullopt: the model's own after all.
  std::optional<Supplied> by_location(const Served& served,
                                      const std::shared_ptr<read::ByteSource>& file,
                                      const Want& want);

  /// The end of the conversion: closes the sources. Throws ConversionError with every fault noted;
  /// returns a warning for each rule that selected nothing.
  std::vector<Diagnostic> settle();

 private:
  struct RuleState {
    std::unique_ptr<Source> source;
    bool used = false;
    std::vector<Diagnostic> failure;  ///< why it cannot be opened
  };
  /// Of a rule; nothing at all: the next one is asked.
  struct Answer {
    std::optional<Supplied> found = std::nullopt;
    bool is_own = false;  ///< what the model says
    std::string fault = "";
  };
  Answer ask_rule(size_t index, const std::string& name, Want want, bool required);
  Answer asked(size_t index, const std::string& name, const Want& want, bool required);
  Source& source_of(size_t rule);
  bool can_open(size_t rule);
  static Supplied take(Source& source, const Want& want, const Got& got);

  Sourcing sourcing_;
  const read::ModelFile& model_;
  std::vector<std::string> roots_;
  OpenFile open_;
  std::vector<RuleState> rules_;
  std::map<std::string, std::unique_ptr<Source>> by_location_;
  std::vector<Diagnostic> faults_;
};

}  // namespace onnx2fx::weights

#endif
