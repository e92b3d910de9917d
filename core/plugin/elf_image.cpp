#include "core/plugin/elf_image.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace onnx2fx::plugin {

#if defined(__x86_64__)
static constexpr uint16_t kMachine = EM_X86_64;
static constexpr const char* kMachineName = "x86_64";
const char* platform() { return "linux-x86_64"; }
#elif defined(__aarch64__)
static constexpr uint16_t kMachine = EM_AARCH64;
static constexpr const char* kMachineName = "aarch64";
const char* platform() { return "linux-aarch64"; }
#else
#error "platforms: linux-x86_64 and linux-aarch64"
#endif

namespace {

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> file) : file_(file) {}

  ElfImage read() {
    header();
    ElfImage image;
    const auto sections = table<Elf64_Shdr>(header_.e_shoff, header_.e_shnum, header_.e_shentsize);
    for (const Elf64_Shdr& s : sections) {
      if (s.sh_type != SHT_DYNSYM) continue;
      if (s.sh_link >= sections.size()) throw damaged();
      symbols(s, part(sections[s.sh_link].sh_offset, sections[s.sh_link].sh_size), image);
    }
    segments_ = table<Elf64_Phdr>(header_.e_phoff, header_.e_phnum, header_.e_phentsize);
    for (const Elf64_Phdr& p : segments_)
      if (p.p_type == PT_DYNAMIC) dynamic(p, image);
    stack(image);
    return image;
  }

 private:
  static std::runtime_error damaged() {
    return std::runtime_error("expected a whole ELF file, got a truncated or damaged one");
  }

  void header() {
    if (file_.size() < SELFMAG || std::memcmp(file_.data(), ELFMAG, SELFMAG) != 0)
      throw std::runtime_error("expected an ELF shared library, got " + kind());
    if (file_.size() < sizeof(Elf32_Ehdr)) throw damaged();
    if (file_[EI_CLASS] == ELFCLASS32)
      throw std::runtime_error("expected a 64-bit library, got a 32-bit one");
    if (file_.size() < sizeof header_) throw damaged();
    std::memcpy(&header_, file_.data(), sizeof header_);
    if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_ident[EI_DATA] != ELFDATA2LSB)
      throw std::runtime_error(
          "expected a 64-bit little-endian library, got another kind of ELF file");
    if (header_.e_machine != kMachine)
      throw std::runtime_error(std::string("expected a library for ") + kMachineName +
                               ", got one for " + machine(header_.e_machine));
    if (header_.e_type != ET_DYN)
      throw std::runtime_error("expected an ELF shared library, got an object file or program");
  }

  std::string kind() const {
    const std::string_view head(reinterpret_cast<const char*>(file_.data()),
                                std::min<size_t>(file_.size(), 64));
    if (head.empty()) return "an empty file";
    if (head.starts_with("MZ")) return "a Windows library";
    // Mach-O of 64 and 32 bits, of either byte order, and what holds several.
    for (const char* magic : {"\xCF\xFA\xED\xFE", "\xCE\xFA\xED\xFE", "\xFE\xED\xFA\xCF",
                              "\xFE\xED\xFA\xCE", "\xCA\xFE\xBA\xBE", "\xCA\xFE\xBA\xBF"})
      if (head.starts_with(magic)) return "a macOS library";
    const bool is_text = std::all_of(head.begin(), head.end(), [](char c) {
      return c == '\n' || c == '\r' || c == '\t' || static_cast<unsigned char>(c) >= ' ';
    });
    return is_text ? "a text file" : "something else";
  }
  static std::string machine(uint16_t number) {
    if (number == EM_X86_64) return "x86_64";
    if (number == EM_AARCH64) return "aarch64";
    if (number == EM_RISCV) return "riscv";
    return "machine " + std::to_string(number);
  }

  std::span<const uint8_t> part(uint64_t offset, uint64_t size) const {
    if (offset > file_.size() || size > file_.size() - offset) throw damaged();
    return file_.subspan(offset, size);
  }
  template <class T>
  std::vector<T> table(uint64_t offset, uint64_t n, uint64_t stride) const {
    if (n == 0) return {};
    if (stride != sizeof(T) || n > file_.size() / sizeof(T)) throw damaged();
    std::vector<T> rows(n);
    std::memcpy(rows.data(), part(offset, n * sizeof(T)).data(), n * sizeof(T));
    return rows;
  }
  static std::string text(std::span<const uint8_t> names, uint64_t at) {
    if (at >= names.size()) throw damaged();
    const auto* begin = reinterpret_cast<const char*>(names.data()) + at;
    return {begin, strnlen(begin, names.size() - at)};
  }

  void symbols(const Elf64_Shdr& s, std::span<const uint8_t> names, ElfImage& image) const {
    const auto rows = table<Elf64_Sym>(s.sh_offset, s.sh_size / sizeof(Elf64_Sym), s.sh_entsize);
    for (const Elf64_Sym& symbol : rows) {
      const auto binding = ELF64_ST_BIND(symbol.st_info);
      const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
      if (binding == STB_LOCAL) continue;
      const std::string name = text(names, symbol.st_name);
      if (symbol.st_shndx == SHN_UNDEF) {
        if (binding != STB_WEAK) image.undefined.push_back(name);
      } else if (visibility == STV_DEFAULT || visibility == STV_PROTECTED) {
        image.exports.push_back(name);
      }
    }
  }

  /// As the loader sees it: it looks at segments, not at sections.
  void dynamic(const Elf64_Phdr& p, ElfImage& image) const {
    auto entries = table<Elf64_Dyn>(p.p_offset, p.p_filesz / sizeof(Elf64_Dyn), sizeof(Elf64_Dyn));
    entries.erase(std::find_if(entries.begin(), entries.end(),
                               [](const Elf64_Dyn& d) { return d.d_tag == DT_NULL; }),
                  entries.end());
    const auto value = [&](Elf64_Sxword tag) {
      for (const Elf64_Dyn& d : entries)
        if (d.d_tag == tag) return d.d_un.d_val;
      throw damaged();
    };
    const std::span<const uint8_t> names = loaded(value(DT_STRTAB), value(DT_STRSZ));
    for (const Elf64_Dyn& d : entries) {
      if (d.d_tag == DT_NEEDED || d.d_tag == DT_AUXILIARY || d.d_tag == DT_FILTER)
        image.needed.push_back(text(names, d.d_un.d_val));
      if (d.d_tag != DT_RPATH && d.d_tag != DT_RUNPATH) continue;
      std::string path = text(names, d.d_un.d_val) + ":";
      for (size_t end; (end = path.find(':')) != std::string::npos; path.erase(0, end + 1))
        image.run_paths.push_back(path.substr(0, end));
    }
  }
  /// The part of the file that is loaded at this address.
  std::span<const uint8_t> loaded(uint64_t address, uint64_t size) const {
    for (const Elf64_Phdr& p : segments_)
      if (p.p_type == PT_LOAD && address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz)
        return part(p.p_offset + (address - p.p_vaddr), size);
    throw damaged();
  }

  void stack(ElfImage& image) const {
    for (const Elf64_Phdr& p : segments_) {
      if (p.p_type == PT_GNU_STACK) image.executable_stack = (p.p_flags & PF_X) != 0;
      if (p.p_type == PT_LOAD) part(p.p_offset, p.p_filesz);
    }
  }

  std::span<const uint8_t> file_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
};

}  // namespace

bool ElfImage::exported(const std::string& symbol) const {
  return std::find(exports.begin(), exports.end(), symbol) != exports.end();
}

ElfImage read_elf(std::span<const uint8_t> file) { return Reader(file).read(); }

std::vector<std::string> relative_paths(const ElfImage& image) {
  // "$ORIGINAL/lib" is no $ORIGIN to the loader, but a name in the current folder.
  const auto absolute = [](const std::string& path) {
    const std::string first = path.substr(0, path.find('/'));
    return first.empty() ? path.starts_with("/") : first == "$ORIGIN" || first == "${ORIGIN}";
  };
  std::vector<std::string> faults;
  for (const std::string& path : image.run_paths)
    if (!absolute(path))
      faults.push_back("run path '" + path + "': expected an absolute one, or $ORIGIN");
  for (const std::string& needed : image.needed)
    if (needed.find('/') != std::string::npos && !absolute(needed))
      faults.push_back("needs '" + needed + "': expected a name, an absolute path, or $ORIGIN");
  return faults;
}

}  // namespace onnx2fx::plugin
