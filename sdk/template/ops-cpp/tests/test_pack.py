"""Converts models through the pack in the folder argv[1] and compares with numpy. Exit code 77: not installed."""
import sys

try:
    import numpy as np
    import onnx  # noqa: F401
    import torch
    from onnx import TensorProto, helper
    from onnx_to_fx import convert_onnx_to_fx
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)


def convert(op, inputs, **attributes):
    node = helper.make_node(op, list(inputs), ["y"], domain="com.example", **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    return convert_onnx_to_fx(helper.make_model(graph, opset_imports=opsets), plugin_dirs=[sys.argv[1]])


def test_scaled_tanh():
    module = convert("ScaledTanh", {"x": (TensorProto.FLOAT, [3])}, alpha=2.0, beta=0.5)
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = module(x)
    np.testing.assert_allclose(y.detach().numpy(), 2 * np.tanh(0.5 * x.detach().numpy()), rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 - np.tanh(0.5 * x.detach().numpy()) ** 2, rtol=1e-6)


def test_ramp():
    np.testing.assert_array_equal(convert("Ramp", {}, length=4)().numpy(), np.arange(4, dtype=np.float32))


def test_rope():
    library = torch.library.Library("example", "DEF")
    library.define("rope(Tensor x, Tensor positions, *, float base=10000.0) -> Tensor")
    library.impl("rope", lambda x, positions, base=10000.0: x + positions + base, "CompositeImplicitAutograd")
    kinds = {"x": (TensorProto.FLOAT, [2]), "p": (TensorProto.FLOAT, [2])}
    y = convert("Rope", kinds, base=3.0)(torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0]))
    np.testing.assert_array_equal(y.numpy(), [14.0, 25.0])


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("ok", name)
