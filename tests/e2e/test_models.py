"""Trained models and exports of standard architectures: parity with ONNX Runtime, gradients, export."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from exports import export
from onnx_to_fx import convert_onnx_to_fx
from wheels import model


def outputs_of(module, feeds):
    y = module(*(torch.from_numpy(f) for f in feeds.values()))
    return y if isinstance(y, tuple) else (y,)


def check_parity(path, module, feeds, atol=1e-4):
    expected = onnxruntime.InferenceSession(path).run(None, feeds)
    with torch.no_grad():
        got = outputs_of(module, feeds)
    assert len(got) == len(expected)
    for g, e in zip(got, expected):
        assert tuple(g.shape) == e.shape
        np.testing.assert_allclose(g.numpy(), e, rtol=0, atol=atol)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """export(name, exporter), once per module."""
    made = {}

    def get(name, exporter):
        if (name, exporter) not in made:
            path = tmp_path_factory.mktemp("exports") / f"{name}_{exporter}.onnx"
            made[name, exporter] = path, export(name, exporter, str(path))
        return made[name, exporter]

    return get


def feeds_of(name, batch, length=16):
    random = np.random.RandomState(batch)
    if name == "resnet50":
        return {"x": random.randn(batch, 3, 64, 64).astype(np.float32)}
    mask = np.ones((batch, length), np.int64)
    mask[0, -3:] = 0
    return {"input_ids": random.randint(0, 1000, (batch, length)), "attention_mask": mask}


@pytest.mark.parametrize("exporter", ["legacy", "dynamo"])
@pytest.mark.parametrize("name", ["resnet50", "bert"])
class TestExports:
    def test_equals_onnx_runtime_at_several_sizes(self, exported, name, exporter):
        path, _ = exported(name, exporter)
        module = convert_onnx_to_fx(path).eval()
        for batch, length in ((2, 16), (3, 7)):
            check_parity(path, module, feeds_of(name, batch, length))

    def test_every_weight_gets_a_gradient(self, exported, name, exporter):
        path, original = exported(name, exporter)
        module = convert_onnx_to_fx(path).train()
        sum(o.sum() for o in outputs_of(module, feeds_of(name, 2))).backward()
        assert all(p.grad is not None for p in module.parameters())
        trainable = sum(p.numel() for p in module.parameters())
        folded = sum(p.numel() for m in original.modules() if isinstance(m, torch.nn.BatchNorm2d) for p in m.parameters())
        total = sum(p.numel() for p in original.parameters())
        # the exporters fold BatchNorm into the convolutions, which get a bias instead
        assert total - folded <= trainable <= total

    def test_exports_again_with_dynamic_sizes_and_without_item(self, exported, name, exporter):
        path, _ = exported(name, exporter)
        module = convert_onnx_to_fx(path).eval()
        assert not [n for n in module.graph.nodes if str(n.target) == "item" or "_local_scalar_dense" in str(n.target)]
        batch, length = torch.export.Dim("batch", min=2), torch.export.Dim("length", min=2)
        shapes = [{0: batch}] if name == "resnet50" else [{0: batch, 1: length}] * 2
        inputs = tuple(torch.from_numpy(f) for f in feeds_of(name, 2).values())
        program = torch.export.export(module, inputs, dynamic_shapes=tuple(shapes), strict=False)
        other = tuple(torch.from_numpy(f) for f in feeds_of(name, 4, 9).values())
        with torch.no_grad():
            expected, got = module(*other), program.module()(*other)
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"),
    [
        ("resnet50", torch.float64, 1e-5),
        ("resnet50", torch.float16, 5e-3),
        ("resnet50", torch.bfloat16, 3e-2),
        ("bert", torch.float64, 1e-5),
    ],
)
def test_a_module_computes_in_another_type(exported, name, dtype, tolerance):
    path, original = exported(name, "dynamo")
    module = convert_onnx_to_fx(path).to(dtype)
    feeds = [torch.from_numpy(f) for f in feeds_of(name, 2).values()]
    with torch.no_grad():
        expected = original(*feeds)
        got = module(*(f.to(dtype) if f.is_floating_point() else f for f in feeds))
    for g, e in zip(got, expected) if isinstance(got, tuple) else [(got, expected)]:
        assert g.dtype == dtype
        assert (g - e).abs().max() <= tolerance * e.abs().max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_bert_computes_under_autocast(exported, dtype):
    """Its Cast to float32 rules out .half(), as in the exported model itself."""
    path, original = exported("bert", "dynamo")
    module = convert_onnx_to_fx(path)
    feeds = [torch.from_numpy(f) for f in feeds_of("bert", 2).values()]
    with torch.no_grad():
        expected = original(*feeds)
        with torch.autocast("cpu", dtype=dtype):
            got = module(*feeds)
    for g, e in zip(got, expected):
        assert (g.float() - e).abs().max() <= 3e-2 * e.abs().max()


def test_bert_is_made_of_nn_modules(exported):
    path, _ = exported("bert", "legacy")
    module = convert_onnx_to_fx(path)
    kinds = [type(m).__name__ for m in module.modules()]
    assert kinds.count("Linear") == 3 * 6 + 1
    assert kinds.count("LayerNorm") == 3 * 2 + 1
    assert kinds.count("Embedding") == 2


def test_gradients_equal_the_original_modules(exported):
    path, original = exported("bert", "dynamo")
    module = convert_onnx_to_fx(path).eval()
    feeds = feeds_of("bert", 2)
    outputs_of(module, feeds)[1].sum().backward()
    original(*(torch.from_numpy(f) for f in feeds.values()))[1].sum().backward()
    grads = dict(module.named_parameters())
    compared = 0
    for name, p in original.named_parameters():
        if name in grads and grads[name].shape == p.shape:
            torch.testing.assert_close(grads[name].grad, p.grad, rtol=1e-3, atol=1e-5)
            compared += 1
    assert compared > 20


MAGIKA = ("magika", "magika/models/standard_v3_3/model.onnx")
OCR = "rapidocr_onnxruntime/models/"


@pytest.mark.parametrize("package, file, shapes", [
    (*MAGIKA, [(2, 2048)]),
    ("rapidocr-onnxruntime", OCR + "ch_ppocr_mobile_v2.0_cls_infer.onnx", [(2, 3, 48, 192), (1, 3, 48, 96)]),
    ("rapidocr-onnxruntime", OCR + "ch_PP-OCRv4_det_infer.onnx", [(1, 3, 96, 128), (2, 3, 64, 64)]),
    ("rapidocr-onnxruntime", OCR + "ch_PP-OCRv4_rec_infer.onnx", [(2, 3, 48, 96), (1, 3, 48, 160)]),
])
def test_trained_model(package, file, shapes):
    path = model(package, file)
    module = convert_onnx_to_fx(path).eval()
    name = onnxruntime.InferenceSession(path).get_inputs()[0].name
    for shape in shapes:
        random = np.random.RandomState(0)
        x = random.randint(0, 257, shape).astype(np.int32) if package == "magika" else random.rand(*shape).astype(np.float32)
        check_parity(path, module, {name: x})
    outputs_of(module.train(), {name: x})[0].sum().backward()
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize("file", ["silero_vad.onnx", "silero_vad_16k_op15.onnx", "silero_vad_half.onnx"])
def test_voice_activity_over_a_sequence_of_frames(file):
    path = model("silero-vad", f"silero_vad/data/{file}")
    session = onnxruntime.InferenceSession(path)
    module = convert_onnx_to_fx(path).eval()
    random = np.random.RandomState(0)
    state = np.zeros((2, 1, 128), np.float32)
    expected_state = state
    for _ in range(6):
        frame = random.randn(1, 576).astype(np.float32)
        known = {"input": frame, "sr": np.array(16000, np.int64)}
        feeds = {i.name: known[i.name] for i in session.get_inputs() if i.name in known}
        names = [i.name for i in session.get_inputs()]
        expected, expected_state = session.run(None, {**feeds, "state": expected_state})
        with torch.no_grad():
            got, new_state = module(*(torch.from_numpy({**feeds, "state": state}[n]) for n in names))
        state = new_state.numpy()
        np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-4)
        np.testing.assert_allclose(state, expected_state, rtol=0, atol=1e-4)
