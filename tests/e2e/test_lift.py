"""The flat form beside torch.export's: the same calls, of the same shapes and dtypes, and the same numbers."""

from __future__ import annotations

import pytest
import torch
from exports import export
from onnx_to_fx import convert_onnx_to_fx, dynamic_shapes, example_inputs, lift, write_pt2
from torch.export.graph_signature import InputKind


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """files(name, exporter): written once per module."""
    made = {}

    def get(name, exporter):
        if (name, exporter) not in made:
            path = tmp_path_factory.mktemp("lift") / f"{name}_{exporter}.onnx"
            export(name, exporter, str(path))
            made[name, exporter] = path
        return made[name, exporter]

    return get


def size(extent):
    """Its value at the sizes of example_inputs; torch's own name of one that depends on data."""
    if isinstance(extent, int):
        return extent
    return extent.node.hint if extent.node.has_hint() else "data-dependent"


def type_of(value):
    if isinstance(value, torch.Tensor):
        return value.dtype, [size(d) for d in value.shape]
    return [type_of(v) for v in value] if isinstance(value, (tuple, list)) else type(value)


def calls(program):
    """Those that make tensors, with what they make."""
    return [
        (n.target, type_of(n.meta["val"]))
        for n in program.graph.nodes
        if n.op == "call_function" and isinstance(n.meta["val"], (torch.Tensor, tuple, list))
    ]


def results(value):
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize(
    "name, exporter, dynamic",
    [
        ("cnn", "dynamo", False),
        ("cnn", "legacy", True),
        ("bert", "dynamo", True),
        ("gpt2", "legacy", False),
        ("llama", "dynamo", True),
    ],
)
def test_values_are_those_of_torch_export(files, name, exporter, dynamic):
    path = files(name, exporter)
    symbolic = convert_onnx_to_fx(path, weights="meta")
    names = [i["onnx_name"] for i in symbolic.meta["onnx2fx"]["inputs"]]
    shapes = None if dynamic else dict(zip(names, (x.shape for x in example_inputs(symbolic))))
    module = convert_onnx_to_fx(path, dialect="aten", input_shapes=shapes).eval()
    inputs = example_inputs(module)
    with torch.no_grad():
        traced = torch.export.export(module, inputs, dynamic_shapes=dynamic_shapes(module))
        lifted = lift(module)
        assert calls(lifted) == calls(traced)
        wanted = results(module(*inputs))
        for g, w in zip(results(lifted.module()(*inputs)), wanted, strict=True):
            torch.testing.assert_close(g, w, rtol=1e-5, atol=1e-5)
    weights = lambda p: {s.target for s in p.graph_signature.input_specs if s.kind is InputKind.PARAMETER}  # noqa: E731
    assert weights(lifted) == weights(traced)


def test_an_archive_is_the_module_at_two_sizes(files, tmp_path):
    path = files("bert", "dynamo")
    module = convert_onnx_to_fx(path, dialect="aten").eval()
    write_pt2(module, tmp_path / "whole.pt2")
    write_pt2(convert_onnx_to_fx(path, dialect="aten", weights="fake").eval(), tmp_path / "shapes.pt2")
    whole, shapes = (torch.export.load(tmp_path / f"{name}.pt2").module() for name in ("whole", "shapes"))
    shapes.load_state_dict(module.state_dict(), assign=True)
    names = sorted({d for i in module.meta["onnx2fx"]["inputs"] for d in i["shape"] if isinstance(d, str)})
    for sizes in ({}, {name: 8 * (i + 1) for i, name in enumerate(names)}):
        inputs = [torch.ones_like(x) for x in example_inputs(module, sizes)]
        for program in (whole, shapes):
            for got, wanted in zip(results(program(*inputs)), results(module(*inputs)), strict=True):
                torch.testing.assert_close(got, wanted, rtol=0, atol=0)
