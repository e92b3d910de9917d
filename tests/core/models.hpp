// Small models for tests, written in ONNX's text syntax, and what tests ask of them.
#ifndef ONNX2FX_TESTS_CORE_MODELS_HPP_
#define ONNX2FX_TESTS_CORE_MODELS_HPP_

#include <onnx/defs/parser.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/read/model_file.hpp"

namespace onnx2fx::test {

inline onnx::ModelProto model(const std::string& text) {
  onnx::ModelProto proto;
  const onnx::Common::Status status = onnx::OnnxParser::Parse(proto, text.c_str());
  if (!status.IsOK()) throw std::runtime_error(status.ErrorMessage());
  return proto;
}

inline read::ModelFile read_proto(const onnx::ModelProto& proto,
                                  const std::string& directory = "") {
  return read::read_bytes(std::make_shared<const std::string>(proto.SerializeAsString()),
                          "net.onnx", directory);
}

/// The text of the ConversionError that `f` throws; "" if it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const ConversionError& error) {
    return error.what();
  }
  return "";
}

/// Memory of this process that is resident now.
inline uint64_t resident_kib() {
  std::ifstream status("/proc/self/smaps_rollup");
  std::string word;
  while (status >> word) {
    if (word == "Rss:") {
      uint64_t value = 0;
      status >> value;
      return value;
    }
  }
  return 0;
}

/// A folder that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "onnx2fx-test-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(*this / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  std::string path_;
};

}  // namespace onnx2fx::test

#endif
