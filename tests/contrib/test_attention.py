"""Attention ops of com.microsoft, one node each, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
from one_node import check, compare, floats, node_model, run_module, run_onnx_runtime

B, S, N, H = 2, 5, 3, 8


def masks():
    raw = np.array([[1] * S, [1, 1, 1, 0, 0]], np.int32)
    return {
        "none": None,
        "raw": raw,
        "by_query": np.random.default_rng(3).integers(0, 2, (B, S, S)).astype(np.int32),
        "lengths": np.array([S, 3], np.int32),
        "ends_and_starts": np.array([S, 4, 0, 1], np.int32),
    }


class TestAttention:
    def inputs(self, mask=None, past=None, bias=None, sizes=(N * H,) * 3):
        weight, offset = floats(12, sum(sizes), seed=1, scale=0.3), floats(sum(sizes), seed=2)
        return [floats(B, S, 12), weight, offset, mask, past, bias]

    @pytest.mark.parametrize("causal", [0, 1])
    @pytest.mark.parametrize("kind", list(masks()))
    def test_masks(self, kind, causal):
        check("Attention", self.inputs(masks()[kind]), num_heads=N, unidirectional=causal)

    @pytest.mark.parametrize("kind", list(masks()))
    def test_sizes_known_at_run_time(self, kind):
        check("Attention", self.inputs(masks()[kind]), num_heads=N, dynamic=(0, 1))

    def test_other_lengths_are_refused(self):
        model, feeds = node_model("Attention", self.inputs(np.zeros(3 * B + 2, np.int32)), num_heads=N)
        with pytest.raises(Exception, match="one or two elements for each sample"):
            run_module(model, feeds)

    @pytest.mark.parametrize("causal", [0, 1])
    def test_past(self, causal):
        past = floats(2, B, N, 4, H, seed=5)
        mask = np.ones((B, S + 4), np.int32)
        mask[0, :3] = 0
        check("Attention", self.inputs(None, past), 2, num_heads=N, unidirectional=causal)
        check("Attention", self.inputs(mask, past), 2, num_heads=N, unidirectional=causal)

    @pytest.mark.parametrize("shape", [(B, N, S, S), (1, N, S, S), (1, 1, S, S)])
    def test_bias(self, shape):
        check("Attention", self.inputs(masks()["raw"], None, floats(*shape, seed=4)), num_heads=N)

    def test_attributes(self):
        check("Attention", self.inputs(masks()["raw"]), num_heads=N, scale=0.2, mask_filter_value=-2.0)
        check("Attention", self.inputs(sizes=(24, 24, 12)), num_heads=N, qkv_hidden_sizes=[24, 24, 12])

    def test_shared_buffer_is_refused(self):
        model, feeds = node_model("Attention", self.inputs(), num_heads=N, past_present_share_buffer=1)
        with pytest.raises(Exception, match="past_present_share_buffer"):
            run_module(model, feeds)


class TestMultiHeadAttention:
    def inputs(self, keys=S, **more):
        inputs = [floats(B, S, N * H), floats(B, keys, N * H, seed=1), floats(B, keys, N * H, seed=2)] + [None] * 5
        for name, value in more.items():
            at = ["bias", "mask", "attention_bias", "past_key", "past_value"].index(name) + 3
            inputs[at] = value
        return inputs

    @pytest.mark.parametrize("causal", [0, 1])
    @pytest.mark.parametrize("kind", ["none", "raw", "by_query", "lengths"])
    def test_masks(self, kind, causal):
        check("MultiHeadAttention", self.inputs(mask=masks()[kind]), num_heads=N, unidirectional=causal)

    def test_bias(self):
        check("MultiHeadAttention", self.inputs(bias=floats(3 * N * H, seed=3)), 3, num_heads=N)
        check("MultiHeadAttention", self.inputs(attention_bias=floats(1, N, S, S, seed=3)), num_heads=N, scale=0.3)

    def test_cross(self):
        check("MultiHeadAttention", self.inputs(keys=7, bias=floats(3 * N * H, seed=3)), num_heads=N)
        inputs = [floats(B, S, N * H), floats(B, N, 7, H, seed=1), floats(B, N, 7, H, seed=2)]
        check("MultiHeadAttention", inputs, num_heads=N)

    def test_other_size_of_values(self):
        inputs = [floats(B, S, N * H), floats(B, S, N * H, seed=1), floats(B, S, N * 4, seed=2)]
        check("MultiHeadAttention", inputs, num_heads=N)

    @pytest.mark.parametrize("causal", [0, 1])
    def test_past(self, causal):
        past = {"past_key": floats(B, N, 4, H, seed=4), "past_value": floats(B, N, 4, H, seed=5)}
        check("MultiHeadAttention", self.inputs(**past), 3, num_heads=N, unidirectional=causal)
        mask = np.ones((B, S + 4), np.int32)
        mask[0, :3] = 0
        check("MultiHeadAttention", self.inputs(mask=mask, **past), 3, num_heads=N, unidirectional=causal)

    def test_scores(self):
        check("MultiHeadAttention", self.inputs(mask=masks()["raw"]), 4, num_heads=N, types={3: 1})

    def test_packed(self):
        """ONNX Runtime's CPU kernel refuses packed operands: the same as unpacked ones."""
        q, k, v = (floats(B, S, N, H, seed=s) for s in range(3))
        model, feeds = node_model("MultiHeadAttention", [x.reshape(B, S, -1) for x in (q, k, v)], num_heads=N)
        expected = run_onnx_runtime(model, feeds)
        check("MultiHeadAttention", [np.stack([q, k, v], 3)], expected=expected, num_heads=N)
        check("MultiHeadAttention", [q.reshape(B, S, -1), np.stack([k, v], 3)], expected=expected, num_heads=N)


class TestGroupQueryAttention:
    def inputs(self, length, past, total, kv=1, packed=False, room=None, lengths=None, **more):
        batch = 1 if length > 1 and past else B  # more is too much for ONNX Runtime's CPU kernel
        q = floats(batch, length, N * 16)
        k, v = (floats(batch, length, kv * 16, seed=s) for s in (1, 2))
        cache = [floats(batch, kv, room or past, 16, seed=s) for s in (3, 4)] if room or past else [None, None]
        for c in cache:
            if c is not None:
                c[:, :, past:] = 0
        lengths = np.array([total - 1] * batch if lengths is None else lengths, np.int32)
        inputs = [np.concatenate([q, k, v], -1), None, None] if packed else [q, k, v]
        inputs += [*cache, lengths, np.array(total, np.int32)] + [None] * 9
        names = ["cos", "sin", "positions", "bias", "sink", "k_scale", "v_scale", "q_norm", "k_norm"]
        for name, value in more.items():
            inputs[7 + names.index(name)] = value
        while inputs[-1] is None:
            inputs.pop()
        return inputs

    def check(self, inputs, outputs=3, kv=1, **attributes):
        check("GroupQueryAttention", inputs, outputs, num_heads=N, kv_num_heads=kv, **attributes)

    def tables(self):
        return {"cos": floats(20, 8, seed=6), "sin": floats(20, 8, seed=7)}

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize("kv", [1, 3])
    def test_prompt(self, kv, packed):
        self.check(self.inputs(S, 0, S, kv, packed), kv=kv)

    @pytest.mark.parametrize("length, past", [(5, 0), (1, 4)])
    def test_sizes_known_at_run_time(self, length, past):
        inputs = self.inputs(length, past, past + length, **self.tables())
        self.check(inputs, do_rotary=1, dynamic=(0, 1), local_window_size=3)

    @pytest.mark.parametrize("length", [1, 3])
    def test_past(self, length):
        self.check(self.inputs(length, 4, 4 + length))

    def test_past_in_a_longer_buffer(self):
        self.check(self.inputs(1, 4, 5, room=9))

    @pytest.mark.parametrize("interleaved", [0, 1])
    @pytest.mark.parametrize("length, past", [(5, 0), (1, 4), (3, 4)])
    def test_rotary(self, length, past, interleaved):
        inputs = self.inputs(length, past, past + length, **self.tables())
        self.check(inputs, do_rotary=1, rotary_interleaved=interleaved)
        places = np.tile(np.arange(past, past + length), (1 if length > 1 and past else B, 1))
        self.check(self.inputs(length, past, past + length, positions=places, **self.tables()), do_rotary=1)

    def test_samples_of_different_lengths(self):
        inputs = self.inputs(1, 6, 7, room=6, lengths=[6, 3])
        model, feeds = node_model("GroupQueryAttention", inputs, 3, num_heads=N, kv_num_heads=1)
        compare(run_module(model, feeds)[:1], run_onnx_runtime(model, feeds)[:1])

    @pytest.mark.parametrize("length, past", [(5, 0), (1, 6), (3, 4)])
    @pytest.mark.parametrize("attributes", [
        {"local_window_size": 2}, {"softcap": 2.0}, {"scale": 0.3}, {"smooth_softmax": 1}, {"causal": 0},
    ])
    def test_attributes(self, attributes, length, past):
        self.check(self.inputs(length, past, past + length), **attributes)

    @pytest.mark.parametrize("length, past", [(5, 0), (1, 6)])
    def test_bias_and_sink(self, length, past):
        total = length + past
        self.check(self.inputs(length, past, total, bias=floats(1, N, length, total, seed=8)))
        self.check(self.inputs(length, past, total, bias=floats(1, N, length, total, seed=8)), softcap=2.0)
        self.check(self.inputs(length, past, total, sink=floats(N, seed=9)))

    def test_normalized_heads(self):
        """ONNX Runtime's CPU kernel has no norm of its own: it gets heads that are normalized already."""
        weights = {"q_norm": floats(16, seed=8), "k_norm": floats(16, seed=9)}
        plain = self.inputs(S, 0, S)
        for i, weight in enumerate(weights.values()):
            heads = plain[i].reshape(B, S, -1, 16)
            deviation = np.sqrt((heads**2).mean(-1, keepdims=True) + 1e-6)
            plain[i] = (heads / deviation * weight).reshape(plain[i].shape)
        model, feeds = node_model("GroupQueryAttention", plain, 3, num_heads=N, kv_num_heads=1)
        self.check(self.inputs(S, 0, S, **weights), expected=run_onnx_runtime(model, feeds))

    def test_quantized_cache_is_refused(self):
        model, feeds = node_model("GroupQueryAttention", self.inputs(S, 0, S), 3, num_heads=N, kv_num_heads=1,
                                  k_quant_type="PER_TENSOR")
        with pytest.raises(Exception, match="k_quant_type"):
            run_module(model, feeds)
