// Converts, runs and trains in one program: two steps of gradient descent on the sum of the output.
#include <torch/optim/sgd.h>

#include <iostream>
#include <onnx2fx/convert.hpp>
#include <onnx2fx/module.hpp>

int main(int, char** argv) {
  onnx2fx::Options options;
  options.dialect = onnx2fx::fx::Dialect::kAten;
  const onnx2fx::Conversion c = onnx2fx::convert(argv[1], options);
  onnx2fx::Module model(c.module, [&](const auto& tensor) { return c.bytes(tensor.data); });
  torch::optim::SGD sgd(model.parameters(), 0.5);
  for (int step = 0; step < 2; step++) {
    const at::Tensor loss = model.forward({at::tensor({1.0F, 2.0F})})[0].toTensor().sum();
    std::cout << loss.item<float>() << "\n";
    sgd.zero_grad();
    loss.backward();
    sgd.step();
  }
}
