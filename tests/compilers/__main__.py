"""Puts converted models of the zoo, and the originals, through compilers: `tools/compilers --help`."""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import pathlib
import queue
import sys
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE, RESULTS = ROOT / "docs/compilers.md", ROOT / "tests/compilers/results.json"
MODELS = ("mlp", "resnet", "mobilenet_v3", "vit", "unet", "lstm_tagger", "bert", "gpt2", "llama")
SLICE = ("mlp", "resnet")
SECONDS = 300


def parse() -> argparse.Namespace:
    from zoo.exports import FORMS

    from .consumers import CONSUMERS

    parser = argparse.ArgumentParser(prog="tools/compilers", description=__doc__)
    parser.add_argument("models", nargs="*", default=[*MODELS], metavar="MODEL", help=", ".join(MODELS))
    listed = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--forms", type=listed, default=[f for f in FORMS if f != "preserve"])
    parser.add_argument("--compilers", type=listed, default=[*CONSUMERS], help=", ".join(CONSUMERS))
    parser.add_argument("--slice", action="store_true", help=f"{' and '.join(SLICE)}, dynamic sizes, one form")
    parser.add_argument("--record", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    return parser.parse_args()


def work(answer: multiprocessing.Queue, model: str, form: str, dynamic: bool, compiler: str) -> None:
    import torch
    from zoo import exports
    from zoo.models import BY_NAME
    from zoo.subject import subject

    from . import cell

    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        s = subject(BY_NAME[model], form)
        answer.put(str(cell.operations(s, dynamic)) if compiler == "ops" else cell.run(s, dynamic, compiler))
    except exports.NoExport:
        answer.put("no export")
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


def rows(a: argparse.Namespace):
    """(model, sizes, form), the original before what is made of it."""
    models = SLICE if a.slice else a.models
    for model in models:
        for dynamic in (True,) if a.slice else (False, True):
            for form in ("original", *(a.forms[:1] if a.slice else a.forms)):
                yield model, dynamic, form


def page(results: dict[str, dict[str, str]], compilers: list[str]) -> str:
    lines = [
        "# Compilers", "",
        "Written by `tools/compilers --record`; do not edit the table. Models of the zoo, converted with `dialect=\"aten\"`,",
        "through `torch.export` and then each compiler, beside the original module. `runs`: its numbers are the original's",
        "(1e-4); `lowers`: to linalg on tensors; `o`: fails as the original does; `FAIL`: the original does not. `ops`: calls",
        "after `run_decompositions()`.", "",
        f"| model | sizes | form | ops | {' | '.join(compilers)} |", "|---|---|---|---:|" + "---|" * len(compilers),
    ]  # fmt: skip
    for key, cells in results.items():
        model, sizes, form = key.split("/")
        original = results.get(f"{model}/{sizes}/original", {})
        shown = []
        for name in ("ops", *compilers):
            text = cells.get(name, "")
            failed = text.startswith("FAIL")
            as_original = failed and original.get(name, "").startswith("FAIL") and form != "original"
            shown.append("o" if as_original else "FAIL" if failed else text)
        lines.append(f"| {model} | {sizes} | {form} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    a = parse()
    import torch.export  # noqa: F401
    import zoo.subject  # noqa: F401

    results = json.loads(RESULTS.read_text()) if RESULTS.exists() and a.record else {}
    wrong = 0
    for model, dynamic, form in rows(a):
        key = f"{model}/{'dynamic' if dynamic else 'static'}/{form}"
        cells = results.setdefault(key, {})
        for compiler in ("ops", *a.compilers):
            cells[compiler] = result(model, form, dynamic, compiler)
        original = results.get(f"{key.rpartition('/')[0]}/original", cells)
        bad = [c for c in a.compilers if cells[c].startswith("FAIL") and not original[c].startswith("FAIL")]
        wrong += len(bad)
        print(f"{key:36} {'  '.join(f'{k}: {v}' for k, v in cells.items())}", flush=True)
        if a.record:
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            PAGE.parent.mkdir(exist_ok=True)
            PAGE.write_text(page(results, a.compilers))
    print(f"{wrong} cells fail where the original passes")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
