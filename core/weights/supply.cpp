#include "core/weights/supply.hpp"

#include <algorithm>
#include <filesystem>
#include <span>
#include <utility>

#include "core/weights/transpose.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::weights {

namespace fs = std::filesystem;

namespace {

/// A file that the manifest names: relative to its folder and contained there, or inside a root.
std::shared_ptr<read::ByteSource> open_named(const std::string& location, const std::string& folder,
                                             const std::vector<std::string>& roots) {
  const std::string fault = location_fault(location);
  if (fault.empty()) return open_external(location, {folder, roots}, "");
  const fs::path path = (fs::absolute(folder) / location).lexically_normal();
  for (const std::string& root : roots) {
    const fs::path inside =
        path.lexically_relative(fs::absolute(root).lexically_normal() / "").lexically_normal();
    if (!inside.empty() && *inside.begin() != ".." && !inside.is_absolute())
      return open_external(inside.string(), {root, roots}, "");
  }
  throw ConversionError("",
                        weights::quoted(location) +
                            ": expected a file inside the manifest's folder or a weights root, "
                            "got one outside",
                        {"if that file is meant, allow its folder with --weights-root, or in the "
                         "manifest's weights.roots"});
}

std::string beside(const std::string& location, const std::string& name) {
  return (fs::path(location).parent_path() / name).string();
}

/// Of one element; 0 for types packed below a byte.
uint64_t whole_bytes(int32_t dtype) {
  const uint64_t size = packed_size(dtype, 1);
  return packed_size(dtype, 8) == 8 * size ? size : 0;
}

}  // namespace

Supply::Supply(Sourcing sourcing, const read::ModelFile& model, std::vector<std::string> roots,
               OpenFile open)
    : sourcing_(std::move(sourcing)),
      model_(model),
      roots_(std::move(roots)),
      open_(std::move(open)),
      rules_(sourcing_.rules.size()) {}

Source& Supply::source_of(size_t index) {
  std::unique_ptr<Source>& source = rules_[index].source;
  if (source) return *source;
  const Rule& rule = sourcing_.rules[index];
  Opening opening{rule.scheme, rule.plugin, rule.options, rule.location, nullptr, nullptr};
  if (!rule.location.empty()) {
    opening.file = open_named(rule.location, rule.folder, roots_);
    if (!opening.file)
      throw ConversionError("", "file " + weights::quoted(rule.location) + " is missing",
                            {"it is looked for in " + rule.folder});
    opening.open_file = [this, &rule](const std::string& name) {
      const std::string fault = location_fault(name);
      if (!fault.empty()) throw ConversionError("", weights::quoted(name) + ": " + fault);
      return open_named(beside(rule.location, name), rule.folder, roots_);
    };
  }
  return *(source = sourcing_.open(std::move(opening)));
}

Supplied Supply::take(Source& source, const Want& want, const Got& got) {
  if (got.kind == Got::Kind::kRange) return {got.file, got.offset, nullptr};
  if (got.kind == Got::Kind::kRead)
    return {nullptr, 0, std::make_shared<const std::string>(source.read(want))};
  return {};
}

Supply::Answer Supply::ask_rule(size_t index, const std::string& name, Want want, bool required) {
  const Rule& rule = sourcing_.rules[index];
  const bool turn = rule.transposes(name);
  const uint64_t element = whole_bytes(want.dtype);
  if (turn && (want.dims.size() != 2 || element == 0))
    return {.fault = "transposed: expected a matrix of whole bytes, got " +
                     std::to_string(want.dims.size()) + " dims"};
  want.name = rule.key(name);
  want.ref = nullptr;
  if (turn) std::swap(want.dims[0], want.dims[1]);
  Source& source = source_of(index);
  const Got got = source.find(want);
  switch (got.kind) {
    case Got::Kind::kOwn:
      if (turn) return {.fault = "transposed: expected bytes of a file, got the model's own"};
      return {.is_own = true};
    case Got::Kind::kDeclined:
      return {};
    case Got::Kind::kAbsent:
      return {.fault = required ? "no tensor " + weights::quoted(want.name) + got.fault : ""};
    case Got::Kind::kMismatch:
      return {.fault = "tensor " + weights::quoted(want.name) + ": " + got.fault +
                       (turn ? " (as the source holds it, transposed)" : "")};
    default:
      break;
  }
  Supplied found = take(source, want, got);
  if (turn && (found.file || found.memory)) {
    const auto* bytes = found.file ? found.file->data + found.offset
                                   : reinterpret_cast<const uint8_t*>(found.memory->data());
    found = {nullptr, 0,
             std::make_shared<const std::string>(
                 transposed({bytes, want.size}, static_cast<uint64_t>(want.dims[0]),
                            static_cast<uint64_t>(want.dims[1]), element))};
  }
  return {.found = std::move(found)};
}

std::optional<Supplied> Supply::by_rule(const std::string& name, const Want& want,
                                        const std::string& where, bool to_the_last) {
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = sourcing_.rules[i];
    if (!rule.selects(name) || (rule.is_last && !to_the_last)) continue;
    rules_[i].used = true;
    if (!can_open(i)) return Supplied{};
    Answer answer = asked(i, name, want, rule.required);
    if (answer.found) return std::move(answer.found);
    if (answer.is_own) return std::nullopt;
    if (answer.fault.empty()) continue;
    faults_.push_back({Severity::kError, where, answer.fault, {"asked for by " + rule.origin}});
    return Supplied{};
  }
  return std::nullopt;
}

/// As ask_rule, with the source in the text of every fault.
Supply::Answer Supply::asked(size_t index, const std::string& name, const Want& want,
                             bool required) {
  const Rule& rule = sourcing_.rules[index];
  try {
    Answer answer = ask_rule(index, name, want, required);
    if (!answer.fault.empty())
      answer.fault = (rule.location.empty() ? rule.scheme : weights::quoted(rule.location)) + ": " +
                     answer.fault;
    return answer;
  } catch (const PluginError&) {
    throw;
  } catch (const ConversionError& error) {
    return {.fault = error.diagnostics[0].what};
  }
}

/// Opens the rule's source, unless that is done or has failed.
bool Supply::can_open(size_t index) {
  RuleState& state = rules_[index];
  if (state.source || !state.failure.empty()) return state.failure.empty();
  try {
    source_of(index);
  } catch (const PluginError&) {
    throw;
  } catch (const ConversionError& error) {
    state.failure = error.diagnostics;
    for (Diagnostic& d : state.failure) d.where = sourcing_.rules[index].origin;
  }
  return state.failure.empty();
}

std::optional<Supplied> Supply::values_by_rule(const std::string& name, const Want& want,
                                               const std::string& where) {
  const auto rule = std::find_if(sourcing_.rules.begin(), sourcing_.rules.end(),
                                 [&](const Rule& r) { return r.selects(name); });
  if (rule == sourcing_.rules.end() || rule->location.empty()) return std::nullopt;
  const auto index = static_cast<size_t>(rule - sourcing_.rules.begin());
  rules_[index].used = true;
  if (!can_open(index)) throw ConversionError(rules_[index].failure);
  Answer answer = asked(index, name, want, false);
  if (!answer.fault.empty())
    throw ConversionError(where, answer.fault, {"asked for by " + rule->origin});
  return std::move(answer.found);
}

Served Supply::served(const std::string& location) const {
  return sourcing_.served ? sourcing_.served(location) : Served{"", "", location};
}

std::optional<Supplied> Supply::by_location(const Served& served,
                                            const std::shared_ptr<read::ByteSource>& file,
                                            const Want& want) {
  std::unique_ptr<Source>& source = by_location_[served.scheme + ":" + served.location];
  if (!source) {
    source = sourcing_.open({served.scheme, served.plugin, "{}", served.location, file,
                             [this, served](const std::string& name) {
                               const std::string fault = location_fault(name);
                               if (!fault.empty())
                                 throw ConversionError("", weights::quoted(name) + ": " + fault);
                               return open_(beside(served.location, name));
                             }});
  }
  const std::string what = weights::quoted(served.location) + " (" + served.scheme + "): tensor " +
                           weights::quoted(want.name) + ": ";
  const Got got = source->find(want);
  if (got.kind == Got::Kind::kMismatch) throw ConversionError("", what + got.fault);
  if (got.kind == Got::Kind::kAbsent || got.kind == Got::Kind::kDeclined ||
      got.kind == Got::Kind::kOwn)
    throw ConversionError("", what + "expected its bytes, got none" + got.fault);
  return take(*source, want, got);
}

std::vector<Diagnostic> Supply::settle() {
  std::vector<Diagnostic> warnings;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].used && !sourcing_.rules[i].is_last)
      warnings.push_back({Severity::kWarning,
                          sourcing_.rules[i].origin,
                          "selects no weight of " + model_.name,
                          {}});
    rules_[i].source.reset();
    faults_.insert(faults_.end(), rules_[i].failure.begin(), rules_[i].failure.end());
  }
  by_location_.clear();
  sourcing_ = {};
  if (!faults_.empty()) throw ConversionError(std::exchange(faults_, {}));
  return warnings;
}

}  // namespace onnx2fx::weights
