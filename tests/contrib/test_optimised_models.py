"""Models as ONNX Runtime's optimizer and its quantization tools write them."""

from __future__ import annotations

import functools
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from one_node import compare, run_module, run_onnx_runtime
from onnxruntime import quantization

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from exports import export  # noqa: E402


def optimised(path, target, level=onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return str(target)


def contrib_ops(path):
    return {n.op_type for n in onnx.load(path).graph.node if n.domain == "com.microsoft"}


def bert_feeds(batch, length):
    random = np.random.RandomState(batch)
    mask = np.ones((batch, length), np.int64)
    mask[0, -3:] = 0
    return {"input_ids": random.randint(0, 1000, (batch, length)), "attention_mask": mask}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    path = tmp_path_factory.mktemp("bert") / "bert.onnx"
    export("bert", "legacy", str(path))
    return path


class Cnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(8, 16, 3, padding=1), torch.nn.LeakyReLU(0.1),
        )
        self.skip = torch.nn.Conv2d(8, 16, 1)
        self.head = torch.nn.Linear(16, 10)

    def forward(self, x):
        y = self.body[:4](x)
        y = self.body[4:](y) + torch.sigmoid(self.skip(y))
        return self.head(y.mean((2, 3), keepdim=True).flatten(1))


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(12, 32), torch.nn.GELU(), torch.nn.Linear(32, 16),
                                        torch.nn.ReLU(), torch.nn.Linear(16, 4))

    def forward(self, x):
        return self.body(x)


class Lstm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(12, 16, bidirectional=True)

    def forward(self, x):
        return self.lstm(x)[0]


MODELS = {"cnn": (Cnn, (2, 3, 16, 16)), "mlp": (Mlp, (5, 12)), "lstm": (Lstm, (7, 2, 12))}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """small(name): path and feeds."""

    @functools.cache
    def get(name):
        make, shape = MODELS[name]
        torch.manual_seed(0)
        path = tmp_path_factory.mktemp(name) / "model.onnx"
        x = torch.randn(shape)
        torch.onnx.export(make().eval(), (x,), str(path), dynamo=False, input_names=["x"], opset_version=17,
                          dynamic_axes={"x": {1 if name == "lstm" else 0: "batch"}})
        return path, {"x": x.numpy()}

    return get


class Reader(quantization.CalibrationDataReader):
    def __init__(self, feeds):
        self.left = [feeds] * 2

    def get_next(self):
        return self.left.pop() if self.left else None


def check(path, feeds, atol, steps=0):
    compare(run_module(str(path), feeds), run_onnx_runtime(str(path), feeds), atol, steps)


class TestOptimised:
    def test_bert(self, bert, tmp_path):
        path = optimised(bert, tmp_path / "optimised.onnx")
        assert {"SkipLayerNormalization", "BiasGelu"} & contrib_ops(path)
        for batch, length in ((2, 16), (3, 7)):
            check(path, bert_feeds(batch, length), 1e-4)

    def test_bert_by_the_transformer_tools(self, bert, tmp_path):
        from onnxruntime.transformers import fusion_options, optimizer

        options = fusion_options.FusionOptions("bert")
        model = optimizer.optimize_model(str(bert), "bert", num_heads=4, hidden_size=128, optimization_options=options)
        path = str(tmp_path / "optimised.onnx")
        model.save_model_to_file(path)
        assert {"Attention", "SkipLayerNormalization"} <= contrib_ops(path)
        for batch, length in ((2, 16), (3, 7)):
            check(path, bert_feeds(batch, length), 1e-4)

    def test_quantized_bert(self, bert, tmp_path):
        quantization.quantize_dynamic(str(bert), tmp_path / "quantized.onnx", reduce_range=True)
        path = optimised(tmp_path / "quantized.onnx", tmp_path / "optimised.onnx")
        assert contrib_ops(path) & {"DynamicQuantizeMatMul", "MatMulIntegerToFloat"}
        check(path, bert_feeds(2, 16), 5e-2)

    @pytest.mark.parametrize("name", list(MODELS))
    def test_small(self, small, name, tmp_path):
        source, feeds = small(name)
        check(optimised(source, tmp_path / "optimised.onnx"), feeds, 1e-4)


class TestQuantized:
    """A tensor on the edge between two steps may go the other way than in ONNX Runtime, hence the tolerances."""

    @pytest.mark.parametrize("name", list(MODELS))
    def test_dynamic(self, small, name, tmp_path):
        source, feeds = small(name)
        path = tmp_path / "quantized.onnx"
        quantization.quantize_dynamic(str(source), path, reduce_range=True)
        check(path, feeds, 2e-2)
        check(optimised(path, tmp_path / "optimised.onnx"), feeds, 2e-2)

    @pytest.mark.parametrize("form", ["QDQ", "QOperator"])
    @pytest.mark.parametrize("per_channel", [False, True])
    @pytest.mark.parametrize("name", ["cnn", "mlp"])
    def test_static(self, small, name, tmp_path, form, per_channel):
        source, feeds = small(name)
        path = tmp_path / "quantized.onnx"
        quantization.quantize_static(str(source), path, Reader(feeds), getattr(quantization.QuantFormat, form),
                                     per_channel=per_channel, reduce_range=True)
        check(path, feeds, 3e-2)
        check(optimised(path, tmp_path / "optimised.onnx"), feeds, 3e-2)
