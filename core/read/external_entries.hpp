// What a tensor says of its external data: TensorProto's key-value pairs, taken literally.
#ifndef ONNX2FX_CORE_READ_EXTERNAL_ENTRIES_HPP_
#define ONNX2FX_CORE_READ_EXTERNAL_ENTRIES_HPP_

#include <set>
#include <string>

#include "core/read/model_file.hpp"

namespace onnx2fx::read {

/// Keys are those of ONNX: location, offset, length, checksum (SHA-1 of the file), and basepath,
/// which says where the writer had the file and means nothing to a reader. Numbers are decimal
/// digits below 2^64. Anything else is a fault.
class ExternalEntries {
 public:
  void add(const std::string& key, const std::string& value);
  /// The reference; its `fault` is the first of the entries'.
  WeightRef take();

 private:
  void fault(const std::string& text);
  bool number(const std::string& key, const std::string& value, uint64_t& result);

  WeightRef ref_;
  std::set<std::string> keys_;
};

}  // namespace onnx2fx::read

#endif
