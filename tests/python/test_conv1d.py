"""GPT-2's Conv1D, and other weights that their author holds as [in, out]: under the author's name, in the author's layout."""

import io
import runpy

import pytest
import torch
from exporting import FORMS, exported
from onnx_to_fx import convert_onnx_to_fx, flatten, write_source
from onnx_to_fx.loader.own_modules import Conv1D as Converted
from test_original_names import require_same
from torch import nn


class Conv1D(nn.Module):
    """As transformers has it."""

    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.weight, self.bias = nn.Parameter(torch.randn(nx, nf)), nn.Parameter(torch.randn(nf))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(
            x.size()[:-1] + (self.nf,)
        )


class Projection(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 2))

    def forward(self, x):
        return x @ self.weight


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.fc, self.down, self.out = (
            Conv1D(7, 4),
            nn.Linear(7, 7),
            Conv1D(5, 7),
            Projection(),
        )

    def forward(self, x):
        return self.out(self.down(torch.relu(self.fc(self.up(x)))))


def made(form, **options):
    torch.manual_seed(0)
    original, args = Net(), (torch.randn(2, 3, 4),)
    axes = {"dynamic_shapes": ({0: "n", 1: "l"},)}
    if form == "legacy":
        axes = {"dynamic_axes": {"x": {0: "n", 1: "l"}}, "input_names": ["x"]}
    return original, convert_onnx_to_fx(exported(original, args, form, **axes), **options), args


@pytest.mark.parametrize("blocks", ["nested", "flat"])
@pytest.mark.parametrize("form", FORMS)
def test_the_authors_layout(form, blocks):
    original, converted, args = made(form, blocks=blocks)
    seen = {}
    for path in ("up", "down"):
        module = converted.get_submodule(path)
        assert (
            isinstance(module, Converted)
            and repr(module) == f"Conv1D(nf={module.nf}, nx={module.nx})"
        )
        module.register_forward_hook(
            lambda m, a, y, path=path: seen.update({path: (a[0].shape, y.shape)})
        )
    assert torch.equal(converted(*args), original(*args))
    assert seen == {"up": ((2, 3, 4), (2, 3, 7)), "down": ((2, 3, 7), (2, 3, 5))}
    assert [n for n, m in converted.named_modules() if isinstance(m, nn.Linear)] == ["fc"]
    require_same(original, converted, args)
    other = torch.randn(5, 2, 4)
    assert torch.equal(converted(other), original(other))


@pytest.mark.parametrize("form", FORMS)
def test_it_is_kept(form, tmp_path):
    original, converted, args = made(form)
    want = original(*args)
    file = io.BytesIO()
    torch.save(converted, file)
    file.seek(0)
    write_source(converted, tmp_path)
    text = (tmp_path / "model.py").read_text()
    assert "Conv1D(7, 4)" in text and "class Conv1D(nn.Module):" in text
    dynamic = ({0: torch.export.Dim("n"), 1: torch.export.Dim("l")},)
    for kept in (
        torch.load(file, weights_only=False),
        runpy.run_path(str(tmp_path / "model.py"))["Model"].load(),
        flatten(converted),
        torch.export.export(converted, args, dynamic_shapes=dynamic).module(),
        torch.fx.symbolic_trace(converted),
        torch.compile(converted, backend="aot_eager"),
        convert_onnx_to_fx(exported(converted, args, "dynamo")),
    ):
        assert torch.equal(kept(*args), want)


def test_tools_that_ask_for_its_class_find_it():
    """PEFT adapts what is an instance of transformers' class."""
    pytorch_utils = pytest.importorskip("transformers.pytorch_utils")
    _, converted, _ = made("dynamo")
    assert isinstance(converted.up, pytorch_utils.Conv1D)
