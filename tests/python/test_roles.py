"""What each tensor becomes, and who decided it: report.json says both."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_to_fx import convert_onnx_to_fx
from torch import nn

ONNX2FX = Path(sys.prefix) / "bin/onnx2fx"
SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
TEXT = "pkg.torch.onnx.fx_node"
IDS = torch.tensor([0])


def tensor(name, *dims, value=None):
    data = np.random.default_rng(len(name)).random(dims) if value is None else np.full(dims, value)
    return numpy_helper.from_array(data.astype(np.float32), name)


def model(text, initializers, producer="", signature=(), texts=()):
    """`text`: nodes in onnx.parser's syntax, from float x[2, 4] to y."""
    graph = onnx.parser.parse_graph(f"g (float[2, 4] x, int64[N] ids) => (float[A, B] y) {{ {text} }}")
    graph.initializer.extend(initializers)
    if signature:
        lines = "\n".join(["# inputs", *signature, "x: USER_INPUT", "# outputs", "y: USER_OUTPUT"])
        graph.metadata_props.add(key=SIGNATURE, value=lines)
    for node, words in zip(graph.node, texts):
        if words:
            node.metadata_props.add(key=TEXT, value=words)
    imports = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9, producer_name=producer)


def roles(m, tmp_path, *options):
    onnx.save(m, tmp_path / "m.onnx")
    subprocess.run(
        [ONNX2FX, tmp_path / "m.onnx", "-o", tmp_path / "out", *options], check=True, capture_output=True
    )
    report = json.loads((tmp_path / "out/report.json").read_text())
    return {t["name"]: (t["role"], t["because"]) for t in report["tensors"]}


def test_what_the_exporters_signature_says(tmp_path):
    signature = [
        "p_w: PARAMETER target='w'",
        "p_s: PARAMETER target='s'",
        "b_pe: BUFFER target='pe' persistent=True",
        "b_mask: BUFFER target='mask' persistent=False",
        "c_k: CONSTANT_TENSOR target='k'",
    ]
    m = model(
        "a = MatMul(x, w) b = Mul(a, s) c = Add(b, pe) d = Mul(c, mask) e = Add(d, k) y = Mul(e, val_7)",
        [tensor("w", 4, 4), tensor("s"), tensor("pe", 1, 4), tensor("mask", 1, 4), tensor("k", 4), tensor("val_7", 4)],
        "pytorch",
        signature,
    )
    said = "exporter: {} of its graph signature".format
    assert roles(m, tmp_path) == {
        "w": ("parameter", said("w")),
        "s": ("parameter", said("s")),
        "pe": ("buffer", said("pe")),
        "mask": ("constant", said("mask")),
        "k": ("constant", said("k")),
        "val_7": ("constant", "exporter: not in its graph signature"),
    }
    module = convert_onnx_to_fx(m)
    assert sorted(module.state_dict()) == ["pe", "s", "w"]
    assert sorted(name for name, _ in module.named_parameters()) == ["s", "w"]


def test_what_the_exporters_optimizer_computed_of_parameters(tmp_path):
    """val_1 is fc.weight transposed; val_2 was never a weight, though it stands in the same call."""
    m = model(
        "a = MatMul(x, val_1) b = Add(a, fc_bias) y = Mul(b, val_2)",
        [tensor("val_1", 4, 4), tensor("fc_bias", 4), tensor("val_2", 1, value=2)],
        "pytorch",
        ["p_fc_weight: PARAMETER target='fc.weight'", "p_fc_bias: PARAMETER target='fc_bias'"],
        ["%linear : [num_users=1] = call_function[target=torch.ops.aten.linear.default](args = (%x, %p_fc_weight, %p_fc_bias), kwargs = {})"] * 3,
    )
    found = roles(m, tmp_path)
    assert found["val_1"] == ("parameter", "exporter: computed of fc.weight")
    assert "val_2" not in found or found["val_2"][0] == "constant"


def test_constant_nodes_and_scalars_of_the_older_exporter(tmp_path):
    m = model(
        "c = Constant<value_floats = [1.0, 2.0, 3.0, 4.0]>() k = Constant<value = float[4] {5, 6, 7, 8}>()"
        " a = Mul(x, logit_scale) b = Add(a, c) d = Mul(b, k) y = Add(d, w)",
        [tensor("logit_scale"), tensor("w", 4)],
        "pytorch",
    )
    found = roles(m, tmp_path)
    assert found["logit_scale"] == ("parameter", "exporter: an initializer of the model's own name")
    assert found["k"] == ("constant", "exporter: a Constant node")
    assert found["w"] == ("parameter", "default: floats")
    # another producer's Constant nodes are its weights
    other = model("k = Constant<value = float[4] {5, 6, 7, 8}>() y = Mul(x, k)", [], "PaddlePaddle")
    assert roles(other, tmp_path)["k"] == ("parameter", "default: floats")


def test_frequencies_of_rotary_embeddings_are_no_weights(tmp_path):
    m = model(
        "p = Cast<to = 1>(ids) q = Unsqueeze(p, minus) f = Mul(q, inv_freq) s = Sin(f) y = Mul(s, w)",
        [tensor("inv_freq", 1, 4), tensor("w", 4), numpy_helper.from_array(np.array([1]), "minus")],
    )
    m.graph.node.insert(0, helper.make_node("Identity", ["x"], ["unused"]))
    found = roles(m, tmp_path)
    assert found["inv_freq"] == ("constant", "evidence: it only feeds sin, cos or comparisons")
    assert found["w"] == ("parameter", "default: floats")


def test_a_sine_layer_on_the_models_floats_keeps_its_weight(tmp_path):
    m = model("a = Mul(x, w) y = Sin(a)", [tensor("w", 4)])
    assert roles(m, tmp_path)["w"] == ("parameter", "default: floats")


@pytest.mark.parametrize("heads, role", [(1, "constant"), (2, "parameter")])
def test_a_mask_of_softmax_and_a_table_of_heads(tmp_path, heads, role):
    """One plane added before softmax is a mask; one for each head is a learnt bias."""
    dims = "int64[4] {1, %d, 2, 2}" % heads
    m = model(
        f"shape = Constant<value = {dims}>() r = Reshape(x4, shape) a = Add(r, m) s = Softmax<axis = -1>(a)"
        " two = Constant<value = int64[2] {-1, 2}>() y = Reshape(s, two)",
        [tensor("m", 1, heads, 2, 2)],
    )
    first = "Slice(x, zero, end, axes)" if heads == 1 else "Identity(x)"
    cut = onnx.parser.parse_graph(f"g (float[2, 4] x) => (float[A, B] x4) {{ x4 = {first} }}")
    m.graph.node.insert(0, cut.node[0])
    for name, value in (("zero", 0), ("end", 2), ("axes", 1)):
        m.graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
    if heads == 2:
        del m.graph.initializer[1:]
    assert roles(m, tmp_path)["m"][0] == role


def test_the_users_globs_come_first(tmp_path):
    m = model(
        "a = MatMul(x, w) y = Add(a, k)",
        [tensor("w", 4, 4), tensor("k", 4)],
        "pytorch",
        ["p_w: PARAMETER target='w'", "c_k: CONSTANT_TENSOR target='k'"],
    )
    found = roles(m, tmp_path, "--trainable", "k", "--frozen", "w")
    assert found == {"k": ("parameter", "option: trainable"), "w": ("parameter", "option: frozen")}


class Learner(nn.Module):
    """A learnt scalar, a fixed table, frequencies, a GroupNorm."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(4, 4)
        self.norm = nn.GroupNorm(2, 4)
        self.logit_scale = nn.Parameter(torch.tensor(1.5))
        self.register_buffer("table", torch.rand(1, 4))
        self.register_buffer("inv_freq", torch.rand(4), persistent=False)
        nn.init.uniform_(self.norm.weight)

    def forward(self, x):
        position = torch.arange(x.shape[1]).float()
        x = x + self.table + (position * self.inv_freq).cos()
        return self.norm(self.proj(x)) * self.logit_scale


@pytest.mark.parametrize("form", ["dynamo", "as it is", "legacy"])
def test_what_is_trained_is_what_the_original_trains(tmp_path, form):
    torch.manual_seed(0)
    original = Learner().eval()
    x = torch.rand(2, 4)
    if form == "legacy":
        torch.onnx.export(original, (x,), tmp_path / "m.onnx", dynamo=False)
        m = onnx.load(tmp_path / "m.onnx")
    else:
        m = torch.onnx.export(original, (x,), dynamo=True, optimize=form == "dynamo", verbose=False).model_proto
    module = convert_onnx_to_fx(m)
    sizes = sorted(p.numel() for p in module.parameters())
    expected = sorted(p.numel() for p in original.parameters())
    if form == "legacy":  # a table that is added says nothing of whether it is learnt
        expected = sorted([*expected, 4])
    assert sizes == expected
    torch.testing.assert_close(module(x), original(x), rtol=1e-5, atol=1e-4)


def test_the_report_of_a_model_without_floats(tmp_path):
    graph = onnx.parser.parse_graph("g (int64[2] x) => (int64[2] y) { y = Add(x, k) }")
    graph.initializer.append(numpy_helper.from_array(np.array([1, 2]), "k"))
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    assert roles(m, tmp_path) == {"k": ("constant", "default: no floats")}
    assert graph.initializer[0].data_type == TensorProto.INT64


def test_random_draws_no_constant(tmp_path):
    """A conversion with random weights computes what the original does once it has its state dict."""
    m = model(
        "a = MatMul(x, w) b = Mul(a, k) y = Add(b, s)",
        [tensor("w", 4, 4), tensor("k", 4), tensor("s", 1)],
        "pytorch",
        ["p_w: PARAMETER target='w'", "c_k: CONSTANT_TENSOR target='k'", "p_s: PARAMETER target='s'"],
    )
    x, real = torch.rand(2, 4), convert_onnx_to_fx(m)
    drawn = convert_onnx_to_fx(m, weights="random", seed=3)
    assert not torch.allclose(drawn(x, IDS), real(x, IDS))
    drawn.load_state_dict(real.state_dict())
    torch.testing.assert_close(drawn(x, IDS), real(x, IDS), rtol=0, atol=0)


def tied(text, initializers, texts=(), signature=()):
    graph = onnx.parser.parse_graph(f"g (int64[2] ids) => (float[A, B] y) {{ {text} }}")
    graph.initializer.extend(initializers)
    if signature:
        graph.metadata_props.add(key=SIGNATURE, value="\n".join(["# inputs", *signature]))
    for node, words in zip(graph.node, texts):
        if words:
            node.metadata_props.add(key=TEXT, value=words)
    imports = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9, producer_name="pytorch")


WORDS = "h = Gather(wte, ids) y = MatMul(h, head)"


@pytest.mark.parametrize("order", [1, -1])
def test_a_head_stored_as_the_transposed_embedding_is_the_embedding(order):
    table = tensor("wte", 5, 4)
    head = numpy_helper.from_array(numpy_helper.to_array(table).T.copy(), "head")
    module = convert_onnx_to_fx(tied(WORDS, [table, head][::order]))
    ((name, weight),) = module.named_parameters()
    ids = torch.tensor([1, 3])
    (module(ids) ** 2).sum().backward()
    reference = torch.from_numpy(numpy_helper.to_array(table).copy()).requires_grad_()
    ((reference[ids] @ reference.t()) ** 2).sum().backward()
    torch.testing.assert_close(weight.grad, reference.grad)


def test_a_head_that_differs_in_one_bit_is_a_weight_of_its_own():
    table = tensor("wte", 5, 4)
    data = numpy_helper.to_array(table).T.copy()
    data[3, 4] = np.nextafter(data[3, 4], 1)
    module = convert_onnx_to_fx(tied(WORDS, [table, numpy_helper.from_array(data, "head")]))
    assert len(list(module.parameters())) == 2


def test_the_exporters_text_ties_a_transposed_copy():
    """Two products by one parameter, of which the optimizer transposed one."""
    w = tensor("w", 4, 4)
    copy = numpy_helper.from_array(numpy_helper.to_array(w).T.copy(), "val_3")
    text = "%linear : [num_users=1] = call_function[target=torch.ops.aten.linear.default](args = (%a, %p_w), kwargs = {})"
    m = model("a = MatMul(x, w) y = MatMul(a, val_3)", [w, copy], "pytorch", ["p_w: PARAMETER target='w'"], ["", text])
    module = convert_onnx_to_fx(m)
    assert len(list(module.parameters())) == 1
    x = torch.rand(2, 4)
    weight = torch.from_numpy(numpy_helper.to_array(w).copy())
    torch.testing.assert_close(module(x, IDS), x @ weight @ weight.t())


def sinusoids(interleaved: bool) -> np.ndarray:
    angles = np.arange(6)[:, None] / 100 ** (np.arange(0, 4, 2) / 4)
    pair = np.stack((np.sin(angles), np.cos(angles)), -1 if interleaved else 1)
    return pair.reshape(6, 4).astype(np.float32)


@pytest.mark.parametrize("interleaved", [True, False])
def test_tables_of_sines_and_cosines_that_are_added_are_not_trained(tmp_path, interleaved):
    table = numpy_helper.from_array(sinusoids(interleaved), "positions")
    learnt = numpy_helper.from_array(sinusoids(interleaved) * np.float32(1.01), "learnt")
    nodes = "a = Slice(positions, zero, size) b = Slice(learnt, zero, size) c = Add(x, a) y = Add(c, b)"
    ends = [numpy_helper.from_array(np.array([n], np.int64), name) for name, n in (("zero", 0), ("size", 1))]
    because = "evidence: it is a table of sines and cosines"
    found = roles(model(nodes, [table, learnt, *ends], "pytorch"), tmp_path)
    assert found["positions"] == ("buffer", because)  # that exporter stores a state dict's tensors under their names
    assert found["learnt"] == ("parameter", "default: floats")
    found = roles(model(nodes, [table, learnt, *ends], ""), tmp_path)
    assert found["positions"] == ("constant", because)


def test_sines_and_cosines_that_rotate_are_not_trained(tmp_path):
    """As the older exporter stores a rotary embedding: two tables under names that it makes up."""
    angles = np.repeat(np.arange(6)[:, None] / 100 ** (np.arange(0, 4, 2) / 4), 2, -1).astype(np.float32)
    tables = [numpy_helper.from_array(f(angles)[None], name) for name, f in (("onnx::Mul_1", np.cos), ("onnx::Mul_2", np.sin))]
    tables += [numpy_helper.from_array(1.01 * t, name) for name, t in (("learnt", np.cos(angles)[None]), ("other", np.sin(angles)[None]))]
    nodes = """a = Mul(x, "onnx::Mul_1") n = Neg(x) b = Mul(n, "onnx::Mul_2") c = Add(a, b)
        d = Mul(c, learnt) e = Mul(c, other) y = Add(d, e)"""
    found = roles(model(nodes, tables, "pytorch"), tmp_path)
    because = "evidence: it is a table of sines and cosines"
    assert found == {"onnx::Mul_1": ("constant", because), "onnx::Mul_2": ("constant", because),
                     "learnt": ("parameter", "default: floats"), "other": ("parameter", "default: floats")}  # fmt: skip


@pytest.mark.parametrize("values", [np.eye(4), np.tile([1.0, 0.0], (6, 2))])
def test_ones_and_zeros_are_no_sines_and_cosines(tmp_path, values):
    table = numpy_helper.from_array(values.astype(np.float32)[None], "positions")
    found = roles(model("a = Add(x, positions) y = Neg(a)", [table], "pytorch"), tmp_path)
    assert found["positions"] == ("parameter", "default: floats")


def test_a_table_of_sinusoids_that_is_looked_up_may_be_trained(tmp_path):
    table = numpy_helper.from_array(sinusoids(True), "positions")
    found = roles(model("a = Gather(positions, ids) y = Add(x, a)", [table], "pytorch"), tmp_path)
    assert found["positions"][0] == "parameter"
