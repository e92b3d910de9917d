"""Modules stand where the author's stood, so the author's state dict loads; a module called twice is one."""


import pytest
import torch
from exporting import FORMS, exported
from onnx_to_fx import convert_onnx_to_fx
from torch import nn


def drawn(module):
    """Every parameter another: the exporters merge initializers that are equal."""
    with torch.no_grad():
        for p in module.parameters():
            p.uniform_(-0.5, 0.5)
    return module.eval()


class Tied(nn.Module):
    """The file holds one tensor, under the name of the head."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids):
        return self.head(self.norm(self.table(ids)))


class Twice(nn.Module):
    """One cell and one projection for two inputs."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(5, 6, batch_first=True)
        self.projection = nn.Linear(6, 3)

    def forward(self, a, b):
        first, second = (self.projection(self.encoder(x)[1][0][-1]) for x in (a, b))
        return first - second


class Nested(nn.Module):
    """Linears without bias: their weights are stored transposed, under no name of theirs."""

    def __init__(self):
        super().__init__()
        inner = lambda: nn.Sequential(nn.Linear(4, 8, bias=False), nn.GELU(), nn.Linear(8, 4, bias=False))  # noqa: E731
        self.blocks = nn.ModuleList([nn.Sequential(nn.LayerNorm(4), inner()) for _ in range(2)])
        self.out = nn.Linear(4, 2, bias=False)

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


MODELS = {
    "tied": (Tied, (torch.tensor([[1, 2, 10]]),)),
    "twice": (Twice, (torch.randn(2, 4, 5), torch.randn(2, 4, 5))),
    "nested": (Nested, (torch.randn(2, 3, 4),)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MODELS)
def test_the_authors_state_loads(name, form):
    torch.manual_seed(0)
    build, args = MODELS[name]
    original, other = drawn(build()), drawn(build())
    module = convert_onnx_to_fx(exported(original, args, form))
    torch.testing.assert_close(module(*args), original(*args))
    module.load_state_dict(other.state_dict())
    torch.testing.assert_close(module(*args), other(*args))
    wanted = {n: type(m) for n, m in other.named_modules() if not list(m.children()) and list(m.parameters())}
    assert {n: type(m) for n, m in module.named_modules() if n in wanted} == wanted
    assert [n for n, _ in module.named_parameters()] == [n for n, _ in other.named_parameters()]


class Folded(nn.Module):
    """In eval mode the exporters merge the normalization into the convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1, bias=False)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm(self.conv(x))


@pytest.mark.parametrize("form", ["dynamo", "legacy"])
def test_what_is_folded_does_not_take_the_name(form):
    torch.manual_seed(0)
    original = Folded().eval()
    original.norm.running_mean.uniform_()
    x = (torch.randn(1, 2, 4, 4),)
    module = convert_onnx_to_fx(exported(original, x, form))
    torch.testing.assert_close(module(*x), original(*x))
    with pytest.raises(RuntimeError, match="conv"):
        module.load_state_dict(original.state_dict())


class Block(nn.Module):
    """A matrix of the block's own beside a child: the block is no nn.Linear."""

    def __init__(self):
        super().__init__()
        self.mixing = nn.Parameter(torch.randn(4, 4))
        self.child = nn.Linear(4, 4, bias=False)

    def forward(self, x):
        return self.child(x @ self.mixing)


@pytest.mark.parametrize("form", FORMS)
def test_a_block_with_a_weight_of_its_own_stays_a_block(form):
    torch.manual_seed(0)
    original = nn.Sequential(Block(), nn.Linear(4, 2, bias=False)).eval()
    x = (torch.randn(3, 4),)
    module = convert_onnx_to_fx(exported(original, x, form))
    torch.testing.assert_close(module(*x), original(*x))
    modules = dict(module.named_modules())
    assert type(modules["0.child"]) is type(modules["1"]) is nn.Linear
    assert type(modules["0"]) is not nn.Linear
