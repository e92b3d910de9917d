#include "core/plugin/required_versions.hpp"

#include <algorithm>

#include "core/plugin/version_range.hpp"

namespace onnx2fx::plugin {

std::map<std::string, RequiredVersion> required_versions(
    const Manifest& manifest, const std::vector<Found>& all,
    const std::function<bool(const Found&)>& may_serve) {
  const auto fits = [&](const Descriptor& d) {
    return std::all_of(manifest.required.begin(), manifest.required.end(), [&](const Required& r) {
      return r.id != d.id || in_range(d.version, r.version);
    });
  };
  std::map<std::string, RequiredVersion> chosen;
  for (const Required& r : manifest.required) {
    if (r.version.empty()) continue;
    const Found* best = nullptr;
    for (const Found& f : all) {
      const Descriptor& d = *f.file->descriptor;
      if (d.id != r.id || !fits(d) || !may_serve(f)) continue;
      if (!best || is_older(best->file->descriptor->version, d.version)) best = &f;
    }
    if (best) chosen.insert_or_assign(r.id, RequiredVersion{best->path, r.origin});
  }
  return chosen;
}

}  // namespace onnx2fx::plugin
