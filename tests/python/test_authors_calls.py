"""Calls, numbers and dtypes that an export loses and a conversion gives back."""

import pytest
import torch
import torch.nn.functional as F
from onnx_to_fx import convert_onnx_to_fx
from torch import fx, nn


def exported(module, args, path, dynamo=True, **options):
    torch.onnx.export(module, args, str(path), dynamo=dynamo, verbose=False, **options)
    return str(path)


def calls(module, name):
    return [n for n in module.graph.nodes if n.op == "call_function" and getattr(n.target, "__name__", "") == name]


class Attention(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.qkv, self.dropout = nn.Linear(16, 48), dropout

    def forward(self, x, mask=None):
        b, n, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        p = self.dropout if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, mask, dropout_p=p).transpose(1, 2).reshape(b, n, 16)


def test_attention_drops_in_train_as_the_original_does(tmp_path):
    original, x = Attention(0.3).train(), torch.randn(2, 6, 16)
    options = {"training": torch.onnx.TrainingMode.TRAINING, "do_constant_folding": False}
    module = convert_onnx_to_fx(exported(original, (x,), tmp_path / "m.onnx", dynamo=False, **options))
    (call,) = calls(module, "scaled_dot_product_attention")
    assert not call.kwargs  # the scale is the usual one
    for train in (True, False):
        module.train(train), original.train(train)
        torch.manual_seed(0)
        got = module(x)
        torch.manual_seed(0)
        torch.testing.assert_close(got, original(x))
    assert "dropout" not in convert_onnx_to_fx(str(tmp_path / "m.onnx"), dialect="aten").code


def test_a_mask_of_booleans_goes_in_as_it_is(tmp_path):
    original, x = Attention().eval(), torch.randn(2, 6, 16)
    mask = torch.rand(2, 1, 6, 6) > 0.3
    mask[..., 0] = True
    module = convert_onnx_to_fx(exported(original, (x, mask), tmp_path / "m.onnx"))
    (call,) = calls(module, "scaled_dot_product_attention")
    assert call.args[3].name == "mask"
    torch.testing.assert_close(module(x, mask), original(x, mask))


def test_topk_is_topk(tmp_path):
    class Router(nn.Module):
        def forward(self, x):
            values, indices = torch.topk(x.softmax(-1), 2)
            return values, indices, torch.sort(x, dim=-1, descending=True)[0]

    original, x = Router(), torch.randn(3, 7)
    module = convert_onnx_to_fx(exported(original, (x,), tmp_path / "m.onnx"))
    assert len(calls(module, "topk")) == 1 and len(calls(module, "sort")) == 1
    for got, want in zip(module(x), original(x)):
        torch.testing.assert_close(got, want)
    off = convert_onnx_to_fx(str(tmp_path / "m.onnx"), recover="off")
    assert not calls(off, "topk")


def test_numbers_are_as_they_were_written(tmp_path):
    original = nn.Sequential(nn.LayerNorm(4, eps=1e-12), nn.LeakyReLU(0.1), nn.BatchNorm1d(4), nn.Hardtanh(-0.7, 0.7)).eval()
    x = torch.randn(3, 4)
    module = convert_onnx_to_fx(exported(original, (x,), tmp_path / "m.onnx", dynamo=False, do_constant_folding=False))
    text = str(module) + "".join(m.code for m in module.modules() if isinstance(m, fx.GraphModule))
    assert "eps=1e-12" in text and "0.1" in text and "0.7" in text and "00000" not in text
    assert torch.equal(module(x), original(x))


def test_the_largest_number_of_a_dtype_is_kept_exactly(tmp_path):
    class Bounded(nn.Module):
        def forward(self, x):
            return x.clamp(-torch.finfo(torch.float32).max, torch.finfo(torch.float32).max)

    x = torch.tensor([float("inf"), -float("inf"), 1.0])
    module = convert_onnx_to_fx(exported(Bounded(), (x,), tmp_path / "m.onnx"))
    assert torch.equal(module(x), Bounded()(x))


class Rotary(nn.Module):
    """The cosines in float32, of positions; then in the dtype of x."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(8, 8)
        self.register_buffer("inv_freq", 1.0 / 100 ** (torch.arange(0, 8, 2) / 8), persistent=False)

    def forward(self, x):
        q = self.proj(x)
        angles = torch.arange(x.shape[1], device=x.device).float()[:, None] * self.inv_freq.float()
        cos, sin = (torch.cat([f(angles)] * 2, -1).to(x.dtype) for f in (torch.cos, torch.sin))
        a, b = q.chunk(2, -1)
        q, turned = q.unsqueeze(1), (q * cos + torch.cat([-b, a], -1) * sin).unsqueeze(1)
        return F.scaled_dot_product_attention(turned, q, q)


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "legacy"])
def test_what_was_computed_of_positions_follows_the_dtype(tmp_path, dynamo):
    original, x = Rotary().eval(), torch.randn(2, 5, 8)
    options = {"dynamic_shapes": ({1: "n"},)} if dynamo else {"dynamic_axes": {"x": {1: "n"}}, "input_names": ["x"]}
    module = convert_onnx_to_fx(exported(original, (x,), tmp_path / "m.onnx", dynamo, **options))
    torch.testing.assert_close(module(x), original(x))
    low = torch.bfloat16
    got, want = module.to(low)(x.to(low)), original.to(low)(x.to(low))
    assert got.dtype == want.dtype == low
    torch.testing.assert_close(got, want, atol=2e-2, rtol=2e-2)
