// Reference functions of packs, by name: what the libraries that were loaded give.
#ifndef ONNX2FX_CORE_RUNTIME_REFERENCE_LIBRARY_HPP_
#define ONNX2FX_CORE_RUNTIME_REFERENCE_LIBRARY_HPP_

#include <onnx2fx/reference.h>

#include <mutex>
#include <string>

namespace onnx2fx::runtime {

struct Reference {
  std::string library, id, version;  ///< its file and its plugin
  o2fx_reference_fn compute;
  const void* user;
  std::mutex* serial;  ///< of its library; null: any number of calls at a time
};

/// Of the library behind a handle of dlopen: none if it is no plugin, or one without such. Throws
/// ConversionError: a table that is wrong, a name that another library has.
void add_references(void* handle, const std::string& path);
/// Null: no library that was loaded has it. Lives as long as the process.
const Reference* find_reference(const std::string& name);

}  // namespace onnx2fx::runtime

#endif
