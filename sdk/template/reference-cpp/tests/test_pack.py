"""Converts a model through the pack in the folder argv[1], runs and exports it. Exit code 77: not installed."""
import pathlib
import sys

try:
    import onnx.parser
    import torch
    from onnx_to_fx import PackageError, convert_onnx_to_fx
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

LIBRARY = pathlib.Path(sys.argv[1]) / "example_pack.so"
MODEL = """<ir_version: 10, opset_import: ["": 21, "com.example": 1]>
g (float[N] x) => (float[N] y) { y = com.example.SoftClip <limit = 2.0> (x) }"""


def test_absent_library_is_named(convert):
    try:
        convert(MODEL, torch_libraries=())
    except PackageError as error:
        assert "it is in example_pack.so of com.example.pack 1.0.0 (sha256 " in str(error), error
    else:
        raise AssertionError


def test_values(convert):
    module = convert(MODEL)
    x = torch.tensor([-1.0, 0.0, 3.0])
    torch.testing.assert_close(module(x), 2 * torch.tanh(x / 2))


def test_a_backward_pass_is_an_error(convert):
    y = convert(MODEL)(torch.tensor([-1.0, 0.0, 3.0], requires_grad=True))
    try:
        y.sum().backward()
    except NotImplementedError as error:
        assert str(error).startswith("example::soft_clip: a reference function has no gradient"), error
    else:
        raise AssertionError


def test_export(convert):
    program = torch.export.export(convert(MODEL), (torch.randn(3),))
    assert "onnx2fx.reference.default" in str(program.graph)


def convert_by_the_pack(text, torch_libraries=LIBRARY):
    model = onnx.parser.parse_model(text)
    return convert_onnx_to_fx(model, plugin_dirs=sys.argv[1], torch_libraries=torch_libraries)


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test(convert_by_the_pack)
            print("ok", name)
