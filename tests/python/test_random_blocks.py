"""Programs whose nodes lie in modules at random: however they are cut, they compute what the flat one does."""

import copy

import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx, flatten, report
from scoped_models import Model


def leaves(value):
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_every_cut_computes_the_same(seed, older):
    proto = Model(seed, older).proto()
    nested, flat = (convert_onnx_to_fx(proto, blocks=b) for b in ("nested", "flat"))
    args = (torch.randn(3, 4, generator=torch.Generator().manual_seed(seed)), torch.ones(3, 4))
    want = leaves(flat(*args))
    for module in (nested, flatten(nested), copy.deepcopy(nested)):
        got = leaves(module(*args))
        assert len(got) == len(want) and all(torch.equal(a, b) for a, b in zip(got, want))
    names = {n.replace("onnx__", "") for n, _ in flat.named_parameters()}
    assert {n for n, _ in nested.named_parameters()} == names
    assert not [1 for path in report(nested)["open_blocks"] if not path]


def test_they_are_cut():
    cut = [report(convert_onnx_to_fx(Model(seed, False).proto())) for seed in range(30)]
    assert sum(r["summary"]["blocks"] for r in cut) > 60 and any(r["open_blocks"] for r in cut)
