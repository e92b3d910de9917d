"""Recurrent layers that ATen has no operator for, a forward of each beside ONNX Runtime's, as ratios.

    tools/bench/recurrent [--repeat N] [PATTERN]

CPU time of one thread a step, without gradients; both alternate in one process, the least of N runs counts.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import re
import time
from typing import Any, Callable

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from onnx_to_fx import convert_onnx_to_fx

SIZES = [(40, 1, 64), (100, 1, 128), (400, 1, 256), (100, 1, 512), (40, 8, 64), (100, 8, 128), (100, 4, 256), (100, 8, 512)]
GATES = {"LSTM": 4, "GRU": 3, "DynamicQuantizeLSTM": 4}


def layer(op: str, inputs: dict[str, np.ndarray], **attributes: Any) -> Callable[[int, int, int], onnx.ModelProto]:
    """A model of one node by its steps, batch and hidden size, which is the size of its inputs, too."""

    def model(steps: int, batch: int, hidden: int) -> onnx.ModelProto:
        random, gates = np.random.default_rng(0), GATES[op] * hidden
        if op == "DynamicQuantizeLSTM":
            w, r = (random.integers(-8, 8, (1, hidden, gates)).astype(np.int8) for _ in range(2))
        else:
            w, r = ((random.standard_normal((1, gates, hidden)) / hidden).astype(np.float32) for _ in range(2))
        named = {"w": w, "r": r, "b": random.standard_normal((1, 2 * gates)).astype(np.float32) / 9}
        named |= {k: v(batch, hidden, steps) for k, v in inputs.items()}
        order = {"DynamicQuantizeLSTM": ["w", "r", "b", "", "", "", "", "ws", "z", "rs", "z"]}
        names = order.get(op, ["w", "r", "b", "lengths", "", "", "peepholes"])
        names = [n if n in named else "" for n in names]
        while not names[-1]:
            names.pop()
        domain = "com.microsoft" if op.startswith("Dynamic") else ""
        node = helper.make_node(op, ["x", *names], ["y"], domain=domain, hidden_size=hidden, **attributes)
        port = helper.make_tensor_value_info
        graph = helper.make_graph(
            [node], "layer", [port("x", 1, [steps, batch, hidden])], [port("y", 1, [steps, 1, batch, hidden])],
            [numpy_helper.from_array(v, k) for k, v in named.items()],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    return model


def constant(value: float, dtype: type) -> Callable[..., np.ndarray]:
    return lambda *_: np.array([value], dtype)


LAYERS = {
    "DynamicQuantizeLSTM": layer(
        "DynamicQuantizeLSTM",
        {"ws": constant(0.02, np.float32), "rs": constant(0.02, np.float32), "z": constant(0, np.int8)},
    ),
    "LSTM, lengths": layer("LSTM", {"lengths": lambda n, h, t: np.full(n, t - 1, np.int32)}),
    "LSTM, peepholes": layer("LSTM", {"peepholes": lambda n, h, t: np.full((1, 3 * h), 0.1, np.float32)}),
    "LSTM, clip": layer("LSTM", {}, clip=3.0),
    "GRU, reset before": layer("GRU", {}),
}


def least(calls: dict[str, Callable[[], Any]], repeat: int) -> dict[str, float]:
    times: dict[str, float] = {}
    for call, _ in itertools.product(calls.values(), range(2)):
        call()
    for _, (name, call) in itertools.product(range(repeat), calls.items()):
        start = time.process_time()
        call()
        times[name] = min(times.get(name, 1e9), time.process_time() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("pattern", nargs="?", default="")
    given = parser.parse_args()
    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    print(f"{'layer':20} {'steps':>5} {'batch':>5} {'hidden':>6}  {'ours, us a step':>15} {'ONNX Runtime':>12} {'ratio':>6}")
    for name, make in LAYERS.items():
        for steps, batch, hidden in SIZES if re.search(given.pattern, name) else ():
            model = make(steps, batch, hidden)
            module = convert_onnx_to_fx(model).eval()
            session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            x = np.random.default_rng(1).standard_normal((steps, batch, hidden)).astype(np.float32)
            given_x = torch.from_numpy(x)
            with torch.no_grad():
                run = functools.partial
                cost = least({"ours": run(module, given_x), "theirs": run(session.run, None, {"x": x})}, given.repeat)
            ours, theirs = (1e6 * cost[k] / steps for k in ("ours", "theirs"))
            print(f"{name:20} {steps:5} {batch:5} {hidden:6}  {ours:15.1f} {theirs:12.1f} {ours / theirs:6.1f}", flush=True)


if __name__ == "__main__":
    main()
