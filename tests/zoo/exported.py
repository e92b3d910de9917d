"""The zoo's slice as the pinned torch exported it, tried with another torch: values, gradients, torch.export.

    python -m zoo.exported --write FOLDER   # with the pinned torch: the models, inputs and what the originals return
    python tests/zoo/exported.py FOLDER     # with any
"""

from __future__ import annotations

import pathlib
import sys
import warnings

import numpy as np
import torch


def write(folder: pathlib.Path) -> None:
    from . import exports
    from .models import MODELS
    from .subject import subject

    folder.mkdir(parents=True, exist_ok=True)
    for model in (m for m in MODELS if m.slice):
        s = subject(model, model.slice)
        truth = s.truth()
        arrays = {f"input{i}": a.numpy() for i, a in enumerate(s.args())}
        outputs = truth if isinstance(truth, (tuple, list)) else [truth]
        arrays.update((f"output{i}", a.numpy()) for i, a in enumerate(outputs))
        (folder / f"{model.name}.onnx").write_bytes(exports.exported(model, model.slice).read_bytes())
        np.savez(folder / f"{model.name}.npz", **arrays)


def _numbered(arrays: np.lib.npyio.NpzFile, name: str) -> list[torch.Tensor]:
    return [torch.from_numpy(arrays[f"{name}{i}"]) for i in range(sum(k.startswith(name) for k in arrays))]


def check(path: pathlib.Path) -> None:
    """Raises where the module differs, has no gradient, or is not exported."""
    from onnx_to_fx import convert_onnx_to_fx

    module = convert_onnx_to_fx(path).eval()
    arrays = np.load(path.with_suffix(".npz"))
    inputs, expected = _numbered(arrays, "input"), _numbered(arrays, "output")
    got = module(*inputs)
    got = got if isinstance(got, (tuple, list)) else [got]
    torch.testing.assert_close(list(got), expected, rtol=1e-4, atol=1e-5)
    sum(y.sum() for y in got if y.is_floating_point()).backward()
    if bad := [n for n, p in module.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]:
        raise ValueError(f"expected finite gradients, got others of {bad}")
    with torch.no_grad():
        program = torch.export.export(module, tuple(inputs))
        again = program.module()(*inputs)
    again = again if isinstance(again, (tuple, list)) else [again]
    torch.testing.assert_close(list(again), expected, rtol=1e-4, atol=1e-5)


def main(folder: pathlib.Path) -> int:
    warnings.simplefilter("ignore")
    failed = 0
    paths = sorted(folder.glob("*.onnx"))
    for path in paths:
        try:
            check(path)
        except Exception as e:  # of torch or ours: it is the result
            failed += 1
            print(f"FAILED {path.stem}: {type(e).__name__}: {str(e)[:300]}")
    print(f"{len(paths) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    *option, folder = sys.argv[1:]
    sys.exit(write(pathlib.Path(folder)) if option else main(pathlib.Path(folder)))
