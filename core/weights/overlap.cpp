#include "core/weights/overlap.hpp"

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "core/weights/external_file.hpp"
#include "core/weights/payload.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::weights {

void ExternalRanges::add(const read::ModelFile& file, const onnx::TensorProto& tensor,
                         const std::string& place) {
  const read::WeightRef* ref = reference(file, tensor);
  if (!ref || ref->field != read::Field::kExternal || ref->is_served) return;
  const uint64_t size = packed_size(tensor.data_type(), element_count(tensor.dims()));
  uint64_t end = 0;
  // An end beyond 2^64 lies outside any file, which is found when the file is opened.
  if (size == 0 || __builtin_add_overflow(ref->offset, size, &end)) return;
  ranges_.push_back(
      {std::filesystem::path(ref->location).lexically_normal().string(), ref->offset, end, place});
}

std::vector<ExternalRanges::Fault> ExternalRanges::faults() {
  std::vector<Fault> faults;
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
    return std::tie(a.location, a.begin, a.end) < std::tie(b.location, b.begin, b.end);
  });
  const std::string* faulty = nullptr;  ///< a file is reported once
  for (size_t i = 1; i < ranges_.size(); ++i) {
    const Range &a = ranges_[i - 1], &b = ranges_[i];
    // Until the first overlap, the range before is the one that reaches furthest.
    if (a.location != b.location || b.begin >= a.end || (faulty && *faulty == b.location)) continue;
    if (a.begin == b.begin && a.end == b.end) continue;
    faulty = &b.location;
    const auto text = [](const Range& r) {
      return std::to_string(r.begin) + " to " + std::to_string(r.end);
    };
    faults.push_back({b.place, "external data " + quoted(b.location) +
                                   ": expected bytes of its own, got " + text(b) +
                                   ", of which some belong to " + a.place + ", " + text(a)});
  }
  return faults;
}

}  // namespace onnx2fx::weights
