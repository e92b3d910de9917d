"""Contrib ops on float tensors, one node each, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from one_node import check, floats, node_model, run_module, scalar
from onnx_to_fx import convert_onnx_to_fx, report


class TestActivations:
    @pytest.mark.parametrize("op", ["Gelu", "FastGelu", "QuickGelu"])
    def test_unary(self, op):
        check(op, [floats(2, 3, 8)])

    def test_quick_gelu_alpha(self):
        check("QuickGelu", [floats(2, 3, 8)], alpha=1.0)

    @pytest.mark.parametrize("op", ["BiasGelu", "FastGelu"])
    def test_with_bias(self, op):
        check(op, [floats(2, 3, 8), floats(8, seed=1)])

    # ONNX Runtime has no CPU kernel for the following ones: the expected values are numpy's.

    @pytest.mark.parametrize("axis", [3, 2, -1])
    def test_bias_softmax(self, axis):
        x, bias = floats(2, 3, 4, 5), floats(2, 1, 4, 5, seed=1)
        flat = torch.from_numpy(x + bias)
        expected = flat.reshape(*x.shape[: axis % 4], -1).softmax(-1).reshape(x.shape)
        check("BiasSoftmax", [x, bias], expected=[expected.numpy()], axis=axis, is_inner_broadcast=1)

    def test_bias_split_gelu(self):
        x, bias = floats(2, 3, 8), floats(8, seed=1)
        left, right = torch.from_numpy(x + bias).chunk(2, -1)
        expected = (left * torch.nn.functional.gelu(right)).numpy()
        check("BiasSplitGelu", [x, bias], expected=[expected])

    def test_bias_add(self):
        x, bias, skip = floats(2, 3, 8), floats(8, seed=1), floats(2, 3, 8, seed=2)
        check("BiasAdd", [x, bias, skip], expected=[x + bias + skip])


class TestNorm:
    @pytest.mark.parametrize("bias", [False, True])
    @pytest.mark.parametrize("beta", [False, True])
    def test_skip_layer_norm(self, beta, bias):
        inputs = [floats(2, 3, 8), floats(2, 3, 8, seed=1), floats(8, seed=2), floats(8, seed=3) if beta else None,
                  floats(8, seed=4) if bias else None]
        check("SkipLayerNormalization", inputs, [True, False, False, True], epsilon=1e-5)

    def test_skip_layer_norm_repeats_the_skip(self):
        check("SkipLayerNormalization", [floats(2, 3, 8), floats(1, 3, 8), floats(8, seed=2)], epsilon=1e-3)
        check("SkipLayerNormalization", [floats(2, 3, 8), floats(3, 8), floats(8, seed=2)])

    @pytest.mark.parametrize("bias", [False, True])
    def test_skip_simplified_layer_norm(self, bias):
        inputs = [floats(2, 3, 8), floats(2, 3, 8, seed=1), floats(8, seed=2)] + [floats(8, seed=3)] * bias
        check("SkipSimplifiedLayerNormalization", inputs, [True, False, False, True], epsilon=1e-5)

    def test_statistics(self):
        """ONNX Runtime's CPU kernels leave them out of the skip forms: they are those of the sum."""
        x, skip, scale = floats(2, 3, 8), floats(2, 3, 8, seed=1), floats(8, seed=2)
        mean, square = (x + skip).mean(-1, keepdims=True), ((x + skip) ** 2).mean(-1, keepdims=True)
        for op, outputs in (("SkipLayerNormalization", 3), ("SkipSimplifiedLayerNormalization", [True, False, True])):
            model, feeds = node_model(op, [x, skip, scale], outputs, epsilon=1e-5)
            got = run_module(model, feeds)
            variance = square - mean**2 if outputs == 3 else square
            np.testing.assert_allclose(got[-1], 1 / np.sqrt(variance + 1e-5), rtol=1e-4)
            if outputs == 3:
                np.testing.assert_allclose(got[1], mean, atol=1e-5)

    def test_simplified_layer_norm_gives_its_deviation(self):
        x, scale = floats(2, 3, 8), floats(8, seed=1)
        check("SimplifiedLayerNormalization", [x, scale], 2, domain="")

    @pytest.mark.parametrize("axis", [-1, 1])
    def test_simplified_layer_norm(self, axis):
        x = floats(2, 3, 8)
        check("SimplifiedLayerNormalization", [x, floats(*x.shape[axis:], seed=1)], domain="", axis=axis, epsilon=1e-3)

    @pytest.mark.parametrize("axis", [-1, 1])
    def test_layer_norm_before_opset_17(self, axis):
        x = floats(2, 3, 8)
        shape = x.shape[axis:]
        check("LayerNormalization", [x, floats(*shape, seed=1), floats(*shape, seed=2)], 3, domain="", onnx_opset=13,
              axis=axis)

    @pytest.mark.parametrize("segments", [False, True])
    @pytest.mark.parametrize("positions", [False, True])
    def test_embed_layer_norm(self, segments, positions):
        rng = np.random.default_rng(0)
        ids = rng.integers(0, 20, (2, 5)).astype(np.int32)
        kinds = rng.integers(0, 2, (2, 5)).astype(np.int32) if segments else None
        mask = np.array([[1] * 5, [1, 1, 1, 0, 0]], np.int32)
        places = rng.integers(0, 10, (2, 5)).astype(np.int32) if positions else None
        inputs = [ids, kinds, floats(20, 8), floats(10, 8, seed=1), floats(2, 8, seed=2) if segments else None,
                  floats(8, seed=3), floats(8, seed=4), mask, places]
        check("EmbedLayerNormalization", inputs, 3, epsilon=1e-5)

    def test_embed_layer_norm_without_mask(self):
        ids = np.random.default_rng(0).integers(0, 20, (2, 5)).astype(np.int32)
        inputs = [ids, None, floats(20, 8), floats(10, 8, seed=1), None, floats(8, seed=3), floats(8, seed=4)]
        check("EmbedLayerNormalization", inputs, 2)


class TestMatmul:
    @pytest.mark.parametrize("a, b", [(0, 0), (1, 0), (0, 1), (1, 1)])
    @pytest.mark.parametrize("alpha", [1.0, 0.5])
    def test_transposed(self, a, b, alpha):
        x, y = floats(2, 3, 4), floats(2, 4, 5, seed=1)
        inputs = [x.swapaxes(1, 2).copy() if a else x, y.swapaxes(1, 2).copy() if b else y]
        check("FusedMatMul", inputs, transA=a, transB=b, alpha=alpha)
        check("TransposeMatMul", inputs, transA=a, transB=b, alpha=alpha)

    @pytest.mark.parametrize("trans", [0, 1])
    def test_batch_transposed(self, trans):
        x, y = floats(*((3, 2, 6, 4) if not trans else (4, 2, 6, 3))), floats(2, 6, 4, 5, seed=1)
        check("FusedMatMul", [x, y], transBatchA=1, transA=trans)
        z = floats(*((4, 2, 6, 5) if not trans else (5, 2, 6, 4)), seed=1)
        check("FusedMatMul", [floats(2, 6, 3, 4), z], transBatchB=1, transB=trans)

    def test_vector(self):
        check("FusedMatMul", [floats(4), floats(4, 5, seed=1)], transA=1)
        check("FusedMatMul", [floats(2, 3, 4), floats(4, seed=1)], transB=1)

    @pytest.mark.parametrize("activation, parameters", [
        ("Relu", {}), ("Tanh", {}), ("Sigmoid", {}), ("LeakyRelu", {"activation_alpha": 0.2}),
        ("Elu", {"activation_alpha": 0.5}), ("HardSigmoid", {"activation_alpha": 0.3, "activation_beta": 0.4}),
        ("Softplus", {}), ("Softsign", {}), ("ThresholdedRelu", {"activation_alpha": 0.3})
    ])
    def test_gemm(self, activation, parameters):
        check("FusedGemm", [floats(3, 4), floats(4, 5, seed=1), floats(5, seed=2)], activation=activation, **parameters)

    def test_gemm_attributes(self):
        inputs = [floats(4, 3), floats(5, 4, seed=1), floats(3, 5, seed=2)]
        check("FusedGemm", inputs, activation="Relu", transA=1, transB=1, alpha=0.5, beta=2.0)
        check("FusedGemm", inputs[:2], activation="Relu", transA=1, transB=1, alpha=0.5)

    def test_activation(self):
        """ONNX Runtime has no CPU kernel: the expected value is numpy's."""
        a, b = floats(2, 4, 3), floats(4, 5, seed=1)
        y = 0.5 * (a.swapaxes(1, 2) @ b)
        check("FusedMatMulActivation", [a, b], expected=[np.where(y > 0, y, 0.1 * y)], activation="LeakyRelu",
              activation_alpha=0.1, transA=1, alpha=0.5)

    def test_gemm_fast_gelu(self):
        a, b, c = floats(2, 3, 4), floats(4, 5, seed=1), floats(5, seed=2)
        expected = torch.nn.functional.gelu(torch.from_numpy(a @ b + c), approximate="tanh").numpy()
        check("GemmFastGelu", [a, b, c], expected=[expected])  # ONNX Runtime has no CPU kernel


class TestConv:
    @pytest.mark.parametrize("activation, parameters", [
        ("Relu", []), ("Tanh", []), ("Sigmoid", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.5]),
        ("HardSigmoid", [0.3, 0.4]),
    ])
    def test_fused_conv(self, activation, parameters):
        inputs = [floats(2, 4, 7, 7), floats(6, 2, 3, 3, seed=1), floats(6, seed=2)]
        extra = {"activation_params": parameters} if parameters else {}
        check("FusedConv", inputs, activation=activation, group=2, pads=[1, 0, 0, 1], strides=[2, 1], **extra)

    def test_sum_is_inside_the_activation(self):
        inputs = [floats(2, 4, 5, 5), floats(6, 4, 3, 3, seed=1), floats(6, seed=2), floats(2, 6, 5, 5, seed=3)]
        check("FusedConv", inputs, activation="Relu", auto_pad="SAME_UPPER")

    @pytest.mark.parametrize("op, last", [("NhwcConv", False), ("NhwcConv", True), ("NhwcFusedConv", False)])
    def test_channels_last(self, op, last):
        """NhwcConv has no CPU kernel; its weight comes in both layouts."""
        x, w, b = floats(2, 4, 7, 7), floats(6, 4, 3, 3, seed=1), floats(6, seed=2)
        y = torch.nn.functional.conv2d(*map(torch.from_numpy, (x, w, b)), stride=2, padding=1)
        moved = [np.moveaxis(x, 1, -1).copy(), np.moveaxis(w, 1, -1).copy() if last else w, b]
        check(op, moved, expected=[y.permute(0, 2, 3, 1).numpy()], pads=[1] * 4, strides=[2, 2])

    def test_ambiguous_layout_is_refused(self):
        model, _ = node_model("NhwcConv", [floats(1, 5, 5, 3), floats(2, 3, 3, 3)])
        with pytest.raises(Exception, match="where the channels of the weight stand"):
            run_module(model, {})


class TestTensors:
    def test_inverse(self):
        check("Inverse", [floats(2, 4, 4) + 3 * np.eye(4, dtype=np.float32)])

    @pytest.mark.parametrize("upper", [0, 1])
    @pytest.mark.parametrize("k", [None, -1, 2])
    def test_trilu(self, upper, k):
        check("Trilu", [floats(2, 4, 5), None if k is None else scalar(k, np.int64)], upper=upper)

    @pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
    def test_pad(self, mode):
        pads = np.array([0, 1, 2, 0, 2, 1], np.int64)
        check("Pad", [floats(2, 4, 5), pads, scalar(0.5) if mode == "constant" else None], mode=mode)

    def test_expand_dims(self):
        check("ExpandDims", [floats(2, 4), scalar(-2, np.int32)], forms=[True])


class TestRotaryEmbedding:
    @pytest.mark.parametrize("interleaved", [0, 1])
    @pytest.mark.parametrize("flat", [False, True])
    def test_whole_head(self, interleaved, flat):
        x = floats(2, 5, 3 * 8) if flat else floats(2, 3, 5, 8)
        tables = [floats(10, 4, seed=1), floats(10, 4, seed=2)]
        positions = np.random.default_rng(0).integers(0, 10, (2, 5))
        check("RotaryEmbedding", [x, positions, *tables], interleaved=interleaved)
        check("RotaryEmbedding", [x, np.array([3]), *tables], interleaved=interleaved)

    @pytest.mark.parametrize("interleaved", [0, 1])
    @pytest.mark.parametrize("flat", [False, True])
    def test_part_of_a_head(self, interleaved, flat):
        x = floats(2, 5, 3 * 8) if flat else floats(2, 3, 5, 8)
        tables = [floats(10, 2, seed=1), floats(10, 2, seed=2)]
        check("RotaryEmbedding", [x, np.array([1]), *tables], interleaved=interleaved, num_heads=3,
              rotary_embedding_dim=4)

    def test_scale_changes_nothing(self):
        inputs = [floats(2, 5, 3 * 8), np.array([1]), floats(10, 4, seed=1), floats(10, 4, seed=2)]
        check("RotaryEmbedding", inputs, scale=2.0)
        model, _ = node_model("RotaryEmbedding", inputs, scale=2.0)
        (node,) = report(convert_onnx_to_fx(model))["nodes"]
        assert node["notes"] == [
            {"warning": "attribute 'scale': expected 1; it changes nothing, as in ONNX Runtime"}
        ]
