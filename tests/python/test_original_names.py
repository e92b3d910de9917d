"""Weights under the names that the author gave them, where those are not nn.Linear's or one layer's."""

import pytest
import torch
from exporting import EXPORTS, exported
from onnx_to_fx import convert_onnx_to_fx
from torch import nn
from torch.nn import functional as F

FORMS = tuple(EXPORTS)
LAYERS = {"LSTM": 2, "GRU": 1, "RNN": 1}  # and their states
STEP_BY_STEP = [("RNN", "dynamo"), ("RNN", "unoptimized")]
ONE_NODE_A_LAYER = [(k, f) for k in LAYERS for f in FORMS if (k, f) not in STEP_BY_STEP]


def as_list(outputs):
    return [*outputs] if isinstance(outputs, (tuple, list)) else [outputs]


def require_same(original, converted, args):
    """Outputs, the gradient of every parameter by its name, and the original's state dict, strictly."""
    got, want = as_list(converted(*args)), as_list(original(*args))
    assert len(got) == len(want)
    for g, w in zip(got, want):
        torch.testing.assert_close(g, w)
    for outputs in (got, want):
        sum((y * y).sum() for y in outputs).backward()
    ours = dict(converted.named_parameters())
    assert ours.keys() == dict(original.named_parameters()).keys()
    for name, p in original.named_parameters():
        torch.testing.assert_close(ours[name].grad, p.grad, msg=lambda m, name=name: f"{name}: {m}")
    with torch.no_grad():
        for p in original.parameters():
            p.mul_(1.5)
    converted.load_state_dict(original.state_dict())
    for g, w in zip(as_list(converted(*args)), as_list(original(*args))):
        torch.testing.assert_close(g, w)


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.out = nn.GRUCell(3, 4), nn.LSTMCell(4, 4), nn.Linear(4, 2)

    def forward(self, x, h, c):
        h = self.first(x, h)
        return self.out(self.second(h, (h, c))[0])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.out = nn.MultiheadAttention(8, 2), nn.Linear(8, 2)
        nn.init.normal_(self.attention.out_proj.bias)  # zeros leave the file

    def forward(self, x):
        return self.out(self.attention(x, x, x)[0])


class Rows(nn.Module):
    """Parameters of the module's own: [out, in], [in, out], and a table."""

    def __init__(self):
        super().__init__()
        self.rows, self.offset = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(4))
        self.projection, self.table = nn.Parameter(torch.randn(4, 5)), nn.Parameter(torch.randn(7, 5))
        self.out = nn.Linear(5, 2)

    def forward(self, x, i):
        return self.out(F.linear(x, self.rows, self.offset) @ self.projection + self.table[i])


class Layers(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.encoder = getattr(nn, kind)(5, 4, **options)

    def forward(self, x, *states):
        y, last = self.encoder(x, states if len(states) > 1 else states[0]) if states else self.encoder(x)
        return (y, *last) if isinstance(last, tuple) else (y, last)


class TwoModules(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LSTM(4, 4), nn.LSTM(4, 4)

    def forward(self, x):
        return self.second(self.first(x)[0])[0]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Rows()

    def forward(self, x, i):
        return self.net(x, i)


@pytest.mark.parametrize("form", FORMS)
def test_cells(form):
    torch.manual_seed(0)
    original, args = Cells(), (torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4))
    converted = convert_onnx_to_fx(exported(original, args, form))
    require_same(original, converted, args)
    assert [type(m) for m in converted.children()] == [nn.GRUCell, nn.LSTMCell, nn.Linear]
    assert torch.equal(converted(*args), original(*args))


class OwnCell(nn.Module):
    """The arithmetic of a GRU, by layers that one may adapt."""

    def __init__(self):
        super().__init__()
        self.ih, self.hh = nn.Linear(3, 12), nn.Linear(4, 12)

    def forward(self, x, h):
        (r, z, n), (s, t, m) = self.ih(x).chunk(3, 1), self.hh(h).chunk(3, 1)
        n = torch.tanh(n + torch.sigmoid(r + s) * m)
        return (h - n) * torch.sigmoid(z + t) + n


@pytest.mark.parametrize("form", FORMS)
def test_a_cell_of_layers_keeps_them(form):
    torch.manual_seed(0)
    original, args = OwnCell(), (torch.randn(2, 3), torch.randn(2, 4))
    converted = convert_onnx_to_fx(exported(original, args, form))
    require_same(original, converted, args)
    assert [type(m) for m in converted.children()] == [nn.Linear, nn.Linear]


@pytest.mark.parametrize("form", FORMS)
def test_packed_rows_of_attention(form):
    torch.manual_seed(0)
    original, x = Attention(), torch.randn(3, 2, 8)
    require_same(original, convert_onnx_to_fx(exported(original, (x,), form)), (x,))


@pytest.mark.parametrize("form", [f for f in FORMS if f != "legacy"])  # which folds `rows`, and does not say of what
def test_parameters_of_a_module_of_ones_own(form):
    torch.manual_seed(0)
    original, args = Net(), (torch.randn(2, 3), torch.tensor([1, 6]))
    converted = convert_onnx_to_fx(exported(original, args, form))
    require_same(original, converted, args)
    assert type(converted.net.out) is nn.Linear


@pytest.mark.parametrize("layout", ["contiguous", "view"])
def test_packed_rows_that_the_file_holds_transposed(layout):
    torch.manual_seed(0)
    original, x = Attention(), torch.randn(3, 2, 8)
    model = exported(original, (x,), "dynamo")
    module = convert_onnx_to_fx(model, weights_layout=layout)
    weight = module.attention.in_proj_weight
    assert weight.is_contiguous() == (layout == "contiguous")
    torch.testing.assert_close(weight, original.attention.in_proj_weight, rtol=0, atol=0)
    empty = convert_onnx_to_fx(model, weights="meta")
    assert empty.attention.in_proj_weight.shape == (24, 8)
    empty.load_state_dict(module.state_dict(), assign=True)
    torch.testing.assert_close(empty(x), original(x))


class Reader(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.embed, self.fc = nn.Embedding(9, 4), nn.Linear(4, 4)
        self.embed.weight = table

    def forward(self, i):
        return self.fc(self.embed(i))


class Tied(nn.Module):
    """As T5 does: one table under four names, of which `shared` is no module that is called."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Embedding(9, 4)
        self.encoder, self.decoder = Reader(self.shared.weight), Reader(self.shared.weight)
        self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.shared.weight

    def forward(self, i, j):
        return self.head(self.encoder(i) + self.decoder(j))


def test_a_table_that_modules_share_under_a_name_of_its_own():
    torch.manual_seed(0)
    original, args = Tied(), (torch.tensor([1, 6]), torch.tensor([2, 2]))
    converted = convert_onnx_to_fx(exported(original, args, "unfolded"))
    assert converted.state_dict().keys() == original.state_dict().keys()
    require_same(original, converted, args)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"num_layers": 3},
        {"num_layers": 2, "bias": False},
        {"num_layers": 2, "bidirectional": True, "batch_first": True},
    ],
)
@pytest.mark.parametrize(("kind", "form"), ONE_NODE_A_LAYER)
def test_layers(kind, form, options, given):
    torch.manual_seed(0)
    original, x = Layers(kind, **options), torch.randn(3, 3, 5)
    rows = options["num_layers"] * (2 if options.get("bidirectional") else 1)
    args = (x, *(torch.randn(rows, 3, 4) for _ in range(LAYERS[kind] * given)))
    converted = convert_onnx_to_fx(exported(original, args, form))
    require_same(original, converted, args)
    assert type(converted.encoder) is getattr(nn, kind)
    assert converted.encoder.num_layers == options["num_layers"]


def test_layers_step_by_step():
    torch.manual_seed(0)
    original, x = Layers("RNN", num_layers=2), torch.randn(3, 2, 5)
    require_same(original, convert_onnx_to_fx(exported(original, (x,), "unoptimized")), (x,))


def test_layers_at_another_size():
    torch.manual_seed(0)
    original, sizes = Layers("LSTM", num_layers=2, bidirectional=True), {"x": {0: "length", 1: "batch"}}
    model = exported(original, (torch.randn(3, 2, 5),), "legacy", input_names=["x"], dynamic_axes=sizes)
    require_same(original, convert_onnx_to_fx(model), (torch.randn(7, 4, 5),))


@pytest.mark.parametrize("form", ["dynamo", "legacy"])
def test_two_modules_stay_two(form):
    torch.manual_seed(0)
    original, x = TwoModules(), torch.randn(3, 2, 4)
    require_same(original, convert_onnx_to_fx(exported(original, (x,), form)), (x,))


class Normed(nn.Module):
    def __init__(self, layer, norm):
        super().__init__()
        self.layer, self.norm = layer, norm

    def forward(self, x):
        return F.relu(self.norm(self.layer(x)))


NORMED = [
    ("dynamo", nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), (2, 3, 6, 6)),
    ("legacy", nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), (2, 3, 6, 6)),
    ("dynamo", nn.Conv1d(3, 4, 3, bias=False), nn.BatchNorm1d(4), (2, 3, 6)),
    ("legacy", nn.Conv1d(3, 4, 3, bias=False), nn.BatchNorm1d(4), (2, 3, 6)),
    ("dynamo", nn.ConvTranspose2d(3, 4, 3), nn.BatchNorm2d(4), (2, 3, 6, 6)),
]


@pytest.mark.parametrize("form, layer, norm, shape", NORMED)
def test_what_a_normalization_was_folded_into_is_not_the_authors_layer(form, layer, norm, shape):
    """Under its name the weights from before would be loaded into it, without the normalization."""
    with torch.no_grad():
        norm.running_var.uniform_(2, 3)
        norm.weight.uniform_(2, 3)
    original, x = Normed(layer, norm).eval(), torch.randn(shape)
    converted = convert_onnx_to_fx(exported(original, (x,), form))
    torch.testing.assert_close(converted(x), original(x))
    assert not converted.state_dict().keys() & original.state_dict().keys()
    assert all(name.startswith("layer.") for name in converted.state_dict())
