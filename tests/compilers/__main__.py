"""Puts converted models of the zoo, and the originals, through compilers: `tools/compilers --help`."""

from __future__ import annotations

import argparse
import functools
import json
import logging
import multiprocessing
import os
import pathlib
import queue
import sys
import warnings
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE, RESULTS = ROOT / "docs/compilers.md", ROOT / "tests/compilers/results.json"
MODELS = ("mlp", "resnet", "mobilenet_v3", "vit", "unet", "lstm_tagger", "bert", "gpt2", "llama")
SLICE = ("mlp", "resnet")
SECONDS = 300


def parse() -> argparse.Namespace:
    from zoo.exports import FORMS

    from .cell import MEASURES
    from .consumers import CONSUMERS

    parser = argparse.ArgumentParser(prog="tools/compilers", description=__doc__)
    parser.add_argument("models", nargs="*", default=[*MODELS], metavar="MODEL", help=", ".join(MODELS))
    listed = lambda text: [*filter(None, text.split(","))]  # noqa: E731
    parser.add_argument("--forms", type=listed, default=[f for f in FORMS if f != "preserve"])
    parser.add_argument("--compilers", type=listed, default=[*CONSUMERS], help=", ".join(CONSUMERS))
    parser.add_argument("--measures", type=listed, default=[*MEASURES], help=", ".join(MEASURES))
    parser.add_argument("--sizes", type=listed, default=["static", "dynamic"])
    parser.add_argument("--slice", action="store_true", help=f"{' and '.join(SLICE)}, dynamic sizes, one form")
    parser.add_argument("--record", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    return parser.parse_args()


def work(answer: multiprocessing.Queue, subject: Any, dynamic: bool, column: str) -> None:
    import torch

    from . import cell

    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        measure = cell.MEASURES.get(column)
        answer.put(measure(subject, dynamic) if measure else cell.run(subject, dynamic, column))
    except BaseException as e:  # whatever a compiler raises is the result
        answer.put(f"FAIL {type(e).__name__}: {' '.join(str(e).split())[:160]}")


def result(*what: object) -> str:
    """In a process of its own, which may crash or hang."""
    context = multiprocessing.get_context("fork")
    answer: multiprocessing.Queue = context.Queue()
    process = context.Process(target=work, args=(answer, *what))
    process.start()
    try:
        for _ in range(SECONDS):
            try:
                return answer.get(timeout=1)
            except queue.Empty:
                if not process.is_alive() and answer.empty():
                    return f"FAIL ended with {process.exitcode}"
        return "FAIL time"
    finally:
        process.kill()
        process.join()


@functools.lru_cache(maxsize=4)
def subject_of(model: str, form: str) -> Any:
    """None: PyTorch's exporter refuses the model in this form."""
    from zoo import exports
    from zoo.models import BY_NAME
    from zoo.subject import subject

    try:
        return subject(BY_NAME[model], form)
    except exports.NoExport:
        return None


def rows(a: argparse.Namespace):
    """(model, sizes, form), the original before what is made of it."""
    models = SLICE if a.slice else a.models
    for model in models:
        for form in ("original", *(a.forms[:1] if a.slice else a.forms)):
            for dynamic in (True,) if a.slice else [s == "dynamic" for s in a.sizes]:
                yield model, dynamic, form


def page(results: dict[str, dict[str, str]], sections: str) -> str:
    """`sections`: what stands below the table."""
    from .cell import MEASURES
    from .consumers import CONSUMERS

    lines = [
        "# Compilers", "",
        "Written by `tools/compilers --record`; do not edit the table. Models of the zoo, converted with `dialect=\"aten\"`,",
        "put through `onnx_to_fx.lift` (dynamic sizes) or `torch.export` (static ones) and then each compiler, beside the",
        "original module through `torch.export`.", "",
        "* `runs`: its numbers are the original's (1e-4); `lowers`: to linalg on tensors; `o`: fails as the original does;",
        "  `FAIL`: the original does not.",
        "* `ops`: calls after `run_decompositions()`. `seconds`: of the processor, from the module to the",
        "  `ExportedProgram`. `MLIR`: kilobytes of text in the torch dialect with the weights, and without.", "",
        f"| model | sizes | form | {' | '.join([*MEASURES, *CONSUMERS])} |",
        "|---|---|---|" + "---:|" * len(MEASURES) + "---|" * len(CONSUMERS),
    ]  # fmt: skip
    order = lambda key: (key.rpartition("/")[0], not key.endswith("/original"), key)  # noqa: E731
    for key in sorted(results, key=order):
        cells, (model, sizes, form) = results[key], key.split("/")
        original = results.get(f"{model}/{sizes}/original", {})
        shown = []
        for name in (*MEASURES, *CONSUMERS):
            text = cells.get(name, "")
            failed = text.startswith("FAIL")
            as_original = failed and original.get(name, "").startswith("FAIL") and form != "original"
            shown.append("o" if as_original else "FAIL" if failed else text)
        lines.append(f"| {model} | {sizes} | {form} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n" + sections


def main() -> int:
    a = parse()
    import torch.export  # noqa: F401
    import zoo.subject  # noqa: F401

    results = json.loads(RESULTS.read_text()) if RESULTS.exists() and a.record else {}
    wrong = 0
    for model, dynamic, form in rows(a):
        key = f"{model}/{'dynamic' if dynamic else 'static'}/{form}"
        cells = results.setdefault(key, {})
        subject = subject_of(model, form)
        for column in (*a.measures, *a.compilers):
            cells[column] = result(subject, dynamic, column) if subject else "no export"
        original = results.get(f"{key.rpartition('/')[0]}/original", cells)
        columns = [*a.measures, *a.compilers]
        wrong += sum(cells[c].startswith("FAIL") and not original[c].startswith("FAIL") for c in columns)
        print(f"{key:36} {'  '.join(f'{k}: {v}' for k, v in cells.items())}", flush=True)
        if a.record:
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
            _, heading, below = PAGE.read_text().partition("\n## ")
            PAGE.write_text(page(results, heading + below))
    print(f"{wrong} cells fail where the original passes")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
