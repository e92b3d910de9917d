#include "core/plugin/registry.hpp"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "core/include/onnx2fx/glob.hpp"
#include "core/plugin/breadcrumb.hpp"
#include "core/plugin/choice.hpp"
#include "core/plugin/discovery.hpp"
#include "core/plugin/idle_rules.hpp"
#include "core/plugin/in_use.hpp"
#include "core/plugin/library.hpp"
#include "core/plugin/required_versions.hpp"
#include "core/plugin/scheme_choice.hpp"
#include "core/plugin/similar_operator.hpp"
#include "core/plugin/switches.hpp"
#include "core/plugin/table.hpp"
#include "core/plugin/trust.hpp"
#include "core/plugin/version_range.hpp"
#include "core/plugin/weight_table.hpp"

namespace onnx2fx::plugin {

struct Registry::Impl {
  struct Known : Provider {
    Place place = Place::kCommandLine;
    std::string sha256;  ///< of the descriptor, or asked for by the manifest
    Plugin plugin;
    o2fx_plugin table{};
    std::map<std::tuple<std::string, std::string, int32_t>, const o2fx_op*> op_rows;

    /// "com.acme.pack 1.0.0"; of one without an id: where it lies.
    std::string name() const {
      if (descriptor->id.empty()) return descriptor->file;
      return descriptor->id + (descriptor->version.empty() ? "" : " " + descriptor->version);
    }
  };
  struct Answer {
    std::vector<Candidate> candidates;
    std::vector<std::string> why_not;
  };
  using Key = std::tuple<std::string, std::string, int64_t>;

  Impl(const Options& options, const std::vector<InProcess>& here) : options_(options) {
    try {
      configuration_.manifest = read_manifest(options.manifest, options.op_set, faults_);
    } catch (const PluginError& e) {
      faults_ = e.diagnostics;
    }
    configuration_.allow_override.insert(options.allow_override.begin(),
                                         options.allow_override.end());
    for (const Pattern& p : configuration_.manifest.allow_override)
      configuration_.allow_override.insert(p.glob);
    if (!options.safe_mode) switches_ = switches_of_environment();
    const std::vector<Found> all = discover(options, configuration_.manifest, faults_);
    required_ = required_versions(configuration_.manifest, all,
                                  [this](const Found& found) { return may_serve(found); });
    for (const Found& found : all) add(found);
    for (Known& known : known_)
      if (known.usable()) require_others(known);
    for (const InProcess& plugin : here) {
      add(plugin.table).torch_targets = plugin.torch_targets;
      Known& known = known_.front();
      const std::string& id = known.descriptor->id;
      known.status = turned_off(switches_, configuration_.manifest, id, false).value_or("ok");
    }
    check_manifest();
    for (Diagnostic& d : faults_)
      if (d.severity != Severity::kError) warnings_.push_back(d);
    std::erase_if(faults_, [](const Diagnostic& d) { return d.severity != Severity::kError; });
  }

  ~Impl() {
    for (Known& k : known_) end_use(k.plugin);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // ---- reading

  void add(const Found& found) {
    Known& known = known_.emplace_back();
    known.place = found.place;
    known.builtin = found.place == Place::kInstallation;
    known.descriptor = found.file->descriptor;
    known.sha256 = known.descriptor->sha256;
    known.status = status(known, found);
    if (known.usable() && found.insecurity)
      warn(found, "accepted although insecure: " + *found.insecurity);
    if (known.status.starts_with("shadowed") && !required_.contains(known.descriptor->id))
      warn(found, "plugin '" + known.descriptor->id + "' is " + known.status);
    if (!known.status.starts_with("refused") && !known.status.starts_with("shadowed"))
      first_.emplace(known.descriptor->id, &known);
  }
  void warn(const Found& found, const std::string& what, std::vector<std::string> notes = {}) {
    faults_.push_back({Severity::kWarning, found.path, what, std::move(notes)});
  }

  bool is_insecure(const Found& found) const {
    return found.insecurity && !options_.allow_insecure && !is_named(found.place);
  }

  bool may_serve(const Found& found) const {
    return !has_errors(found.file->faults) && !is_insecure(found) &&
           !unfit(*found.file->descriptor, found.place == Place::kInstallation);
  }

  std::string status(const Known& known, const Found& found) {
    const Descriptor& d = *known.descriptor;
    if (has_errors(found.file->faults)) return broken(found);
    faults_.insert(faults_.end(), found.file->faults.begin(), found.file->faults.end());
    if (is_insecure(found)) {
      warn(found, "refused: " + *found.insecurity,
           {"fix the mode, or give --allow-insecure-plugins"});
      return "refused: " + *found.insecurity;
    }
    if (const auto chosen = required_.find(d.id); chosen != required_.end()) {
      const auto& [path, origin] = chosen->second;
      if (path != found.path) return "shadowed by " + path + ", as asked by " + origin;
    }
    if (const auto other = first_.find(d.id); other != first_.end())
      return "shadowed by " + other->second->descriptor->file;
    return unfit(d, known.builtin).value_or("ok");
  }

  /// Why a descriptor without a fault cannot serve.
  std::optional<std::string> unfit(const Descriptor& d, bool builtin) const {
    if (const auto why = turned_off(switches_, configuration_.manifest, d.id, builtin)) return *why;
    if (d.abi_major != O2FX_ABI_MAJOR || d.abi_min_minor > O2FX_ABI_MINOR)
      return "needs plugin ABI " + std::to_string(d.abi_major) + "." +
             std::to_string(d.abi_min_minor) + ", this host speaks " +
             std::to_string(O2FX_ABI_MAJOR) + "." + std::to_string(O2FX_ABI_MINOR) +
             "; rebuild it against this SDK, or upgrade onnx2fx";
    if (d.library.empty()) return "has no library for this platform";
    return std::nullopt;
  }

  /// A descriptor that cannot be used is an error where the user named it, and left out elsewhere.
  std::string broken(const Found& found) {
    std::vector<Diagnostic> errors = found.file->faults;
    std::erase_if(errors, [](const Diagnostic& d) { return d.severity != Severity::kError; });
    std::string why = "refused: " + errors[0].what;
    if (errors.size() > 1) why += " (and " + std::to_string(errors.size() - 1) + " more)";
    if (is_named(found.place))
      faults_.insert(faults_.end(), errors.begin(), errors.end());
    else
      warn(found, why, errors[0].notes);
    return why;
  }

  /// The one that is not shadowed; one that is refused if there is no other.
  Known* find(const std::string& id) {
    if (const auto first = first_.find(id); first != first_.end()) return first->second;
    const auto it = std::find_if(known_.begin(), known_.end(), [&](const Known& k) {
      return k.descriptor->id == id && !k.status.starts_with("shadowed");
    });
    return it == known_.end() ? nullptr : &*it;
  }

  void require_others(Known& known) {
    for (const Requirement& r : known.descriptor->requirements) {
      const Known* other = find(r.id);
      const std::string wanted =
          "requires '" + r.id + "'" + (r.version.empty() ? "" : " " + r.version) + ", which is ";
      if (!other || !other->usable())
        known.status = wanted + (other ? other->status : "not there");
      else if (!in_range(other->descriptor->version, r.version))
        known.status = wanted + other->descriptor->version;
    }
  }

  void check_manifest() {
    const auto fault = [&](const Origin& origin, const std::string& what) {
      std::vector<std::string> notes;
      for (const Known& k : known_) notes.push_back("found: " + k.name() + ": " + k.status);
      if (known_.empty()) notes.push_back("no plugin was found");
      faults_.push_back({Severity::kError, origin, what, std::move(notes)});
    };
    for (const Required& r : configuration_.manifest.required) {
      Known* k = find(r.id);
      const std::string wanted =
          "expected plugin '" + r.id + "'" + (r.version.empty() ? "" : " " + r.version) + ", got ";
      if (!k || !k->usable())
        fault(r.origin, wanted + (k ? "one that is " + k->status : "none"));
      else if (!in_range(k->descriptor->version, r.version))
        fault(r.origin, wanted + k->descriptor->version);
      else if (!r.sha256.empty())
        k->sha256 = r.sha256;
    }
    for (const Bind& b : configuration_.manifest.op_set.binds)
      if (!find(b.to))
        fault(b.ops.origin, "expected the id of a plugin that was found, got '" + b.to + "'");
    const std::vector<Diagnostic> idle = idle_rules(configuration_.manifest, providers());
    faults_.insert(faults_.end(), idle.begin(), idle.end());
  }

  // ---- answering

  const Answer& answer(const std::string& domain, const std::string& op_type, int64_t opset) {
    std::unique_ptr<Answer>& slot = answers_[{domain, op_type, opset}];
    if (slot) return *slot;
    auto made = std::make_unique<Answer>();
    for (const Choice& c :
         choose(providers(), configuration_, domain, op_type, opset, made->why_not)) {
      Known& known = known_as(*c.provider);
      load(known);
      made->candidates.push_back({&known.plugin, known.op_rows.at({domain, op_type, c.op->since})});
    }
    slot = std::move(made);
    return *slot;
  }

  std::vector<const Provider*> providers() const {
    std::vector<const Provider*> all;
    for (const Known& k : known_)
      if (!k.status.starts_with("shadowed")) all.push_back(&k);
    return all;
  }
  Known& known_as(const Provider& provider) {
    return *std::find_if(known_.begin(), known_.end(),
                         [&](const Known& k) { return &k == &provider; });
  }

  Plugin& weight_plugin(const std::string& scheme, const std::string& id) {
    Known& known = known_as(
        choose_scheme(providers(), configuration_, scheme, id, "weights of '" + scheme + "'"));
    load(known);
    return known.plugin;
  }

  std::vector<weights::Rule> weight_rules() const {
    std::vector<weights::Rule> rules = configuration_.manifest.weights.rules;
    for (weights::Rule& rule : rules) {
      if (rule.scheme.empty()) {
        const weights::Served served =
            served_by_suffix(providers(), configuration_, rule.location, rule.origin);
        rule.scheme = served.scheme;
        rule.plugin = served.plugin;
      }
      const Provider& chosen =
          choose_scheme(providers(), configuration_, rule.scheme, rule.plugin, rule.origin);
      require_location(chosen, rule);
      rule.plugin = chosen.descriptor->id;
    }
    return rules;
  }

  void load(Known& known) {
    if (known.plugin.table) return;
    const Descriptor& d = *known.descriptor;
    require_contained(d);
    if (const auto why = file_insecurity(d.library, known.place)) {
      if (!options_.allow_insecure && !is_named(known.place))
        throw PluginError(*why, "expected a library that only root and this user can change",
                          {"fix the mode, or give --allow-insecure-plugins"});
      warnings_.push_back(
          {Severity::kWarning, d.library, "accepted although insecure: " + *why, {}});
    }
    const Breadcrumb crumb(d.library, d.id, d.version, "while it was loaded");
    const o2fx_plugin* source = load_library(d.library, known.sha256);
    const o2fx_plugin table = accepted_table(source, d.library);
    require_agreement(table, d);
    accept(known, table, source);
  }

  void accept(Known& known, const o2fx_plugin& table, const o2fx_plugin* source) {
    known.table = table;
    const Descriptor& d = *known.descriptor;
    for (const o2fx_op* op : rows(known.table))
      known.op_rows[{domain_of(std::string(op->domain.data, op->domain.len)),
                     std::string(op->op_type.data, op->op_type.len), op->since_opset}] = op;
    known.plugin = {d.id,
                    d.version,
                    d.library,
                    d.file,
                    &known.table,
                    accepted_weights(known.table, d.library.empty() ? d.id : d.library),
                    d.torch_targets,
                    d.torch_library,
                    d.min_torch,
                    source};
    const auto& configs = configuration_.manifest.configs;
    if (const auto told = configs.find(d.id); told != configs.end())
      known.plugin.config = told->second.json;
  }

  Plugin& add(const o2fx_plugin* table) {
    const o2fx_plugin accepted = accepted_table(table, "a plugin registered in process");
    auto descriptor = std::make_shared<const Descriptor>(describe(accepted));
    if (find(descriptor->id))
      throw PluginError("plugin '" + descriptor->id + "'",
                        "expected an id that is not taken, got one that is");
    Known& known = known_.emplace_front();
    known.descriptor = std::move(descriptor);
    known.in_process = true;
    known.status = "ok";
    first_.emplace(known.descriptor->id, &known);
    accept(known, accepted, table);
    for (auto& [key, slot] : answers_)
      if (slot) retired_.push_back(std::move(slot));
    answers_.clear();
    return known_.front().plugin;
  }

  Options options_;
  Configuration configuration_;
  Switches switches_;
  std::map<std::string, RequiredVersion> required_;  ///< by id
  std::deque<Known> known_;  ///< in order of discovery; elements stay where they are
  std::unordered_map<std::string, Known*> first_;  ///< by id: neither shadowed nor refused
  std::map<Key, std::unique_ptr<Answer>> answers_;
  std::vector<std::unique_ptr<Answer>>
      retired_;  ///< of before an add(): references to them live on
  std::vector<Diagnostic> faults_, warnings_;
  bool is_listing_ = false;
  std::recursive_mutex mutex_;  ///< of what is loaded and answered; an init may ask again
};

Registry::Registry(const Options& options, Faults faults, const std::vector<InProcess>& here)
    : impl_(std::make_unique<Impl>(options, here)) {
  if (faults == Faults::kThrown && !impl_->faults_.empty())
    throw PluginError(std::exchange(impl_->faults_, {}));
  impl_->is_listing_ = faults == Faults::kKept;
}
Registry::~Registry() = default;

Plugin& Registry::add(const o2fx_plugin* table) {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->add(table);
}

const std::vector<Candidate>& Registry::candidates(std::string_view domain,
                                                   std::string_view op_type, int64_t opset,
                                                   std::vector<std::string>* why_not) {
  const std::lock_guard lock(impl_->mutex_);
  const Impl::Answer& a =
      impl_->answer(domain_of(std::string(domain)), std::string(op_type), opset);
  if (why_not) why_not->insert(why_not->end(), a.why_not.begin(), a.why_not.end());
  return a.candidates;
}

std::optional<std::string> Registry::switched_off(std::string_view domain, std::string_view op_type,
                                                  int64_t opset) const {
  return plugin::switched_off(impl_->configuration_.manifest, domain_of(std::string(domain)),
                              std::string(op_type), opset);
}

std::optional<std::string> Registry::similar(std::string_view domain,
                                             std::string_view op_type) const {
  return similar_operator(impl_->providers(), domain_of(domain), std::string(op_type));
}

Plugin& Registry::weight_plugin(const std::string& scheme, const std::string& id) {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->weight_plugin(scheme, id);
}

weights::Served Registry::served(const std::string& location) const {
  return served_in_model(impl_->providers(), impl_->configuration_, location);
}

std::vector<weights::Rule> Registry::weight_rules() const { return impl_->weight_rules(); }

const std::vector<std::string>& Registry::weight_roots() const {
  return impl_->configuration_.manifest.weights.roots;
}

std::vector<ProvidedOp> Registry::ops() const {
  std::vector<ProvidedOp> all;
  for (const Impl::Known& k : impl_->known_)
    if (k.usable())
      for (const DescribedOp& op : k.descriptor->ops)
        all.push_back({op.domain, op.op_type, op.since, op.until, k.descriptor->id});
  std::sort(all.begin(), all.end(), [](const ProvidedOp& a, const ProvidedOp& b) {
    return std::tie(a.domain, a.op_type, a.since, a.provider) <
           std::tie(b.domain, b.op_type, b.since, b.provider);
  });
  return all;
}

std::vector<ListedPlugin> Registry::plugins() const {
  std::vector<ListedPlugin> all;
  for (const Impl::Known& k : impl_->known_) {
    std::vector<std::string> schemes;
    for (const DescribedScheme& s : k.descriptor->schemes) schemes.push_back(s.name);
    all.push_back({k.descriptor->id, k.descriptor->version, k.descriptor->file,
                   k.descriptor->library, k.descriptor->ops.size(), std::move(schemes), k.status});
  }
  return all;
}

std::vector<Plugin*> Registry::loaded() const {
  const std::lock_guard lock(impl_->mutex_);
  std::vector<Plugin*> all;
  for (Impl::Known& k : impl_->known_)
    if (k.plugin.table) all.push_back(&k.plugin);
  return all;
}

std::vector<EffectiveOp> Registry::effective_ops() const {
  return plugin::effective_ops(impl_->providers(), impl_->configuration_);
}
const Manifest& Registry::manifest() const { return impl_->configuration_.manifest; }
bool Registry::is_listing() const { return impl_->is_listing_; }
const std::vector<Diagnostic>& Registry::warnings() const { return impl_->warnings_; }
const std::vector<Diagnostic>& Registry::faults() const { return impl_->faults_; }

}  // namespace onnx2fx::plugin
