"""Converts two trained models with the command line, compares them with ONNX Runtime, fine-tunes one."""

from __future__ import annotations

import importlib.util
import pathlib
import subprocess
import sys
import time

import numpy as np
import onnxruntime
import torch
from wheels import ROOT, model

ONNX2FX = ROOT / ".venv/bin/onnx2fx"


def convert(path: pathlib.Path, folder: pathlib.Path) -> torch.fx.GraphModule:
    start = time.monotonic()
    subprocess.run([ONNX2FX, path, "-o", folder], check=True)
    print(f"  onnx2fx {path.name} -o {folder}: {1000 * (time.monotonic() - start):.0f} ms")
    spec = importlib.util.spec_from_file_location(folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    package = importlib.util.module_from_spec(spec)
    sys.modules[folder.name] = package
    spec.loader.exec_module(package)
    module = package.load()
    assert isinstance(module, torch.fx.GraphModule)
    calls = sum(n.op.startswith("call") for n in module.graph.nodes)
    print(f"  {calls} calls, {sum(p.numel() for p in module.parameters()):,} trainable numbers")
    return module


def compare(path: pathlib.Path, module: torch.fx.GraphModule, x: np.ndarray) -> None:
    module.eval()
    session = onnxruntime.InferenceSession(path)
    expected = session.run(None, {session.get_inputs()[0].name: x})[0]
    with torch.no_grad():
        difference = np.abs(module(torch.from_numpy(x)).numpy() - expected).max()
    print(f"  max abs difference from ONNX Runtime: {difference:.2e}")
    if not difference <= 1e-4:
        sys.exit("the difference is larger than 1e-4")


def fine_tune(module: torch.fx.GraphModule, x: torch.Tensor, labels: torch.Tensor, steps: int = 8) -> None:
    """A few SGD steps on one batch; the outputs are probabilities."""
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.002)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.nll_loss(module(x).clamp_min(1e-9).log(), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("  loss: " + " ".join(f"{x:.4f}" for x in losses))
    if not losses[-1] < losses[0]:
        sys.exit("the loss did not fall")


def main(out: pathlib.Path) -> None:
    random = np.random.RandomState(0)

    print("magika: which type a file has, from its bytes")
    path = model("magika", "magika/models/standard_v3_3/model.onnx")
    magika = convert(path, out / "magika")
    compare(path, magika, random.randint(0, 257, (4, 2048)).astype(np.int32))

    print("PaddleOCR: is a line of text upside down")
    path = model("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx")
    classifier = convert(path, out / "text_direction")
    images = random.rand(8, 3, 48, 192).astype(np.float32)
    compare(path, classifier, images)
    fine_tune(classifier, torch.from_numpy(images), torch.tensor([0, 1] * 4))
    torch.save(classifier.state_dict(), out / "text_direction.pt")
    print(f"  state dict of {len(classifier.state_dict())} tensors saved to {out / 'text_direction.pt'}")


if __name__ == "__main__":
    torch.manual_seed(0)
    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    target.mkdir(parents=True, exist_ok=True)
    main(target)
