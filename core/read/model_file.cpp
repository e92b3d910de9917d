#include "core/read/model_file.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/read/mapped_file.hpp"
#include "core/read/skim.hpp"

namespace onnx2fx::read {
namespace {

class Memory final : public ByteSource {
 public:
  explicit Memory(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {
    data = reinterpret_cast<const uint8_t*>(bytes_->data());
    size = bytes_->size();
  }

 private:
  std::shared_ptr<const std::string> bytes_;
};

/// What a file that is no model looks like: a remedy for its note, or "".
std::string guess(const ByteSource& bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data),
                              std::min<uint64_t>(bytes.size, 512));
  if (head.starts_with("version https://git-lfs")) {
    return "this is a Git LFS pointer; fetch the model itself with 'git lfs pull'";
  }
  if (head.starts_with("PK\x03\x04"))
    return "this is a zip archive: a PyTorch checkpoint, perhaps; unpack or export it first";
  if (head.starts_with("\x1f\x8b")) return "this file is compressed; unpack it with gunzip first";
  const bool text = std::all_of(head.begin(), head.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
  if (text) return "this is a text file; onnx2fx reads models in ONNX's binary form";
  return "";
}

[[noreturn]] void refuse(const ModelFile& file, const std::string& why) {
  const std::string note = guess(*file.bytes);
  throw ConversionError(file.name, "not an ONNX model: " + why,
                        note.empty() ? std::vector<std::string>{} : std::vector<std::string>{note});
}

void parse(ModelFile& file, const std::string& skeleton) {
  google::protobuf::io::ArrayInputStream stream(skeleton.data(), static_cast<int>(skeleton.size()));
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetTotalBytesLimit(INT32_MAX);
  if (!file.model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage()) {
    refuse(file, "its fields are not those of a model");
  }
  if (!file.model.has_graph()) refuse(file, "it holds no graph");
}

void read(ModelFile& file, bool mapped, const Progress& progress) {
  if (file.bytes->size == 0)
    throw ConversionError(file.name, "not an ONNX model: the file is empty");
  SkimOptions options;
  options.drop_pages = mapped;
  options.progress = progress;
  std::string skeleton;
  try {
    skeleton = skim({file.bytes->data, file.bytes->size}, options, file.weights);
  } catch (const WireError& error) {
    if (!error.truncated || !guess(*file.bytes).empty()) refuse(file, error.what());
    throw ConversionError(file.name, std::string("truncated model: ") + error.what(),
                          {"the file seems to be cut short; download or export it again"});
  }
  parse(file, skeleton);
}

}  // namespace

ModelFile read_file(const std::string& path, const Progress& progress) {
  ModelFile file;
  file.name = path;
  // Absolute from here on: a plugin may move the process.
  const std::filesystem::path absolute = std::filesystem::absolute(path).lexically_normal();
  file.bytes = map_file(absolute.string(), path);
  file.directory = absolute.parent_path().string();
  read(file, true, progress);
  return file;
}

ModelFile read_bytes(std::shared_ptr<const std::string> bytes, std::string name,
                     const std::string& directory, const Progress& progress) {
  ModelFile file;
  file.name = name.empty() ? "<memory>" : std::move(name);
  file.bytes = std::make_shared<Memory>(std::move(bytes));
  if (!directory.empty()) file.directory = std::filesystem::absolute(directory).string();
  read(file, false, progress);
  return file;
}

int64_t weight_index(const onnx::TensorProto& tensor) {
  if (tensor.data_location() != onnx::TensorProto::EXTERNAL || tensor.external_data_size() != 1)
    return -1;
  const std::string& location = tensor.external_data(0).value();
  if (location.size() < 2 || location[0] != '#') return -1;
  int64_t index = -1;
  const char* end = location.data() + location.size();
  const auto [stop, error] = std::from_chars(location.data() + 1, end, index);
  return error == std::errc() && stop == end ? index : -1;
}

}  // namespace onnx2fx::read
