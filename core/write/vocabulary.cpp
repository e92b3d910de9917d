// Writes vocabulary.py: the names that the loader allows, from the tables that C++ includes.
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include "core/include/onnx2fx/options.hpp"

namespace {

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

/// NAME = BEGIN row, row ... END, a row a line.
class Table {
 public:
  Table(std::ostream& out, const char* name, const char* begin, const char* end)
      : out_(out), end_(end) {
    out_ << "\n" << name << " = " << begin << "\n";
  }
  ~Table() { out_ << end_ << "\n"; }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void row(std::string_view name) { out_ << "    " << quoted(name) << ",\n"; }
  void row(std::string_view key, std::string_view value) {
    out_ << "    " << quoted(key) << ": " << quoted(value) << ",\n";
  }
  void row(std::string_view key, std::string_view first, std::string_view second) {
    out_ << "    " << quoted(key) << ": (" << quoted(first) << ", " << quoted(second) << "),\n";
  }

 private:
  std::ostream& out_;
  const char* end_;
};

Table set_of(std::ostream& out, const char* name) { return {out, name, "frozenset((", "))"}; }
Table list_of(std::ostream& out, const char* name) { return {out, name, "(", ")"}; }
Table map_of(std::ostream& out, const char* name) { return {out, name, "{", "}"}; }

void write(std::ostream& out) {
  out << "\"\"\"The names that a graph document may hold. Generated; the tables are those of "
         "C++.\"\"\"\n";
  {
    Table t = set_of(out, "DTYPES");
#define O2FX_TORCH_DTYPE(torch, scalar_type, bytes, safetensors, components) t.row(#torch);
#include <onnx2fx/dtypes.def>
  }
  {
    out << "\n# dtypes of the safetensors format";
    Table t = map_of(out, "SAFETENSORS");
#define O2FX_TORCH_DTYPE(torch, scalar_type, bytes, safetensors, components) \
  if (components == 1) t.row(#safetensors, #torch);
#include <onnx2fx/dtypes.def>
  }
  {
    Table t = set_of(out, "NUMBER_OPERATORS");
#define NUMBER_OPERATOR(target, arguments, result) t.row(target);
#include "core/fx/number_operators.def"
  }
  {
    out << "\n# overload -> how the nn dialect calls it";
    Table t = map_of(out, "NN_NAMES");
#define NN_NAME(aten, name, max_args) t.row(aten, name);
#include "core/fx/nn_names.def"
  }
  {
    Table t = set_of(out, "NN_FUNCTIONS");
#define NN_FUNCTION(name) t.row(name);
#include "core/fx/nn_names.def"
  }
  {
    Table t = set_of(out, "HIGHER_ORDER");
#define HIGHER_ORDER(name, first_program, n_programs) t.row("higher_order::" #name);
#include "core/fx/higher_order.def"
  }
  {
    Table t = set_of(out, "MODULES");
#define NN_MODULE(name) t.row(#name);
#define OWN_MODULE(name)
#include "core/fx/nn_modules.def"
  }
  {
    out << "\n# not of torch.nn, but of own_modules";
    Table t = set_of(out, "OWN_MODULES");
#define OWN_MODULE(name) t.row(#name);
#include "core/fx/nn_modules.def"
  }
  {
    out << "\n# name -> (its file, its schema)";
    Table t = map_of(out, "LEAVES");
#define LEAF(name, family, schema) t.row(#name, #family "_leaves", schema);
#include "core/fx/leaves.def"
  }
  {
    Table t = list_of(out, "WEIGHT_MODES");
    for (const std::string_view word : onnx2fx::weights::kModeWords) t.row(word);
  }
  {
    Table t = list_of(out, "WEIGHTS_LAYOUTS");
    for (const std::string_view word : onnx2fx::fx::kWeightsLayoutWords) t.row(word);
  }
  {
    Table t = list_of(out, "RECOVER_CHOICES");
    for (const std::string_view word : onnx2fx::kRecoverWords) t.row(word);
  }
  {
    Table t = list_of(out, "BLOCKS_CHOICES");
    for (const std::string_view word : onnx2fx::kBlocksWords) t.row(word);
  }
  {
    Table t = list_of(out, "DIALECTS");
    for (const std::string_view word : onnx2fx::fx::kDialectWords) t.row(word);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: onnx2fx_vocabulary FILE\n";
    return 2;
  }
  std::ofstream out(argv[1]);
  write(out);
  out.close();
  return out ? 0 : 1;
}
