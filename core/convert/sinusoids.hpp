// Tables of positions that were computed, not learnt.
#ifndef ONNX2FX_CORE_CONVERT_SINUSOIDS_HPP_
#define ONNX2FX_CORE_CONVERT_SINUSOIDS_HPP_

#include <cstdint>
#include <span>
#include <vector>

namespace onnx2fx::conversion {

/// Whether each row of float32 values of these dims is sines and cosines of the same angles, one
/// beside the other or all of the ones before all of the others: the squares of each pair sum to
/// one. A table of zeros and ones alone is none.
bool are_sinusoids(std::span<const uint8_t> bytes, const std::vector<int64_t>& dims);
/// Whether two of equal dims are the sines and the cosines of the same angles, as a rotary
/// embedding multiplies by.
bool are_sines_and_cosines(std::span<const uint8_t> a, std::span<const uint8_t> b);

}  // namespace onnx2fx::conversion

#endif
