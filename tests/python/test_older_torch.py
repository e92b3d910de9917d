"""What an older torch lacks is told by name; where it computes wrong gradients it gets none to compute."""

import pathlib

import models
import onnx
import pytest
import torch
from onnx_to_fx import PackageError, convert_onnx_to_fx, dynamic_shapes
from onnx_to_fx.loader import control_flow, converted, older_torch, targets

ROOT = pathlib.Path(__file__).parents[2]
HERE = torch.__version__
SCAN = """<ir_version: 8, opset_import: ["": 17]>
g (float[3] s0, float[4, 3] xs) => (float[3] s, float[4, 3] ys) <float[3] w = {2, 3, 4}> { s, ys = Scan <num_scan_inputs = 1,
 body = b (float[3] s1, float[3] e) => (float[3] s2, float[3] o) { p = Mul(s1, w) s2 = Add(p, e) o = Tanh(s2) }> (s0, xs) }"""
INPUTS = torch.ones(3), torch.ones(4, 3)


@pytest.fixture
def older(monkeypatch):
    """As on a torch of wrong gradients."""
    for module in (older_torch, control_flow, converted):
        monkeypatch.setattr(module, "WRONG_GRADIENTS", True)


def refused(function, *args, kind=PackageError, **kwargs):
    with pytest.raises(kind) as e:
        function(*args, **kwargs)
    return str(e.value)


def scan(**options):
    return convert_onnx_to_fx(onnx.parser.parse_model(SCAN).SerializeToString(), **options)


@pytest.mark.parametrize(("text", "parts"), [("2.6.0", (2, 6)), ("2.13.0+cpu", (2, 13)), ("2.15.0a0+git1", (2, 15))])
def test_versions(text, parts):
    assert older_torch.version(text) == parts


def test_dtype_that_torch_lacks(monkeypatch):
    monkeypatch.delattr(torch, "float8_e8m0fnu", raising=False)
    assert refused(targets.dtype_of, "float8_e8m0fnu") == f"dtype 'float8_e8m0fnu': needs torch >= 2.7, this is {HERE}"


def test_function_that_torch_lacks(monkeypatch):
    monkeypatch.delattr(torch.nn.functional, "gelu")
    expected = f"target 'torch.nn.functional::gelu': needs torch >= 2.13, this is {HERE}"
    assert refused(targets.resolve, "torch.nn.functional::gelu") == expected


def test_operator_that_an_older_torch_lacks(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.6.0")
    expected = "target 'aten::of_later': needs torch >= 2.13, this is 2.6.0"
    assert refused(targets.resolve, "aten::of_later") == expected


def test_scan_that_torch_lacks(monkeypatch):
    monkeypatch.setattr(older_torch, "_HAS_SCAN", False)
    expected = f"target 'higher_order::scan': needs torch >= 2.7, this is {HERE}"
    assert refused(targets.resolve, "higher_order::scan") == expected


def test_bounds_that_torch_lacks(monkeypatch):
    monkeypatch.setattr(torch.export.Dim, "DYNAMIC", object())
    module = convert_onnx_to_fx(models.model([onnx.helper.make_node("Relu", ["x"], ["y"])], {"x": ["N"]}, {"y": ["N"]}, {}))
    assert refused(dynamic_shapes, module, max=8) == f"dynamic_shapes: min and max: needs torch >= 2.7, this is {HERE}"
    assert dynamic_shapes(module) == {"x": {0: torch.export.Dim.DYNAMIC}}


def test_gradients_that_would_be_wrong_are_refused_while_tracing(older, monkeypatch):
    monkeypatch.setattr(older_torch, "_HAS_SCAN", True)
    module = scan()
    module(*INPUTS)[0].sum().backward()  # as Python they are right
    got = refused(torch.fx.experimental.proxy_tensor.make_fx(module), *INPUTS, kind=RuntimeError)
    assert got.splitlines()[0] == (
        f"node 's' (Scan): torch's scan: right gradients of it need torch >= 2.13, this is {HERE}; "
        "run the module as it is, or trace it under torch.no_grad() and do not train what comes out"
    )


def test_gradients_that_would_be_wrong_are_refused_in_the_aten_dialect(older, monkeypatch):
    if not older_torch._HAS_SCAN:
        expected = (
            "program 'root': node 's': target 'higher_order::scan': needs torch >= 2.7, this is " + HERE
        )
        assert refused(scan, dialect="aten") == expected
        return
    module = scan(dialect="aten")
    assert refused(module, *INPUTS, kind=RuntimeError) == (
        "the ONNX node (Scan) that computes 's', 'ys': torch's scan: right gradients of it need torch >= 2.13, "
        f"this is {HERE}; run it under torch.no_grad(), or convert with dialect='nn'"
    )
    with torch.no_grad():
        torch.testing.assert_close(module(*INPUTS), scan()(*INPUTS))


DIFFERENT = {  # overload: until which torch, and what it lacks
    "aten::multinomial": ("2.6", "SymInt num_samples"),
    "aten::tril": ("2.6", "SymInt diagonal"),
    "aten::triu": ("2.6", "SymInt diagonal"),
}
"""Of the overloads that lowerings call."""


def test_schemas_of_what_lowerings_call_are_those_of_this_torch():
    table = {line.partition("(")[0]: line for line in (ROOT / "core/fx/aten_schemas.txt").read_text().splitlines()}
    called = [line.split()[0] for line in (ROOT / "core/shapes/aten_types.txt").read_text().splitlines()]
    called = [name for name in called if name.startswith("aten::")]
    assert len(called) > 300
    for name in called:
        operator, _, overload = name.removeprefix("aten::").partition(".")
        got = str(getattr(getattr(torch.ops.aten, operator), overload or "default")._schema)
        until, lacking = DIFFERENT.get(name, ("0.0", ""))
        if older_torch.version(HERE) <= older_torch.version(until):
            assert lacking in table[name]
            assert got == table[name].replace(lacking, lacking.replace("SymInt", "int"))
        else:
            assert got == table[name]
