// A model's wire format is a tree of length-delimited messages. Only few kinds of message can hold
// a tensor further down (child_kind); those are rebuilt field by field, with new lengths,
// everything else is copied verbatim. Of a tensor, data fields above the threshold are left out and
// the tensor is marked as external with location "#<index into weights>". Real external references
// move into the same table, so that no location written by a file reaches the proto and a "#"
// cannot be forged. The mark survives copies, renames and inlining of the proto, and ONNX's checker
// leaves it alone.
#include "core/read/skim.hpp"

#include <sys/mman.h>

#include <algorithm>

#include "core/read/external_entries.hpp"

namespace onnx2fx::read {
namespace {

enum class Kind : uint8_t {
  kLeaf,
  kModel,
  kTraining,
  kGraph,
  kNode,
  kAttribute,
  kFunction,
  kSparse,
  kTensor,
  kIndices  ///< of a sparse tensor: structure, which stays
};

enum Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr uint32_t kExternalData = 13, kDataLocation = 14;
constexpr uint64_t kDropStep = uint64_t{1} << 20;
constexpr uintptr_t kPage = 4096;

/// Which length-delimited fields may contain a tensor further down.
Kind child_kind(Kind parent, uint32_t field) {
  switch (parent) {
    case Kind::kModel:
      return field == 7    ? Kind::kGraph
             : field == 20 ? Kind::kTraining
             : field == 25 ? Kind::kFunction
                           : Kind::kLeaf;
    case Kind::kTraining:
      return field == 1 || field == 2 ? Kind::kGraph : Kind::kLeaf;
    case Kind::kGraph:
      return field == 1    ? Kind::kNode
             : field == 5  ? Kind::kTensor
             : field == 15 ? Kind::kSparse
                           : Kind::kLeaf;
    case Kind::kNode:
      return field == 5 ? Kind::kAttribute : Kind::kLeaf;
    case Kind::kFunction:
      return field == 7 ? Kind::kNode : field == 11 ? Kind::kAttribute : Kind::kLeaf;
    case Kind::kSparse:
      return field == 1 ? Kind::kTensor : field == 2 ? Kind::kIndices : Kind::kLeaf;
    case Kind::kAttribute:
      return field == 5 || field == 10    ? Kind::kTensor
             : field == 6 || field == 11  ? Kind::kGraph
             : field == 22 || field == 23 ? Kind::kSparse
                                          : Kind::kLeaf;
    default:
      return Kind::kLeaf;
  }
}

/// The wire type of ModelProto's fields; a known field with another type means that this is some
/// other message.
bool fits_model(uint32_t field, uint32_t wire) {
  switch (field) {
    case 1:
    case 5:
      return wire == kVarint;
    case 2:
    case 3:
    case 4:
    case 6:
    case 7:
    case 8:
    case 14:
    case 20:
    case 25:
    case 26:
      return wire == kBytes;
    default:
      return true;
  }
}

bool is_payload(uint32_t field) {
  switch (static_cast<Field>(field)) {
    case Field::kFloatData:
    case Field::kInt32Data:
    case Field::kInt64Data:
    case Field::kRawData:
    case Field::kDoubleData:
    case Field::kUint64Data:
      return true;
    case Field::kExternal:
      return false;
  }
  return false;
}

/// One field; the cursor stands behind it.
struct Item {
  const uint8_t* start;  ///< of the tag
  uint32_t number, wire;
  const uint8_t *begin = nullptr, *end = nullptr;  ///< kBytes: the content
  uint64_t value = 0;                              ///< kVarint

  uint64_t size() const { return static_cast<uint64_t>(end - begin); }
  std::string text() const { return std::string(begin, end); }
};

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}
void put_bytes(std::string& out, uint32_t field, const std::string& bytes) {
  put_varint(out, field << 3 | kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}
void append(std::string& out, const uint8_t* begin, const uint8_t* end) {
  out.append(reinterpret_cast<const char*>(begin), static_cast<size_t>(end - begin));
}

class Walker {
 public:
  Walker(std::span<const uint8_t> bytes, const SkimOptions& options,
         std::vector<WeightRef>& weights)
      : base_(bytes.data()),
        end_(bytes.data() + bytes.size()),
        options_(options),
        weights_(weights),
        dropped_(base_) {}

  std::string run() {
    std::string out;
    message(Kind::kModel, base_, end_, out, 0);
    behind(end_);
    return out;
  }

 private:
  [[noreturn]] void fail(const uint8_t* at, const std::string& what, bool truncated = false) const {
    throw WireError("byte " + std::to_string(at - base_) + ": " + what, truncated);
  }

  uint64_t varint(const uint8_t*& cursor, const uint8_t* end) const {
    const uint8_t* start = cursor;
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && cursor < end; shift += 7) {
      const uint8_t byte = *cursor++;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail(start, cursor == end ? "number breaks off" : "number is longer than 64 bits",
         cursor == end_);
  }

  void need(const Item& item, uint64_t size, const uint8_t* cursor, const uint8_t* end) const {
    const uint64_t left = static_cast<uint64_t>(end - cursor);
    if (size <= left) return;
    fail(item.start,
         "field " + std::to_string(item.number) + " runs past the end of " +
             (end == end_ ? "the file" : "what contains it") + ": expected " +
             std::to_string(size) + " bytes, got " + std::to_string(left),
         end == end_);
  }

  Item next(const uint8_t*& cursor, const uint8_t* end) const {
    Item item{cursor, 0, 0};
    const uint64_t tag = varint(cursor, end);
    if (tag > UINT32_MAX || tag >> 3 == 0) fail(item.start, "no field begins here");
    item.number = static_cast<uint32_t>(tag >> 3);
    item.wire = static_cast<uint32_t>(tag & 7);
    uint64_t size = 0;
    switch (item.wire) {
      case kVarint:
        item.value = varint(cursor, end);
        return item;
      case kFixed64:
        size = 8;
        break;
      case kFixed32:
        size = 4;
        break;
      case kBytes:
        size = varint(cursor, end);
        break;
      default:
        fail(item.start, "field of unknown wire type " + std::to_string(item.wire));
    }
    need(item, size, cursor, end);
    item.begin = cursor;
    item.end = cursor += size;
    return item;
  }

  // One page fault maps a whole folio of the page cache (up to 2 MiB), so a hundred headers between
  // weights can make a hundred MiB resident.
  void behind(const uint8_t* cursor) {
    const uintptr_t low = (reinterpret_cast<uintptr_t>(dropped_) + kPage - 1) & ~(kPage - 1);
    const uintptr_t high = reinterpret_cast<uintptr_t>(cursor) & ~(kPage - 1);
    if (high < low || (high - low < kDropStep && cursor != end_)) return;
    if (options_.drop_pages && high > low) {
      madvise(reinterpret_cast<void*>(low), high - low, MADV_DONTNEED);
    }
    dropped_ = cursor;
    if (options_.progress) {
      options_.progress(static_cast<uint64_t>(cursor - base_), static_cast<uint64_t>(end_ - base_));
    }
  }

  void message(Kind kind, const uint8_t* cursor, const uint8_t* end, std::string& out, int depth) {
    if (depth > options_.max_depth) {
      fail(cursor, "messages are nested more than " + std::to_string(options_.max_depth) + " deep");
    }
    if (kind == Kind::kTensor) return tensor(cursor, end, options_.keep, out);
    if (kind == Kind::kIndices) return tensor(cursor, end, UINT64_MAX, out);
    const uint8_t* verbatim = cursor;  // start of a stretch that is copied as it is
    while (cursor < end) {
      const Item item = next(cursor, end);
      if (kind == Kind::kModel && !fits_model(item.number, item.wire)) {
        fail(item.start,
             "field " + std::to_string(item.number) + " is not of the type that a model has there");
      }
      const Kind child = item.wire == kBytes ? child_kind(kind, item.number) : Kind::kLeaf;
      if (child == Kind::kLeaf) continue;
      append(out, verbatim, item.start);
      std::string inner;
      message(child, item.begin, item.end, inner, depth + 1);
      if (out.size() + inner.size() > options_.max_skeleton)
        fail(item.start, "the graph is too large");
      put_bytes(out, item.number, inner);
      verbatim = cursor;
    }
    append(out, verbatim, end);
  }

  void tensor(const uint8_t* cursor, const uint8_t* end, uint64_t keep, std::string& out) {
    WeightRef ref;
    ExternalEntries entries;
    bool stripped = false, external = false, loose = false;
    int pieces = 0;
    while (cursor < end) {
      const Item item = next(cursor, end);
      const bool payload = is_payload(item.number) && (item.wire != kBytes || item.size() > 0);
      if (payload && item.wire == kBytes) ++pieces;
      loose |= payload && item.wire != kBytes;  // a list written one element a tag: it stays
      if (payload && item.wire == kBytes && item.size() > keep) {
        stripped = true;
        ref.field = static_cast<Field>(item.number);
        ref.offset = static_cast<uint64_t>(item.begin - base_);
        ref.length = item.size();
        ref.has_length = true;
        behind(item.begin);
      } else if (item.wire == kBytes && item.number == kExternalData) {
        external_entry(item, entries);
      } else if (item.wire == kVarint && item.number == kDataLocation) {
        external = item.value == onnx::TensorProto::EXTERNAL;
      } else {
        append(out, item.start, cursor);
      }
    }
    pieces += loose;
    // Entries of a tensor that is not external are leftovers: it was made internal again.
    if (external) ref = entries.take();
    if (external && pieces > 0)
      ref.fault = "data: expected external data only, got data in the model, too";
    if (stripped && !external && pieces > 1) ref.fault = "data: it stands in more than one piece";
    if (external || stripped) mark(std::move(ref), out);
  }

  void external_entry(const Item& entry, ExternalEntries& entries) const {
    std::string key, value;
    const uint8_t* cursor = entry.begin;
    while (cursor < entry.end) {
      const Item item = next(cursor, entry.end);
      if (item.wire == kBytes && item.number == 1) key = item.text();
      if (item.wire == kBytes && item.number == 2) value = item.text();
    }
    entries.add(key, value);
  }

  void mark(WeightRef ref, std::string& out) {
    put_varint(out, kDataLocation << 3 | kVarint);
    put_varint(out, onnx::TensorProto::EXTERNAL);
    std::string entry;
    put_bytes(entry, 1, "location");
    put_bytes(entry, 2, "#" + std::to_string(weights_.size()));
    put_bytes(out, kExternalData, entry);
    weights_.push_back(std::move(ref));
  }

  const uint8_t *base_, *end_;
  const SkimOptions& options_;
  std::vector<WeightRef>& weights_;
  const uint8_t* dropped_;
};

}  // namespace

std::string skim(std::span<const uint8_t> model, const SkimOptions& options,
                 std::vector<WeightRef>& weights) {
  return Walker(model, options, weights).run();
}

}  // namespace onnx2fx::read
