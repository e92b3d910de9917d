#include "core/weights/checksum.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::weights {
namespace {

constexpr size_t kBlock = 64, kPiece = size_t{1} << 20;
using State = std::array<uint32_t, 5>;

void add_block(State& state, const uint8_t* block) {
  std::array<uint32_t, 80> w;
  for (size_t i = 0; i < 16; i++)
    w[i] = uint32_t{block[4 * i]} << 24 | uint32_t{block[4 * i + 1]} << 16 |
           uint32_t{block[4 * i + 2]} << 8 | block[4 * i + 3];
  for (size_t i = 16; i < 80; i++) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  const auto rounds = [&](size_t from, uint32_t constant, auto&& mix) {
    for (size_t i = from; i < from + 20; i++) {
      const uint32_t t = std::rotl(a, 5) + mix() + e + constant + w[i];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = t;
    }
  };
  rounds(0, 0x5a827999, [&] { return (b & c) | (~b & d); });
  rounds(20, 0x6ed9eba1, [&] { return b ^ c ^ d; });
  rounds(40, 0x8f1bbcdc, [&] { return (b & c) | (b & d) | (c & d); });
  rounds(60, 0xca62c1d6, [&] { return b ^ c ^ d; });
  const State mixed = {a, b, c, d, e};
  for (size_t i = 0; i < state.size(); i++) state[i] += mixed[i];
}

/// Fills `piece` from the file; not through the mapping, whose pages would become resident.
void read_piece(const read::ByteSource& source, uint64_t offset, std::span<uint8_t> piece) {
  if (source.fd < 0) {
    std::memcpy(piece.data(), source.data + offset, piece.size());
    return;
  }
  while (!piece.empty()) {
    const ssize_t n = pread(source.fd, piece.data(), piece.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      throw ConversionError(source.path, std::string("cannot read file: ") +
                                             (n < 0 ? std::strerror(errno) : "it became shorter"));
    offset += static_cast<uint64_t>(n);
    piece = piece.subspan(static_cast<size_t>(n));
  }
}

}  // namespace

std::string sha1(const read::ByteSource& source) {
  State state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::vector<uint8_t> buffer(kPiece + 2 * kBlock);
  for (uint64_t at = 0;; at += kPiece) {
    size_t size = static_cast<size_t>(std::min<uint64_t>(source.size - at, kPiece));
    read_piece(source, at, {buffer.data(), size});
    const bool last = at + size == source.size;
    if (last) {
      buffer[size++] = 0x80;
      while (size % kBlock != kBlock - 8) buffer[size++] = 0;
      for (int shift = 56; shift >= 0; shift -= 8)
        buffer[size++] = static_cast<uint8_t>(source.size * 8 >> shift);
    }
    for (size_t block = 0; block < size; block += kBlock) add_block(state, buffer.data() + block);
    if (last) break;
  }
  std::string hex;
  for (const uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) hex += "0123456789abcdef"[word >> shift & 15];
  return hex;
}

}  // namespace onnx2fx::weights
