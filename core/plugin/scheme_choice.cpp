#include "core/plugin/scheme_choice.hpp"

#include <algorithm>

#include "core/plugin/nearest.hpp"

namespace onnx2fx::plugin {
namespace {

using Providers = std::vector<const Provider*>;

const DescribedScheme* find(const Provider& p, const std::string& scheme) {
  const auto& all = p.descriptor->schemes;
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](const DescribedScheme& s) { return s.name == scheme; });
  return at == all.end() ? nullptr : &*at;
}

/// An embedder's own first, then the installation's, then others: a scheme of the installation is
/// taken over by a loader of the manifest only.
int rank(const Provider& p) { return p.in_process ? 0 : p.builtin ? 1 : 2; }

const Provider& by_id(const Providers& providers, const std::string& id, const std::string& where) {
  const auto at = std::find_if(providers.begin(), providers.end(),
                               [&](const Provider* p) { return p->descriptor->id == id; });
  if (at == providers.end())
    throw PluginError(where, "expected the id of a plugin that was found, got '" + id + "'");
  if (!(*at)->usable()) throw PluginError(where, "plugin '" + id + "' is " + (*at)->status);
  return **at;
}

/// "'npz', 'onnx'".
std::string listed(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string all;
  for (const std::string& n : names) all += (all.empty() ? "'" : ", '") + n + "'";
  return all;
}

[[noreturn]] void nobody(const Providers& providers, const std::string& scheme,
                         const std::string& where) {
  std::vector<std::string> notes, known;
  for (const Provider* p : providers) {
    if (find(*p, scheme)) notes.push_back(p->descriptor->id + " is " + p->status);
    if (p->usable())
      for (const DescribedScheme& s : p->descriptor->schemes) known.push_back(s.name);
  }
  for (std::string& note : did_you_mean(scheme, known)) notes.push_back(std::move(note));
  notes.push_back(known.empty() ? "the usual sources are a plugin of the installation"
                                : "served are " + listed(std::move(known)));
  throw PluginError(where,
                    "expected a plugin that serves weights of scheme '" + scheme + "', got none",
                    std::move(notes));
}

[[noreturn]] void conflict(const Provider& a, const Provider& b, const std::string& key,
                           const std::string& where) {
  throw PluginError(where,
                    "two plugins serve weights of '" + key + "': " + a.descriptor->id + " and " +
                        b.descriptor->id,
                    {"settle it in the manifest: \"weights\": {\"loaders\": {\"" + key + "\": \"" +
                     a.descriptor->id + "\"}}"});
}

/// The best by rank; two of one rank are a conflict, unless the order of discovery counts.
const Provider* best(const Providers& able, const Configuration& configuration,
                     const std::string& key, const std::string& where) {
  const Provider* first = nullptr;
  const Provider* rival = nullptr;
  for (const Provider* p : able) {
    if (!first || rank(*p) < rank(*first)) {
      first = p;
      rival = nullptr;
    } else if (rank(*p) == rank(*first) && !rival) {
      rival = p;
    }
  }
  if (rival && configuration.manifest.conflicts_are_errors) conflict(*first, *rival, key, where);
  return first;
}

/// The longest of the suffixes that `location` ends with; empty: none.
std::string longest(const std::vector<std::string>& suffixes, const std::string& location) {
  std::string best;
  for (const std::string& s : suffixes)
    if (s.size() > best.size() && location.ends_with(s)) best = s;
  return best;
}

/// Of a plugin that a loader names for a suffix: the scheme that declares the suffix, or its only
/// one.
std::string scheme_of(const Provider& p, const std::string& suffix, const std::string& where) {
  const auto& all = p.descriptor->schemes;
  for (const DescribedScheme& s : all)
    if (std::find(s.suffixes.begin(), s.suffixes.end(), suffix) != s.suffixes.end()) return s.name;
  if (all.size() == 1) return all[0].name;
  throw PluginError(where, "expected a plugin with a scheme for '" + suffix + "', got '" +
                               p.descriptor->id + "' without one");
}

weights::Served by_loader(const Providers& providers, const Configuration& configuration,
                          const std::string& location) {
  const auto& loaders = configuration.manifest.weights.loaders;
  std::vector<std::string> suffixes;
  for (const auto& [key, unused] : loaders)
    if (key[0] == '.') suffixes.push_back(key);
  const std::string suffix = longest(suffixes, location);
  if (suffix.empty()) return {"", "", location};
  const Loader& loader = loaders.at(suffix);
  const Provider& p = by_id(providers, loader.plugin, loader.origin);
  return {scheme_of(p, suffix, loader.origin), p.descriptor->id, location};
}

}  // namespace

const Provider& choose_scheme(const Providers& providers, const Configuration& configuration,
                              const std::string& scheme, const std::string& plugin,
                              const std::string& wanted_by) {
  if (!plugin.empty()) return by_id(providers, plugin, wanted_by);
  const auto& loaders = configuration.manifest.weights.loaders;
  if (const auto loader = loaders.find(scheme); loader != loaders.end()) {
    const Provider& p = by_id(providers, loader->second.plugin, loader->second.origin);
    if (!find(p, scheme))
      throw PluginError(loader->second.origin, "expected a plugin that serves weights of scheme '" +
                                                   scheme + "', got '" + p.descriptor->id + "'");
    return p;
  }
  Providers able;
  for (const Provider* p : providers)
    if (p->usable() && find(*p, scheme)) able.push_back(p);
  const Provider* chosen = best(able, configuration, scheme, wanted_by);
  if (!chosen) nobody(providers, scheme, wanted_by);
  return *chosen;
}

void require_location(const Provider& chosen, const weights::Rule& rule) {
  const DescribedScheme& scheme = *find(chosen, rule.scheme);
  if (scheme.reads_file == !rule.location.empty()) return;
  throw PluginError(rule.origin, scheme.reads_file
                                     ? "expected the key 'location', as source '" + rule.scheme +
                                           "' reads a file, got none"
                                     : "location: expected none, as source '" + rule.scheme +
                                           "' reads no file, got '" + rule.location + "'");
}

weights::Served served_by_suffix(const Providers& providers, const Configuration& configuration,
                                 const std::string& location, const std::string& wanted_by) {
  if (weights::Served found = by_loader(providers, configuration, location); !found.scheme.empty())
    return found;
  std::vector<std::string> suffixes;
  for (const Provider* p : providers)
    if (p->usable())
      for (const DescribedScheme& s : p->descriptor->schemes)
        suffixes.insert(suffixes.end(), s.suffixes.begin(), s.suffixes.end());
  const std::string suffix = longest(suffixes, location);
  if (suffix.empty())
    throw PluginError(wanted_by, "expected the key 'from', as no plugin claims the suffix of '" +
                                     location + "', got none");
  Providers able;
  for (const Provider* p : providers) {
    const auto& all = p->descriptor->schemes;
    if (p->usable() && std::any_of(all.begin(), all.end(), [&](const DescribedScheme& s) {
          return std::find(s.suffixes.begin(), s.suffixes.end(), suffix) != s.suffixes.end();
        }))
      able.push_back(p);
  }
  const Provider& chosen = *best(able, configuration, suffix, wanted_by);
  return {scheme_of(chosen, suffix, wanted_by), chosen.descriptor->id, location};
}

weights::Served served_in_model(const Providers& providers, const Configuration& configuration,
                                const std::string& location) {
  const size_t colon = location.find(':');
  if (colon == std::string::npos || colon == 0)
    return by_loader(providers, configuration, location);
  const std::string scheme = location.substr(0, colon);
  // A model must not be able to ask for numbers that are nobody's: of a source without a file.
  const auto serves = [&](const Provider* p, bool reads_file) {
    const DescribedScheme* s = p->usable() ? find(*p, scheme) : nullptr;
    return s && s->reads_file == reads_file;
  };
  const auto somebody = [&](bool reads_file) {
    return std::any_of(providers.begin(), providers.end(),
                       [&](const Provider* p) { return serves(p, reads_file); });
  };
  if (somebody(false) ||
      (!somebody(true) && !configuration.manifest.weights.loaders.contains(scheme)))
    return by_loader(providers, configuration, location);
  return {scheme, "", location.substr(colon + 1)};
}

}  // namespace onnx2fx::plugin
