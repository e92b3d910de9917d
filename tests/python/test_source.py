"""to_source: the model as a person would have written it, equal to the last bit."""

import importlib.util
import operator
import subprocess
import sys

import pytest
import torch
from exporting import exported
from onnx_to_fx import convert_onnx_to_fx, to_source, write_source
from onnx_to_fx.source_expressions import literal
from onnx_to_fx.source_numbers import same
from scoped_models import Model as Scoped
from test_blocks import Net, arguments
from torch import fx, nn

SIZES = ({0: "batch", 1: "length"}, {0: "batch", 1: "length"})


def imported(folder):
    spec = importlib.util.spec_from_file_location(f"model_{abs(hash(str(folder)))}", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def written(module, folder):
    write_source(module, folder)
    return imported(folder).Model.load()


@pytest.fixture(scope="module")
def original():
    return Net().eval()


@pytest.fixture(scope="module")
def net(original):
    return convert_onnx_to_fx(exported(original, arguments(), "unoptimized", dynamic_shapes=SIZES))


def test_the_text_is_what_a_person_would_have_written(net):
    text = to_source(net)
    assert text[text.index("class Layer") : text.index("    @classmethod")] == '''\
class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.up = nn.Linear(6, 12)
        self.act = nn.Tanh()
        self.down = nn.Linear(12, 6)

    def forward(self, mul, mask):
        linear = self.down(self.act(self.up(self.norm(mul))))
        return mul + linear * torch.reshape(mask, [mul.size(0), -1, 1])


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(3))

    def forward(self, mul, mask):
        for layer in self.layers:
            mul = layer(mul, mask)
        return mul


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.constants = _constants(constant=torch.empty(6))
        self.encoder = Encoder()
        self.head = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))

    def forward(self, x, mask):
        return self.head(self.encoder(x * self.constants.constant, mask))

'''


def test_it_computes_trains_and_exports_as_the_module(original, net, tmp_path):
    model = written(net, tmp_path)
    for size in ((2, 4), (5, 3)):
        assert torch.equal(model(*arguments(*size)), net(*arguments(*size)))
    assert model.state_dict().keys() == original.state_dict().keys()
    model.load_state_dict(original.state_dict())
    model(*arguments()).sum().backward()
    original.zero_grad()
    original(*arguments()).sum().backward()
    for (name, a), b in zip(model.named_parameters(), original.parameters()):
        torch.testing.assert_close(a.grad, b.grad, msg=name)
    again = convert_onnx_to_fx(exported(model, arguments(), "unoptimized", dynamic_shapes=SIZES))
    torch.testing.assert_close(again(*arguments(5, 3)), model(*arguments(5, 3)))
    assert to_source(again).replace("mul", "x") == to_source(net).replace("mul", "x")


def test_numbers_that_differ_are_arguments(tmp_path):
    class Stage(nn.Module):
        def __init__(self, width, out):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out)

        def forward(self, x):
            return torch.relu(self.norm(self.conv(x))) * self.norm.num_features

    class Stages(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = Stage(3, 4), Stage(4, 8)

        def forward(self, x):
            return self.second(self.first(x))

    module = convert_onnx_to_fx(exported(Stages().eval(), (torch.randn(1, 3, 8, 8),), "unoptimized"))
    text = to_source(module)
    assert text.count("class Stage(") == 1
    assert "    def __init__(self, in_channels, out_channels, n) -> None:\n" in text
    assert "return torch.relu(self.norm(self.conv(x))) * self.n\n" in text
    assert "self.first = Stage(3, 4, 4.0)\n        self.second = Stage(4, 8, 8.0)\n" in text
    model, x = written(module, tmp_path), torch.randn(1, 3, 8, 8)
    assert torch.equal(model(x), module(x))


class Signs(nn.Module):
    def forward(self, x):
        y = (-2.0) ** x.round() - (x - (x - 1)) - (-x) ** 2
        return y / (x * 2 / 3) * (1 - (x > 0).float()) + torch.where((x > 0) == (x < 1), -x, 2 * (x + 1))


def test_operators_bind_as_they_do_in_python(tmp_path):
    x = torch.randn(3, 4)
    module = convert_onnx_to_fx(exported(Signs(), (x,), "unoptimized"))
    assert torch.equal(written(module, tmp_path)(x), module(x))


@pytest.mark.parametrize("text", ["a", "'", '"', "\"'); import os #", "\\", "\n", "é\u2028"])
def test_no_text_of_a_model_ends_its_quotation(text):
    assert eval(literal(text)) == text


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids):
        return self.head(self.table(ids))


def test_tied_and_frozen_weights_stay_so(tmp_path):
    proto = exported(Tied().eval(), (torch.tensor([[1, 2]]),), "unoptimized")
    module = convert_onnx_to_fx(proto, frozen=["*"])
    model = written(module, tmp_path)
    assert model.head.weight is model.table.weight and not model.head.weight.requires_grad
    assert torch.equal(model(torch.tensor([[3, 4]])), module(torch.tensor([[3, 4]])))


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed, tmp_path):
    module = convert_onnx_to_fx(Scoped(seed, older=seed % 2 == 1).proto())
    args = torch.randn(3, 4), torch.ones(3, 4)
    got, want = written(module, tmp_path)(*args), module(*args)
    for a, b in zip(*(v if isinstance(v, tuple) else (v,) for v in (got, want)), strict=True):
        assert torch.equal(a, b)


def test_the_text_is_in_order(net, tmp_path):
    write_source(net, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "100", "--select", "E,F,I", tmp_path],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_what_is_no_plain_torch_is_refused():
    with pytest.raises(TypeError, match="^module: expected one that onnx_to_fx made, got Linear$"):
        to_source(nn.Linear(1, 1))
    weightless = convert_onnx_to_fx(exported(nn.Linear(2, 2), (torch.ones(1, 2),), "unoptimized"), weights="meta")
    with pytest.raises(ValueError, match="^module: expected one with weights, got tensors on the meta device$"):
        write_source(weightless, "/nonexistent/folder")


def test_sizes_say_nothing_that_changes_nothing():
    graph = fx.Graph()
    x = graph.placeholder("x")
    n, m = (graph.call_method("size", (x, dim)) for dim in (0, 1))
    call = graph.call_function
    assert same(call(operator.mul, (call(operator.floordiv, (n, 1)), 1))) is n
    assert same(call(operator.add, (0, call(torch.sym_int, (n,))))) is n
    assert same(call(operator.floordiv, (call(operator.mul, (n, 4)), 4))) is n
    assert same(call(operator.sub, (7, call(operator.mul, (2, 3))))) == 1
    for args in ((n, m), (n, 2), (x, 1)):  # of a tensor, 1 may change the dtype
        node = call(operator.mul, args)
        assert same(node) is node
    quotient = call(operator.floordiv, (n, 0))
    assert same(quotient) is quotient
