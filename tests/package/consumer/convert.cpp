#include <iostream>
#include <onnx2fx/convert.hpp>

int main(int, char** argv) try {
  const onnx2fx::Conversion c = onnx2fx::convert(argv[1], onnx2fx::Options{});
  for (const auto& node : c.module.programs[0].nodes) std::cout << node.name << "\n";
  onnx2fx::write_package(c, argv[2]);
} catch (const onnx2fx::UnsupportedOperatorError& error) {  // a ConversionError: all, not the first
  for (const auto& op : error.operators) std::cerr << op.domain << "." << op.op_type << "\n";
  return 1;
}
