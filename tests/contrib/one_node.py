"""Models of one node, run in ONNX Runtime and in the converted module."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from onnx_to_fx import convert_onnx_to_fx

DOMAIN = "com.microsoft"


def floats(*shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def bytes_(*shape, seed=0, dtype=np.uint8):
    low, high = (0, 256) if dtype == np.uint8 else (-128, 128)
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def scalar(value, dtype=np.float32):
    return np.array(value, dtype)


def node_model(op, inputs, outputs=1, weights=False, domain=DOMAIN, onnx_opset=21, dynamic=(), types=(), **attributes):
    """inputs: arrays, None for omitted ones; weights: all but the first present one are initializers.

    outputs: a number, or a list of bools, which ones are there. dynamic: axes of the first input whose extents
    the model does not say; types: of outputs (by position) that ONNX Runtime cannot infer.
    """
    names = [f"i{k}" if a is not None else "" for k, a in enumerate(inputs)]
    present = [(n, a) for n, a in zip(names, inputs) if a is not None]
    wanted = [True] * outputs if isinstance(outputs, int) else outputs
    results = [f"o{k}" if w else "" for k, w in enumerate(wanted)]
    node = helper.make_node(op, names, results, name=op, domain=domain, **attributes)
    free = present[:1] if weights else present

    def port(name, a):
        shape = [f"{name}_{i}" if i in dynamic and name == "i0" else s for i, s in enumerate(a.shape)]
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), shape)

    def result(name, dtype):
        return helper.make_tensor_value_info(name, dtype, None) if dtype else onnx.ValueInfoProto(name=name)

    graph = helper.make_graph(
        [node], "graph", [port(*p) for p in free],
        [result(r, dict(types).get(k)) for k, r in enumerate(results) if r],
        [numpy_helper.from_array(a, n) for n, a in present[len(free):]],
    )
    opsets = [helper.make_opsetid("", onnx_opset), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), dict(free)


def run_onnx_runtime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model if isinstance(model, str) else model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    ).run(None, feeds)


def run_module(model, feeds):
    module = convert_onnx_to_fx(model).eval()
    with torch.no_grad():
        got = module(*(torch.from_numpy(np.ascontiguousarray(f)) for f in feeds.values()))
    return [g.detach().numpy() for g in (got if isinstance(got, tuple) else (got,))]


def compare(got, expected, atol=1e-4, steps=0):
    """Floats within atol, integers within `steps`."""
    assert len(got) == len(expected)
    for g, e in zip(got, expected):
        assert g.shape == e.shape and g.dtype == e.dtype
        if np.issubdtype(e.dtype, np.floating):
            np.testing.assert_allclose(g, e, rtol=1e-4, atol=atol)
        else:
            assert np.abs(g.astype(np.int64) - e.astype(np.int64)).max(initial=0) <= steps


def check(op, inputs, outputs=1, atol=1e-4, steps=0, forms=(False, True), expected=None, **options):
    """Both with all inputs at run time and with all but the first as initializers."""
    for weights in forms:
        model, feeds = node_model(op, inputs, outputs, weights, **options)
        want = run_onnx_runtime(model, feeds) if expected is None else expected
        compare(run_module(model, feeds), want, atol, steps)
