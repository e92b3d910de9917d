"""See `tools/zoo --help`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.setrecursionlimit(5000)

from . import cells, columns, exports, lines, results, round_trip  # noqa: E402
from .models import BY_NAME, MODELS, Model  # noqa: E402
from .subject import subject  # noqa: E402


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/zoo", description=__doc__)
    parser.add_argument("models", nargs="*", help="all by default")
    listed = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--forms", type=listed, default=[*exports.FORMS], help="of " + ", ".join(exports.FORMS))
    parser.add_argument("--columns", type=listed, help="a group of columns by any of its names")
    parser.add_argument("--quick", action="store_true", help="the quick columns only")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="the limit of a group of columns")
    parser.add_argument("--again", action="store_true", help="also what has a result of this build")
    parser.add_argument("--slice", action="store_true", help="the eight models of tools/test, in one form each")
    parser.add_argument("--check", action="store_true", help="fail where it differs from what was recorded")
    parser.add_argument("--record", action="store_true", help="write results.json and RESULTS.md")
    parser.add_argument("--round-trip", action="store_true", help="ONNX's backend suite there and back instead")
    parser.add_argument("--match", default="", metavar="REGEX", help="of the suite's cases")
    parser.add_argument("--lines", action="store_true", help="write the table of lines into docs/authors-modules.md instead")
    parser.add_argument("--list", action="store_true", help="print models and columns")
    return parser.parse_args(arguments)


def chosen_groups(a: argparse.Namespace) -> list[columns.Group]:
    groups = [g for g in columns.load() if not a.quick or g.quick]
    known = {c for g in columns.load() for c in g.columns}
    for name in a.columns or []:
        if name not in known:
            raise SystemExit(f"tools/zoo: column {name!r}: expected one of {', '.join(sorted(known))}")
    return [g for g in groups if not a.columns or set(a.columns) & set(g.columns)]


def chosen_subjects(a: argparse.Namespace) -> list[tuple[Model, str]]:
    """(model, form); without the originals, which run before the forms of each."""
    if a.slice:
        return [(m, m.slice) for m in chosen_models(a) if m.slice]
    return [(m, f) for m in chosen_models(a) for f in a.forms]


def chosen_models(a: argparse.Namespace) -> list[Model]:
    for name in a.models:
        if name not in BY_NAME:
            raise SystemExit(f"tools/zoo: model {name!r}: expected one of {', '.join(BY_NAME)}")
    return [m for m in MODELS if not a.models or m.name in a.models]


def preload(models: list[Model]) -> None:
    """What every forked process needs, once."""
    import onnxruntime
    import onnxscript  # noqa: F401
    import torch
    import torch._dynamo
    import torch._inductor.compile_fx  # noqa: F401
    import torch.onnx  # noqa: F401

    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)  # fused, and only without gradients
    # that torchvision is not installed
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    onnxruntime.set_default_logger_severity(4)
    import onnx_to_fx  # noqa: F401

    for m in models:
        __import__(f"zoo.networks.{m.network.split('.')[0]}")
    warm()


def warm() -> None:
    """What torch imports and builds at the first call of each tracer: seconds that every cell would pay."""
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    linear, x = torch.nn.Linear(2, 2), torch.randn(2, 2)
    with torch.no_grad(), exports.silence(), tempfile.NamedTemporaryFile() as f:
        make_fx(torch.relu, tracing_mode="fake")(x)
        torch.jit.trace(linear, x)
        torch.compile(linear, backend="aot_eager", dynamic=True)(x)
        torch.export.save(torch.export.export(linear, (x,)), f.name)
        torch.onnx.export(linear, (x,), f.name, dynamo=True, verbose=False, dynamic_shapes=({0: "n"},))
    torch._dynamo.reset()


def applicable(model: Model, form: str, groups: list[columns.Group]) -> list[columns.Group]:
    return [g for g in groups if not (g.own and form == exports.ORIGINAL) and (model.wide or not g.wide)]


def run_subject(model: Model, form: str, groups: list[columns.Group], a: argparse.Namespace) -> None:
    """In a process of its own; the results are in their file after each group."""
    store = results.Store(model, form)
    wanted = [g for g in applicable(model, form, groups) if a.again or not store.has(g)]
    if not wanted:
        return
    start = time.monotonic()
    try:
        s = subject(model, form)
    except exports.NoExport as e:
        store.refuse(str(e))
        print(f"{model.name:16} {form:12} no export: {str(e)[:150]!r}", flush=True)
        return
    failed = []
    for g in wanted:
        got = cells.run(g, s, a.seconds)
        store.put(g, got)
        failed += [f"{c} ({v['kind'][:60]})" for c, v in got.items() if v["status"] not in ("ok", "skip")]
    text = "; ".join(failed) or "all pass"
    print(f"{model.name:16} {form:12} {time.monotonic() - start:4.0f} s  {text}", flush=True)


def run_all(subjects: list[tuple[Model, str]], groups: list[columns.Group], a: argparse.Namespace) -> None:
    pending = []
    for model, form in subjects:
        if (model, exports.ORIGINAL) not in pending:
            pending.append((model, exports.ORIGINAL))
        pending.append((model, form))
    running: list = []
    while pending or running:
        while pending and len(running) < a.jobs:
            model, form = pending.pop(0)
            process = cells.FORK.Process(
                target=run_subject, args=(model, form, groups, a), name=f"{model.name} {form}"
            )
            process.start()
            running.append(process)
        time.sleep(0.02)
        for process in [p for p in running if not p.is_alive()]:
            running.remove(process)
            if process.exitcode:
                print(f"{process.name}: ended with {process.exitcode}", flush=True)


def main() -> int:
    a = parse()
    if a.list:
        print("\n".join(f"{m.name:18} {m.network:28} {m.inputs}" for m in MODELS))
        for g in columns.load():
            print(f"{', '.join(g.columns):38} {(g.function.__doc__ or '').splitlines()[0] if g.function.__doc__ else ''}")
        return 0
    if a.lines:
        preload([BY_NAME[n] for n in lines.MODELS])
        lines.write()
        return 0
    if a.round_trip:
        preload([])
        round_trip.run(a.match, a.again)
        if a.record:
            round_trip.record()
        return 0
    subjects, groups = chosen_subjects(a), chosen_groups(a)
    preload([m for m, _ in subjects])
    run_all(subjects, groups, a)
    if a.record:
        results.record()
    print(results.summary(subjects))
    if a.check:
        changes = [line for m, f in subjects for line in results.changes(m, f, applicable(m, f, groups))]
        print("\n".join(changes) or "as recorded")
        return int(bool(changes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
