// Bytes as a model file. Half of the mutations are libFuzzer's own; the other half keep the file a
// protobuf: a field of some message is cleared, copied from another place, or changed.
#include <google/protobuf/message.h>
#include <onnx/onnx_pb.h>

#include <random>
#include <vector>

#include "tests/fuzz/bytes.hpp"
#include "tests/fuzz/converting.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  onnx2fx::fuzz::Bytes bytes(data, size);
  const uint8_t flags = bytes.byte();
  onnx2fx::fuzz::converted(bytes.rest(), flags);
  return 0;
}

#ifdef ONNX2FX_FUZZER
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Random = std::minstd_rand;

struct Place {
  Message* message;
  const FieldDescriptor* field;
};

void collect(Message& m, std::vector<Place>& places) {
  const Reflection& r = *m.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  r.ListFields(m, &fields);
  for (const FieldDescriptor* f : fields) {
    places.push_back({&m, f});
    if (f->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!f->is_repeated()) collect(*r.MutableMessage(&m, f), places);
    for (int i = 0; f->is_repeated() && i < r.FieldSize(m, f); i++)
      collect(*r.MutableRepeatedMessage(&m, f, i), places);
  }
}

std::string changed(std::string text) {
  const size_t size = text.size();
  text.resize(size + 8);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(text.data()), size, text.size()));
  return text;
}

int64_t changed(int64_t x, Random& random) {
  const auto u = static_cast<uint64_t>(x);  // wraps
  const uint64_t kValues[] = {0,     1,     ~uint64_t{0}, 2,          u + 1,  u - 1,
                              0 - u, u * 2, INT64_MAX,    1ULL << 63, 1 << 20};
  return static_cast<int64_t>(kValues[random() % std::size(kValues)]);
}

void change_repeated(const Place& p, const Place& other, Random& random) {
  const Reflection& r = *p.message->GetReflection();
  const int n = r.FieldSize(*p.message, p.field);
  const int at = static_cast<int>(random() % static_cast<unsigned>(n));
  switch (random() % 4) {
    case 0:
      return r.RemoveLast(p.message, p.field);
    case 1:
      return r.SwapElements(p.message, p.field, at, n - 1);
    case 2:
      if (p.field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Message* copy = r.AddMessage(p.message, p.field);
        return copy->CopyFrom(r.GetRepeatedMessage(*p.message, p.field, at));
      }
      break;
    default:
      break;
  }
  if (p.field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    const bool take = other.field == p.field && other.message != p.message;
    r.SetRepeatedString(
        p.message, p.field, at,
        take ? other.message->GetReflection()->GetRepeatedString(*other.message, other.field, 0)
             : changed(r.GetRepeatedString(*p.message, p.field, at)));
  }
  if (p.field->cpp_type() == FieldDescriptor::CPPTYPE_INT64)
    r.SetRepeatedInt64(p.message, p.field, at,
                       changed(r.GetRepeatedInt64(*p.message, p.field, at), random));
}

void change(const Place& p, const Place& other, Random& random) {
  const Reflection& r = *p.message->GetReflection();
  if (p.field->is_repeated()) return change_repeated(p, other, random);
  if (random() % 8 == 0) return r.ClearField(p.message, p.field);
  switch (p.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      return r.SetInt64(p.message, p.field, changed(r.GetInt64(*p.message, p.field), random));
    case FieldDescriptor::CPPTYPE_INT32:
      return r.SetInt32(p.message, p.field, static_cast<int32_t>(random() % 24));
    case FieldDescriptor::CPPTYPE_ENUM:
      return r.SetEnumValue(p.message, p.field, static_cast<int>(random() % 16));
    case FieldDescriptor::CPPTYPE_STRING:
      return r.SetString(p.message, p.field, changed(r.GetString(*p.message, p.field)));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (other.field->message_type() == p.field->message_type() && !other.field->is_repeated()) {
        const std::unique_ptr<Message> copy(r.GetMessage(*p.message, p.field).New());
        copy->CopyFrom(other.message->GetReflection()->GetMessage(*other.message, other.field));
        r.MutableMessage(p.message, p.field)->CopyFrom(*copy);
      }
      return;
    default:
      return;
  }
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  Random random(seed);
  onnx::ModelProto model;
  if (random() % 2 == 0 || size < 2 || !model.ParseFromArray(data + 1, static_cast<int>(size - 1)))
    return LLVMFuzzerMutate(data, size, max_size);
  for (unsigned n = 1 + random() % 4; n > 0; n--) {
    std::vector<Place> places;
    collect(model, places);
    if (places.empty()) break;
    change(places[random() % places.size()], places[random() % places.size()], random);
  }
  const std::string text = model.SerializeAsString();
  if (text.size() + 1 > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data + 1, text.data(), text.size());
  return text.size() + 1;
}
#endif
