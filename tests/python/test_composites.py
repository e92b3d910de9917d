"""Calls that an exporter took apart are one again, and compute what they computed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from onnx_to_fx import convert_onnx_to_fx
from torch import nn

COMMAND = [sys.executable, "-m", "onnx_to_fx"]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.norm, self.group = nn.Linear(16, 48), nn.LayerNorm(16), nn.GroupNorm(4, 8)
        self.inside, self.outside = nn.Linear(16, 24), nn.Linear(24, 16)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        q, k, v = (
            self.qkv(self.norm(x)).reshape(batch, length, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind()
        )
        a = nn.functional.scaled_dot_product_attention(q, k, v, mask)
        x = x + self.group(
            a.transpose(1, 2).reshape(batch, length, 8, 2).transpose(1, 2)
        ).transpose(1, 2).flatten(2)
        h = nn.functional.gelu(self.inside(x))
        return self.outside(nn.functional.silu(h) + nn.functional.mish(h))


def inputs(batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(batch)
    mask = torch.ones(batch, 1, length, length, dtype=torch.bool).tril()
    return torch.randn(batch, length, 16), mask


@pytest.fixture(scope="module")
def block() -> nn.Module:
    torch.manual_seed(0)
    return Block().eval()


def exported(block: nn.Module, dynamo: bool) -> onnx.ModelProto:
    file = io.BytesIO()
    if dynamo:
        batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
        shapes = ({0: batch, 1: length}, {0: batch, 2: length, 3: length})
        program = torch.onnx.export(
            block, inputs(2, 5), dynamo=True, dynamic_shapes=shapes, verbose=False
        )
        return program.model_proto
    axes = {"x": {0: "batch", 1: "length"}, "mask": {0: "batch", 2: "length", 3: "length"}}
    torch.onnx.export(block, inputs(2, 5), file, dynamo=False, opset_version=17, input_names=["x", "mask"], dynamic_axes=axes)  # fmt: skip
    return onnx.load_from_string(file.getvalue())


def calls(module: torch.fx.GraphModule) -> list[str]:
    return [
        str(getattr(n.target, "__name__", n.target))
        for n in module.graph.nodes
        if n.op.startswith("call")
    ]


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "legacy"])
def test_values_gradients_and_calls_of_a_block(block: nn.Module, dynamo: bool) -> None:
    module = convert_onnx_to_fx(exported(block, dynamo))
    names = calls(module)
    for name in ("scaled_dot_product_attention", "gelu", "silu", "mish"):
        assert name in names, name
    assert [type(m).__name__ for m in module.modules()].count("GroupNorm") == 1
    for size in ((2, 5), (3, 7)):
        x, mask = inputs(*size)
        x.requires_grad_()
        got, want = module(x, mask), block(x, mask)
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)
        (a,), (b,) = (torch.autograd.grad(y.square().sum(), x) for y in (got, want))
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert torch.export.export(module, inputs(2, 5)).module()(*inputs(2, 5)).shape == (2, 5, 16)


def test_turned_off_the_parts_stay(block: nn.Module) -> None:
    model = exported(block, dynamo=False)
    module = convert_onnx_to_fx(model, recover="off")
    assert "erf" in calls(module) and "gelu" not in calls(module)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x, mask = inputs(2, 5)
    (want,) = session.run(None, {"x": x.numpy(), "mask": mask.numpy()})
    np.testing.assert_allclose(module(x, mask).detach().numpy(), want, rtol=1e-5, atol=1e-6)


def test_an_unknown_word(block: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"recover: expected one of on, off, got 'no'"):
        convert_onnx_to_fx(exported(block, dynamo=False), recover="no")


def silu(said: list[str | None]) -> onnx.ModelProto:
    nodes = [helper.make_node("Sigmoid", ["x"], ["s"]), helper.make_node("Mul", ["x", "s"], ["y"])]
    for node, text in zip(nodes, said):
        if text:
            node.metadata_props.add(key="pkg.torch.onnx.fx_node", value=text)
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [2, 3]) for n in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(
    "said, expected",
    [
        (["%silu = aten.silu(%x)", "%silu = aten.silu(%x)"], ["silu"]),
        (["%silu = aten.silu(%x)", None], ["silu"]),
        ([None, None], ["silu"]),
        (["%sigmoid = aten.sigmoid(%x)", "%mul = aten.mul(%x, %sigmoid)"], ["sigmoid", "mul"]),
    ],
    ids=["one call", "one call, half of it", "nothing", "two calls"],
)
def test_the_exporter_says_what_the_author_wrote(
    said: list[str | None], expected: list[str]
) -> None:
    assert calls(convert_onnx_to_fx(silu(said))) == expected


def test_what_became_one_is_reported(tmp_path: Path) -> None:
    onnx.save(silu([None, None]), tmp_path / "m.onnx")
    done = subprocess.run(
        [*COMMAND, "m.onnx", "-o", "out"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "  recovered 1 silu\n" in done.stderr
    assert json.loads((tmp_path / "out/report.json").read_text())["recovered"] == {"silu": 1}
