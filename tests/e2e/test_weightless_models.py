"""Exports of standard architectures whose data files are gone: the same graph, shapes, torch.export."""

from __future__ import annotations

import collections

import pytest
import torch
from exports import MODELS, export
from onnx_to_fx import (
    convert_onnx_to_fx,
    dynamic_shapes,
    example_inputs,
    fake_mode,
    weightless_onnx_loader,
)

NAMES = ("cnn", "bert", "gpt2", "llama")
Export = collections.namedtuple("Export", "path full inputs axes")


@pytest.fixture(scope="module", params=NAMES)
def exported(request, tmp_path_factory):
    """An export without its data file, the module that was converted while it was there, and real inputs."""
    path = tmp_path_factory.mktemp(request.param) / "model.onnx"
    export(request.param, "dynamo", str(path), external_data=True)
    data = path.with_name("model.onnx.data")
    assert data.stat().st_size > 10_000
    full = convert_onnx_to_fx(path, weights="copy").eval()
    data.unlink()
    _, inputs, _, _, axes = MODELS[request.param]()
    return Export(path, full, inputs, axes)


def converted(path, weights, dialect="nn"):
    with weightless_onnx_loader(fake=weights == "fake"):
        return convert_onnx_to_fx(path, dialect=dialect).eval()


def nodes_of(module):
    return [(n.op, n.name, n.target, str(n.args), str(n.kwargs), n.meta.get("onnx_type"), n.meta.get("onnx"))
            for n in module.graph.nodes]


def tensors_of(module):
    of = lambda all: {n: (t.dtype, tuple(t.shape), t.requires_grad) for n, t in all}  # noqa: E731
    return of(module.named_parameters(remove_duplicate=False)), of(module.named_buffers(remove_duplicate=False))


def modules_of(module):
    return {n: str(m) for n, m in module.named_modules() if n}


def listed(result):
    return result if isinstance(result, tuple) else (result,)


def types(tensors):
    return [(t.dtype, tuple(t.shape)) for t in listed(tensors)]


@pytest.mark.parametrize("weights", ["meta", "fake"])
def test_everything_but_the_values_is_there(exported, weights):
    module = converted(exported.path, weights)
    assert nodes_of(module) == nodes_of(exported.full)
    assert tensors_of(module) == tensors_of(exported.full)
    assert modules_of(module) == modules_of(exported.full)
    assert list(module.state_dict()) == list(exported.full.state_dict())
    tensors = (*module.parameters(), *module.buffers())
    assert all(t.is_meta if weights == "meta" else t.fake_mode is fake_mode(module) for t in tensors)


@pytest.mark.parametrize("weights", ["meta", "fake"])
def test_shapes_propagate(exported, weights):
    module = converted(exported.path, weights)
    with torch.no_grad():
        expected = exported.full(*exported.inputs)
        if weights == "meta":
            got = module(*(x.to("meta") for x in exported.inputs))
        else:
            with fake_mode(module) as mode:
                got = module(*map(mode.from_tensor, exported.inputs))
    assert types(got) == types(expected)
    assert all(t.is_meta if weights == "meta" else t.device.type == "cpu" for t in listed(got))


@pytest.mark.parametrize("dialect", ["nn", "aten"])
@pytest.mark.parametrize("weights", ["meta", "fake"])
def test_export_with_the_models_dynamic_shapes(exported, weights, dialect):
    module = converted(exported.path, weights, dialect)
    program = torch.export.export(module, example_inputs(module), dynamic_shapes=dynamic_shapes(module))
    symbolic = {str(d) for n in program.graph.nodes if n.op == "placeholder" for d in n.meta["val"].shape
                if isinstance(d, torch.SymInt)}
    assert len(symbolic) == len({name for axes in exported.axes.values() for name in axes.values()})
    for out in program.graph.output_node().args[0]:
        assert isinstance(out.meta["val"].shape[0], torch.SymInt)


def test_weights_come_later(exported):
    module = converted(exported.path, "meta")
    module.load_state_dict(exported.full.state_dict(), assign=True)
    with torch.no_grad():
        torch.testing.assert_close(module(*exported.inputs), exported.full(*exported.inputs), rtol=0, atol=0)
