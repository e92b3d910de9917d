"""Contrib ops on quantized tensors, one node each, against ONNX Runtime.

Where ONNX Runtime multiplies by a fused scale, or sums in another order, a result on the edge between two steps may
come out one step away: those tests say steps=1. All others are exact. Weights of int8 have seven bits: on processors without
VNNI the sum of two products of ONNX Runtime saturates at 16 bits.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from one_node import bytes_, check, floats, node_model, run_module, run_onnx_runtime, scalar
from onnx_to_fx import convert_onnx_to_fx

TYPES = [np.uint8, np.int8]


def zero(value, dtype):
    return scalar(value if dtype == np.uint8 else value - 128, dtype)


class TestElementwise:
    @pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
    @pytest.mark.parametrize("dtype", TYPES)
    @pytest.mark.parametrize("shape", [(2, 3, 8), (1, 8), (8,)])
    def test_binary(self, op, dtype, shape):
        inputs = [bytes_(2, 3, 8, dtype=dtype), scalar(0.03), zero(120, dtype), bytes_(*shape, seed=1, dtype=dtype),
                  scalar(0.05), zero(100, dtype), scalar(0.07), zero(130, dtype)]
        check(op, inputs, steps=1)

    @pytest.mark.parametrize("op", ["QLinearSigmoid", "QLinearLeakyRelu"])
    @pytest.mark.parametrize("dtype", TYPES)
    def test_unary(self, op, dtype):
        inputs = [bytes_(2, 3, 8, dtype=dtype), scalar(0.03), zero(120, dtype), scalar(0.01), zero(10, dtype)]
        check(op, inputs, **({"alpha": 0.2} if op == "QLinearLeakyRelu" else {}))
        check(op, inputs, steps=1)

    @pytest.mark.parametrize("dtype", TYPES)
    @pytest.mark.parametrize("axis, opset", [(-1, 13), (1, 13), (1, 11)])
    def test_softmax(self, dtype, axis, opset):
        inputs = [bytes_(2, 3, 8, dtype=dtype), scalar(0.03), zero(120, dtype), scalar(1 / 256), zero(0, dtype)]
        check("QLinearSoftmax", inputs, axis=axis, opset=opset, steps=1)

    def test_concat(self):
        a, b = bytes_(2, 3, 4), bytes_(2, 5, 4, seed=1)
        inputs = [scalar(0.05), scalar(110, np.uint8), a, scalar(0.03), scalar(120, np.uint8), b, scalar(0.05),
                  scalar(110, np.uint8)]
        check("QLinearConcat", inputs, axis=1)

    def test_where(self):
        condition = np.random.default_rng(0).integers(0, 2, (2, 4)).astype(bool)
        inputs = [condition, bytes_(2, 4), scalar(0.03), scalar(120, np.uint8), bytes_(2, 4, seed=1), scalar(0.05),
                  scalar(100, np.uint8), scalar(0.04), scalar(90, np.uint8)]
        check("QLinearWhere", inputs, steps=1)


class TestPools:
    @pytest.mark.parametrize("dtype", TYPES)
    @pytest.mark.parametrize("last", [0, 1])
    def test_global_average(self, dtype, last):
        inputs = [bytes_(2, 4, 5, 6, dtype=dtype), scalar(0.03), zero(120, dtype), scalar(0.01), zero(125, dtype)]
        check("QLinearGlobalAveragePool", inputs, steps=1, channels_last=last)

    @pytest.mark.parametrize("last", [0, 1])
    @pytest.mark.parametrize("attributes", [
        {}, {"pads": [1] * 4}, {"pads": [1] * 4, "count_include_pad": 1}, {"strides": [2, 1]},
        {"pads": [1, 0, 0, 1]}, {"pads": [2, 0, 1, 2], "count_include_pad": 1, "strides": [2, 2]},
        {"strides": [2, 2], "ceil_mode": 1}, {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    ])
    def test_average(self, last, attributes):
        inputs = [bytes_(2, 6, 7, 6), scalar(0.03), scalar(120, np.uint8), scalar(0.02), scalar(125, np.uint8)]
        check("QLinearAveragePool", inputs, steps=1, kernel_shape=[3, 3], channels_last=last, **attributes)


class TestReduceMean:
    @pytest.mark.parametrize("axes, keep", [([1], 0), ([2, 3], 1), ([-1], 1)])
    def test_mean(self, axes, keep):
        """ONNX Runtime has no CPU kernel: the expected value is numpy's."""
        x = bytes_(2, 4, 5, 6)
        mean = ((x.astype(np.float32) - 120) * 0.03).mean(tuple(axes), keepdims=bool(keep))
        expected = np.clip(np.round(mean / 0.01) + 125, 0, 255).astype(np.uint8)
        inputs = [x, scalar(0.03), scalar(120, np.uint8), scalar(0.01), scalar(125, np.uint8)]
        check("QLinearReduceMean", inputs, expected=[expected], steps=1, axes=axes, keepdims=keep)


class TestConv:
    @pytest.mark.parametrize("last", [0, 1])
    @pytest.mark.parametrize("per_channel", [False, True])
    def test_conv(self, last, per_channel):
        x = bytes_(2, 7, 7, 4) if last else bytes_(2, 4, 7, 7)
        scale = np.abs(floats(6, seed=3)) * 0.01 + 0.001 if per_channel else scalar(0.005)
        inputs = [x, scalar(0.03), scalar(120, np.uint8), bytes_(6, 4, 3, 3, dtype=np.int8) // 2, scale,
                  np.zeros(6, np.int8) if per_channel else scalar(0, np.int8), scalar(0.2), scalar(125, np.uint8),
                  np.arange(-300, 300, 100).astype(np.int32)]
        check("QLinearConv", inputs, steps=1, channels_last=last, pads=[1] * 4, strides=[2, 2])


class TestLinear:
    @pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16])
    def test_both_ways(self, dtype):
        x = floats(3, 4, 5)
        check("QuantizeLinear", [x, scalar(0.03), scalar(7, dtype)])
        q = np.random.default_rng(0).integers(0, 100, (3, 4, 5)).astype(dtype)
        check("DequantizeLinear", [q, scalar(0.03), scalar(7, dtype)])

    def test_along_an_axis(self):
        scales, zeros = np.array([0.1, 0.2, 0.3, 0.4], np.float32), np.arange(4, dtype=np.uint8)
        check("QuantizeLinear", [floats(3, 4, 5), scales, zeros], axis=1)
        check("DequantizeLinear", [bytes_(3, 4, 5), scales, zeros], axis=1)


class TestMatmul:
    @pytest.mark.parametrize("dtype", TYPES)
    @pytest.mark.parametrize("columns", [False, True])
    def test_integer_to_float(self, dtype, columns):
        scale = np.abs(floats(5, seed=3)) * 0.1 if columns else scalar(0.05)
        b_zero = bytes_(5, seed=4, dtype=np.int8) // 8 if columns else scalar(3, np.int8)
        inputs = [bytes_(2, 3, 8, dtype=dtype), bytes_(8, 5, seed=1, dtype=np.int8) // 2, scalar(0.03), scale,
                  zero(120, dtype), b_zero, floats(5, seed=2)]
        check("MatMulIntegerToFloat", inputs, atol=1e-3)
        check("MatMulIntegerToFloat", inputs[:4], atol=1e-3)

    @pytest.mark.parametrize("dtype", TYPES)
    def test_dynamic(self, dtype):
        inputs = [floats(2, 3, 8), bytes_(8, 5, seed=1, dtype=dtype) // 2, scalar(0.05), zero(125, dtype), floats(5, seed=2)]
        check("DynamicQuantizeMatMul", inputs, atol=1e-3)
        check("DynamicQuantizeMatMul", inputs[:3], atol=1e-3)
        columns = [inputs[0], inputs[1], np.abs(floats(5, seed=3)), bytes_(5, seed=4, dtype=dtype)]
        check("DynamicQuantizeMatMul", columns, atol=1e-2)

    @pytest.mark.parametrize("a, b", [(0, 0), (1, 1)])
    @pytest.mark.parametrize("quantized", [False, True])
    def test_gemm(self, a, b, quantized):
        inputs = [bytes_(8, 3) if a else bytes_(3, 8), scalar(0.03), scalar(120, np.uint8),
                  bytes_(5, 8, seed=1, dtype=np.int8) // 2 if b else bytes_(8, 5, seed=1, dtype=np.int8) // 2, scalar(0.05),
                  scalar(3, np.int8), np.arange(-200, 300, 100).astype(np.int32)]
        inputs += [scalar(0.4), scalar(120, np.uint8)] if quantized else []
        check("QGemm", inputs, atol=1e-3, steps=1, transA=a, transB=b, alpha=0.5)
        check("QGemm", inputs, atol=1e-3, steps=1, transA=a, transB=b)

    @pytest.mark.parametrize("columns", [False, True])
    @pytest.mark.parametrize("past", [False, True])
    def test_attention(self, columns, past):
        scale = np.abs(floats(72, seed=3)) * 0.01 if columns else scalar(0.005)
        inputs = [bytes_(2, 5, 12), bytes_(12, 72, seed=1, dtype=np.int8) // 2, floats(72, seed=2), scalar(0.02), scale,
                  np.ones((2, 9 if past else 5), np.int32), scalar(120, np.uint8),
                  np.zeros(72, np.int8) if columns else scalar(3, np.int8)]
        inputs += [floats(2, 2, 3, 4, 8, seed=5)] * past
        check("QAttention", inputs, 2, num_heads=3, unidirectional=1)


class TestMatMulNBits:
    def inputs(self, bits, k, block, zeros, rows=6):
        blocks = -(-k // block)
        a, b = floats(2, 3, k), bytes_(rows, blocks, block * bits // 8, seed=1)
        scales = np.abs(floats(rows, blocks, seed=2)) * 0.1 + 0.01
        points = None
        if zeros == "packed":
            points = bytes_(rows, -(-blocks * bits // 8), seed=3)
        if zeros == "float":
            points = floats(rows, blocks, seed=3) + 2 ** (bits - 1)
        return [a, b, scales, points]

    @pytest.mark.parametrize("bits", [2, 4, 8])
    @pytest.mark.parametrize("k, block", [(32, 16), (64, 32), (40, 16)])
    @pytest.mark.parametrize("zeros", ["none", "packed"])
    def test_forms(self, bits, k, block, zeros):
        check("MatMulNBits", self.inputs(bits, k, block, zeros), K=k, N=6, bits=bits, block_size=block, forms=[True],
              atol=1e-3)

    def test_float_zero_points(self):
        check("MatMulNBits", self.inputs(4, 32, 16, "float"), K=32, N=6, bits=4, block_size=16, forms=[True], atol=1e-3)

    def test_bias(self):
        inputs = self.inputs(4, 32, 16, "packed") + [None, floats(6, seed=4)]
        check("MatMulNBits", inputs, K=32, N=6, bits=4, block_size=16, forms=[True], atol=1e-3)

    @pytest.mark.parametrize("zeros", ["none", "float"])
    def test_groups(self, zeros):
        groups = np.random.default_rng(0).integers(0, 2, 32).astype(np.int32)
        inputs = self.inputs(4, 32, 16, zeros) + [groups]
        check("MatMulNBits", inputs, K=32, N=6, bits=4, block_size=16, forms=[True], atol=1e-3)

    def test_groups_with_packed_zero_points_are_refused(self):
        inputs = self.inputs(4, 32, 16, "packed") + [np.zeros(32, np.int32)]
        model, feeds = node_model("MatMulNBits", inputs, K=32, N=6, bits=4, block_size=16)
        with pytest.raises(Exception, match="g_idx"):
            run_module(model, feeds)


class TestDynamicQuantizeLSTM:
    @pytest.mark.parametrize("steps", [3, 12])
    @pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
    @pytest.mark.parametrize("columns", [False, True])
    def test_directions(self, steps, direction, columns):
        d, hidden, size = 2 if direction == "bidirectional" else 1, 6, 5
        scale = [np.abs(floats(d, 4 * hidden, seed=s)) * 0.01 + 1e-3 if columns else np.full(d, 0.01, np.float32)
                 for s in (3, 4)]
        points = np.zeros(scale[0].shape, np.int8)
        inputs = [floats(steps, 2, size), bytes_(d, size, 4 * hidden, seed=1, dtype=np.int8) // 2,
                  bytes_(d, hidden, 4 * hidden, seed=2, dtype=np.int8) // 2, floats(d, 8 * hidden, seed=5), None,
                  floats(d, 2, hidden, seed=6), floats(d, 2, hidden, seed=7), None, scale[0], points, scale[1], points]
        check("DynamicQuantizeLSTM", inputs, 3, forms=[True], atol=1e-3, hidden_size=hidden, direction=direction)

    def inputs(self, batch, size, hidden, dtype=np.int8, zero=0, steps=12, scale=0.02):
        """Small weights: else a state on the edge between two steps would decide on all that follow."""
        weights = [bytes_(1, k, 4 * hidden, seed=k, dtype=np.int8) // 16 for k in (size, hidden)]
        scales, point = np.array([scale], np.float32), np.array([zero], dtype)
        w, r = ((v.astype(np.int16) + zero).astype(dtype) for v in weights)
        return [floats(steps, batch, size), w, r, floats(1, 8 * hidden, seed=5), None, None, None, None, scales, point,
                scales, point]

    @pytest.mark.parametrize("batch, hidden, dtype, zero", [
        (1, 256, np.int8, 0),    # large enough for products of bytes, where the processor has them
        (4, 144, np.int8, 0),
        (1, 300, np.int8, -3),   # more than float holds in one product
        (2, 40, np.uint8, 128),
        (2, 40, np.uint8, 9),
    ])  # fmt: skip
    def test_without_gradients_equals_the_body(self, batch, hidden, dtype, zero):
        given = self.inputs(batch, 20, hidden, dtype, zero)
        model, feeds = node_model("DynamicQuantizeLSTM", given, 3, True, hidden_size=hidden)
        expected = run_onnx_runtime(model, feeds)
        module = convert_onnx_to_fx(model).eval()
        assert [m.cell for m in module.modules() if hasattr(m, "cell")] == ["dynamic_quantize_lstm"]
        x = torch.from_numpy(feeds["i0"])
        recorded = module(x)
        assert recorded[0].requires_grad  # of the bias: so it is the body that ran
        with torch.no_grad():
            bare = module(x)
        for a, b, e in zip(recorded, bare, expected, strict=True):
            torch.testing.assert_close(b, a.detach(), atol=2e-6, rtol=1e-5)
            np.testing.assert_allclose(b.numpy(), e, atol=2e-3)

    def test_a_state_of_zeros_and_of_one_sign(self):
        given = self.inputs(2, 5, 16)
        for h in (np.zeros((1, 2, 16)), np.full((1, 2, 16), 0.7), np.full((1, 2, 16), -0.7)):
            given[5] = given[6] = h.astype(np.float32)
            check("DynamicQuantizeLSTM", given, 3, forms=[True], atol=1e-3, hidden_size=16)

    def test_what_watches_it_sees_the_body(self):
        model, feeds = node_model("DynamicQuantizeLSTM", self.inputs(2, 5, 16), 3, True, hidden_size=16)
        module, x = convert_onnx_to_fx(model).eval(), torch.from_numpy(feeds["i0"])
        with torch.no_grad():
            expected = module(x)
            same = lambda got: torch.testing.assert_close(got, expected, atol=2e-6, rtol=1e-5)  # noqa: E731
            same(torch.export.export(module, (x,)).module()(x))
            same(torch.compile(module, backend="aot_eager", fullgraph=True)(x))
            same(torch.jit.trace(module, (x,))(x))
            same(torch.func.functional_call(module, dict(module.named_parameters()), (x,)))
            torch.testing.assert_close(torch.func.vmap(module, in_dims=0)(x[None])[0][0], expected[0])
            same(torch.fx.symbolic_trace(module)(x))
            same(tuple(v.float() for v in module.double()(x.double())))
