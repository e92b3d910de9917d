"""Random models of shape arithmetic give what ONNX Runtime gives, at two sizes of their inputs.

A failure prints the model. More of them: python tests/fuzz/test_shape_models.py FIRST END.
"""

from __future__ import annotations

import sys
import time
import traceback

import numpy as np
import onnx.printer
import onnxruntime
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx
from shape_models import Model, shape_model

SEEDS = 400  # of the test; in blocks, so that one failure does not hide others
BLOCK = 50


def reference(model: Model) -> list[list[np.ndarray]]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.proto.SerializeToString(), options)
    return [session.run(None, feeds) for feeds in model.feeds]


def differences(model: Model, seed: int) -> list[str]:
    expected = reference(model)
    module = convert_onnx_to_fx(model.proto, dialect="aten" if seed % 2 else "nn")
    found = []
    for feeds, wanted in zip(model.feeds, expected):
        results = module(*(torch.from_numpy(a.copy()) for a in feeds.values()))
        results = results if isinstance(results, tuple) else (results,)
        for port, result, want in zip(model.proto.graph.output, results, wanted, strict=True):
            got = result.detach().numpy()
            same = got.dtype == want.dtype and got.shape == want.shape
            if same and want.dtype.kind == "f":
                same = np.allclose(got, want, 1e-5, 1e-6, equal_nan=True)
            elif same:
                same = np.array_equal(got, want)
            if not same:
                sizes = {name: a.shape for name, a in feeds.items()}
                found.append(
                    f"{port.name} for inputs of {sizes}: expected {want.dtype}{want.shape} "
                    f"{want.tolist()}, got {got.dtype}{got.shape} {got.tolist()}"
                )
    return found


def fault(seed: int) -> str:
    """The model of this seed and what is wrong with it; empty if nothing is."""
    model = shape_model(seed)
    try:
        found = differences(model, seed)
    except Exception:  # whatever it is, the model belongs to it
        found = [traceback.format_exc()]
    if not found:
        return ""
    return "\n".join([f"seed {seed}", onnx.printer.to_text(model.proto), *found])


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_models_give_what_onnx_runtime_gives(first):
    faults = [text for seed in range(first, first + BLOCK) if (text := fault(seed))]
    assert not faults, "\n\n".join(faults)


def main() -> None:
    first, end = map(int, sys.argv[1:])
    start, wrong = time.monotonic(), 0
    for seed in range(first, end):
        if text := fault(seed):
            wrong += 1
            print(text, "\n", flush=True)
    seconds = time.monotonic() - start
    print(f"{end - first} models, {wrong} with a fault, {seconds:.0f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
