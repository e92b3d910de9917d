// A document where readers look for it: in a file of a folder that others cannot write to.
#ifndef ONNX2FX_TESTS_FUZZ_DOCUMENT_HPP_
#define ONNX2FX_TESTS_FUZZ_DOCUMENT_HPP_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace onnx2fx::fuzz {

class Document {
 public:
  explicit Document(const std::string& name) {
    std::string folder = (std::filesystem::temp_directory_path() / "onnx2fx-fuzz-XXXXXX").string();
    if (!mkdtemp(folder.data())) throw std::runtime_error("cannot make a temporary folder");
    folder_ = folder;
    path_ = folder_ / name;
  }
  ~Document() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  const std::string& holding(const uint8_t* data, size_t size) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    return text_ = path_.string();
  }

 private:
  std::filesystem::path folder_, path_;
  std::string text_;
};

}  // namespace onnx2fx::fuzz

#endif
