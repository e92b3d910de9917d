#include "tools/onnx2fx/command.hpp"

int main(int argc, char** argv) { onnx2fx::cli::command(argc, argv); }
