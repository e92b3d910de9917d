// Descriptors and folders of them, read once in the process and again when they change.
#ifndef ONNX2FX_CORE_PLUGIN_DESCRIPTOR_CACHE_HPP_
#define ONNX2FX_CORE_PLUGIN_DESCRIPTOR_CACHE_HPP_

#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/read/open_file.hpp"

namespace onnx2fx::plugin {

/// A descriptor as it lay on disk.
struct DescriptorFile {
  std::shared_ptr<const Descriptor> descriptor;
  std::vector<Diagnostic> faults;  ///< with an error among them the descriptor is of no use
  read::Opened opened;
};

/// Never throws for what the file holds, or for want of one. From several threads. folder: the real
/// path of the file's.
std::shared_ptr<const DescriptorFile> descriptor_file(const std::string& path,
                                                      const std::string& folder);
/// Those of one folder, on several cores where they are many.
std::vector<std::shared_ptr<const DescriptorFile>> descriptor_files(
    const std::vector<std::string>& paths, const std::string& folder);

/// Paths of the folder's descriptors, by byte order of the name: whatever is called
/// NAME.onnx2fx.json and is no folder; what is no file either is told when it is read. `folder` is
/// absolute.
std::vector<std::string> descriptors_in(const std::string& folder, std::error_code& error);

}  // namespace onnx2fx::plugin

#endif
