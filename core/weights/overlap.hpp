// No byte of an external file belongs to two different tensors.
#ifndef ONNX2FX_CORE_WEIGHTS_OVERLAP_HPP_
#define ONNX2FX_CORE_WEIGHTS_OVERLAP_HPP_

#include <cstdint>
#include <string>
#include <vector>

#include "core/read/model_file.hpp"

namespace onnx2fx::weights {

/// Collects where the tensors of a model lie. Several tensors in one and the same range are tied
/// weights; ranges that overlap otherwise, one inside the other included, are a fault.
class ExternalRanges {
 public:
  struct Fault {
    std::string place, what;
  };

  /// A tensor that fault_of has passed; one that is not external is ignored. `place` is for
  /// messages. Opens no file: files are told apart by their location's text.
  void add(const read::ModelFile& file, const onnx::TensorProto& tensor, const std::string& place);
  /// At most one for each file. Takes O(n log n) for n tensors.
  std::vector<Fault> faults();

 private:
  struct Range {
    std::string location;
    uint64_t begin, end;
    std::string place;
  };
  std::vector<Range> ranges_;
};

}  // namespace onnx2fx::weights

#endif
