"""Calls as the original module has them: no zero bias, no zero state, ids as they are."""

import warnings

import models
import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from onnx_to_fx import convert_onnx_to_fx
from torch import nn


class Convolutions(nn.Module):
    """Channels below and above what a tracked constant holds."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.up = nn.ConvTranspose2d(4, 130, 2, bias=False)
        self.norm = nn.BatchNorm2d(130)

    def forward(self, x):
        return self.norm(self.up(torch.relu(self.conv(x))))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(3, 4, bidirectional=True)

    def forward(self, x):
        return self.rnn(x)[0]


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.fc = nn.Embedding(11, 4), nn.Linear(4, 2)

    def forward(self, ids):
        return self.fc(self.table(ids))


FORMS = {
    "optimized": {"dynamo": True},
    "as it is": {"dynamo": True, "optimize": False},
    "legacy": {"dynamo": False},
}


def exported(module, x, form, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), folder / "net.onnx", verbose=False, **FORMS[form])
    return convert_onnx_to_fx(folder / "net.onnx")


def children(module, kind):
    return [m for m in module.modules() if isinstance(m, kind)]


def shapes(module):
    return sorted(tuple(p.shape) for p in module.parameters())


@pytest.mark.parametrize("form", ["as it is", "legacy"])
def test_a_bias_of_zeros_is_none(form, tmp_path):
    torch.manual_seed(0)
    net, x = Convolutions().eval(), torch.randn(2, 3, 8, 8)
    if form == "legacy":  # this exporter merges the normalization in eval mode
        net.norm = nn.Identity()
    module = exported(net, x, form, tmp_path)
    for kind in (nn.Conv2d, nn.ConvTranspose2d):
        (conv,) = children(module, kind)
        assert conv.bias is None
    assert shapes(module) == shapes(net)
    torch.testing.assert_close(module(x), net(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "form, kind",
    [("optimized", k) for k in (nn.LSTM, nn.GRU)] + [("legacy", k) for k in (nn.LSTM, nn.GRU, nn.RNN)],
)
def test_states_of_zeros_are_left_out(form, kind, tmp_path):
    torch.manual_seed(0)
    net, x = Recurrent(kind), torch.randn(5, 2, 3)
    module = exported(net, x, form, tmp_path)
    (layer,) = children(module, kind)
    (call,) = (n for n in module.graph.nodes if n.op == "call_module" and "Mode" not in n.name)
    assert len(call.args) == 1 and not call.kwargs
    assert shapes(module) == shapes(net)
    assert not list(module.buffers())
    torch.testing.assert_close(module(x), net(x), rtol=1e-5, atol=1e-5)


def test_a_state_that_is_learnt_or_given_stays():
    stored = {
        "w": models.floats(1, 16, 3), "r": models.floats(1, 16, 4, seed=1), "h0": np.zeros((1, 2, 4), np.float32)
    }  # fmt: skip
    node = helper.make_node("LSTM", ["x", "w", "r", "", "", "h0", "c0"], ["y"], hidden_size=4)
    ports = {"x": ["t", 2, 3], "c0": [1, 2, 4]}
    module = convert_onnx_to_fx(
        models.model([node], ports, {"y": ["t", 1, 2, 4]}, stored), trainable=["h0"]
    )
    (state,) = (p for n, p in module.named_parameters() if n.endswith("h0"))
    module(torch.randn(5, 2, 3), torch.zeros(1, 2, 4)).square().sum().backward()
    assert state.grad.abs().sum() > 0


@pytest.mark.parametrize("form", FORMS)
def test_ids_of_the_model_reach_the_table_as_they_are(form, tmp_path):
    net, ids = Tagger(), torch.tensor([[1, 10, 3], [0, 5, 7]])
    module = exported(net, ids, form, tmp_path)
    calls = [n.op for n in module.graph.nodes if n.op not in ("placeholder", "output")]
    assert calls == ["call_module", "call_module"]
    torch.testing.assert_close(module(ids), net(ids))
    with pytest.raises(IndexError):  # as nn.Embedding; never another row in silence
        module(ids - 2)


def test_computed_ids_count_from_the_end():
    nodes = [
        helper.make_node("Sub", ["a", "b"], ["ids"]),
        helper.make_node("Gather", ["table", "ids"], ["y"]),
    ]
    ports = {"a": (TensorProto.INT64, ["n"]), "b": (TensorProto.INT64, ["n"])}
    table = models.floats(5, 3)
    module = convert_onnx_to_fx(models.model(nodes, ports, {"y": ["n", 3]}, {"table": table}))
    got = module(torch.tensor([1, 2]), torch.tensor([3, 1]))
    np.testing.assert_array_equal(got.detach(), table[[-2, 1]])
