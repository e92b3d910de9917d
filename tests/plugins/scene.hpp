// A folder that lives as long as the test, and short ways to put descriptors, manifests and
// libraries into it.
#ifndef ONNX2FX_TESTS_PLUGINS_SCENE_HPP_
#define ONNX2FX_TESTS_PLUGINS_SCENE_HPP_

#include <onnx2fx/plugin.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/plugin/registry.hpp"

namespace onnx2fx::plugin {

/// Where the test build put the packs and the hostile libraries.
inline std::string library(const std::string& name) {
  return std::string(ONNX2FX_TEST_LIBRARIES) + "/" + name;
}

class Scene {
 public:
  Scene() {
    std::string name = (std::filesystem::temp_directory_path() / "onnx2fx-XXXXXX").string();
    root_ = std::filesystem::canonical(mkdtemp(name.data())).string();
  }
  ~Scene() { std::filesystem::remove_all(root_); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  std::string path(const std::string& name) const { return root_ + "/" + name; }
  const std::string& root() const { return root_; }

  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  std::string copy(const std::string& library_name, const std::string& to) const {
    std::filesystem::create_directories(std::filesystem::path(path(to)).parent_path());
    std::filesystem::copy_file(library(library_name), path(to));
    return path(to);
  }
  /// A descriptor without a library behind it; `ops` are the members of provides.ops.
  std::string describe(const std::string& name, const std::string& id, const std::string& ops,
                       const std::string& plugin_members = "") const {
    return write(
        name,
        R"({"manifest_version": "1.0", "plugin": {"id": ")" + id +
            R"(", "version": "1.2.3", "library": "l.so", "abi": {"major": 1, "min_minor": 0})" +
            (plugin_members.empty() ? "" : ", " + plugin_members) + R"(}, "provides": {"ops": [)" +
            ops + "]}}\n");
  }
  std::string manifest(const std::string& members) const {
    return write("manifest.json", R"({"config_version": "1.0", )" + members + "}");
  }
  /// Looks at nothing but what the test names.
  Options options() const {
    Options o;
    o.default_plugins = false;
    return o;
  }

 private:
  std::string root_;
};

/// The text of the PluginError that f throws, with the scene's folder written as DIR; "" if it
/// throws none.
inline std::string refusal(const Scene& scene, const std::function<void()>& f) {
  try {
    f();
  } catch (const PluginError& e) {
    std::string text = e.what();
    for (size_t at; (at = text.find(scene.root())) != std::string::npos;)
      text.replace(at, scene.root().size(), "DIR");
    return text;
  }
  return "";
}

}  // namespace onnx2fx::plugin

#endif
