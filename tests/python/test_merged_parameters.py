"""Parameters that exporters made one since their values were equal, left out since they were zero, or wrote twice."""

import pytest
import torch
from exporting import EXPORTS, FORMS, exported
from onnx_to_fx import convert_onnx_to_fx
from torch import nn


class Untrained(nn.Module):
    """Norms of ones, biases of zeros, scales of one number: whatever was not trained yet."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv1d(3, 8, 1), nn.LayerNorm(8)
        self.fc, self.last = nn.Linear(8, 8), nn.LayerNorm(8)
        self.gamma, self.delta = nn.Parameter(torch.full((8,), 0.1)), nn.Parameter(torch.full((8,), 0.1))
        nn.init.zeros_(self.conv.bias), nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        y = self.norm(self.conv(x).mean(2) * self.gamma)
        return self.last(self.fc(y) * self.delta)


class Twice(nn.Module):
    """A layer that is called twice, too large for the exporter to see that its copies are equal."""

    def __init__(self):
        super().__init__()
        self.fc, self.head = nn.Linear(48, 48), nn.Linear(48, 4)

    def forward(self, x):
        return self.head(self.fc(self.fc(x).relu()))


class Plain(nn.Linear):
    def forward(self, x):
        return x @ self.weight.T


class Scaled(nn.Embedding):
    def forward(self, ids):
        return super().forward(ids) * 3.0


class Subclasses(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.mix, self.head = Scaled(20, 8), Plain(8, 8, bias=False), nn.Linear(8, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids)).relu())


class Outer(nn.Module):
    """Calls a module of a module of its own, whose scope the older exporter so loses."""

    def __init__(self):
        super().__init__()
        self.model = nn.Module()
        self.model.decoder = nn.Module()
        self.model.decoder.embed = nn.Embedding(20, 8)
        self.model.decoder.forward = lambda ids: self.model.decoder.embed(ids).relu()
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.model.decoder.embed.weight

    def forward(self, ids):
        return self.head(self.model.decoder(ids))


MODELS = {
    "untrained": (Untrained, lambda: torch.randn(2, 3, 5)),
    "twice": (Twice, lambda: torch.randn(2, 3, 48)),
    "outer": (Outer, lambda: torch.randint(0, 20, (2, 3))),
    "subclasses": (Subclasses, lambda: torch.randint(0, 20, (2, 3))),
}


@pytest.mark.parametrize("form", [f for f in EXPORTS if f != "unfolded"])
@pytest.mark.parametrize("model", MODELS)
def test_each_parameter_is_itself_and_has_the_gradient_of_the_original(model, form):
    torch.manual_seed(0)
    build, inputs = MODELS[model]
    original, x = build().eval(), inputs()
    module = convert_onnx_to_fx(exported(original, (x,), form))
    module.load_state_dict(original.state_dict())
    assert len(list(module.parameters())) == len(list(original.parameters()))
    torch.testing.assert_close(module(x), original(x))
    module(x).square().sum().backward()
    original(x).square().sum().backward()
    for name, p in original.named_parameters():
        torch.testing.assert_close(module.get_parameter(name).grad, p.grad)


@pytest.mark.parametrize("form", ["dynamo", "unoptimized"])  # the older one says by values alone which are one
def test_without_weights_too(form):
    original = Untrained().eval()
    module = convert_onnx_to_fx(exported(original, (torch.randn(2, 3, 5),), form), weights="meta")
    assert sorted(dict(module.named_parameters())) == sorted(dict(original.named_parameters()))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_tied_stays_tied(form):
    torch.manual_seed(0)

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x).relu())

    module = convert_onnx_to_fx(exported(Tied().eval(), (torch.randn(2, 6),), form))
    assert len(list(module.parameters())) == 1
    assert module.a.weight is module.b.weight
