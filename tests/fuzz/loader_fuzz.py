"""graph.json, damaged, into the Python loader: a GraphModule comes of it or a PackageError, nothing else.

    loader_fuzz.py --seconds 60 [--found DIR]     # coverage decides where Atheris is installed, else a seeded loop
    loader_fuzz.py FILE...                        # these inputs, as they were found
"""

from __future__ import annotations

import argparse
import copy
import faulthandler
import hashlib
import pathlib
import random
import sys
import time
from typing import Any, Iterator

try:
    import atheris
except ImportError:
    atheris = None

import onnx.parser
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "python"))
import scoped_models  # noqa: E402

if atheris:
    with atheris.instrument_imports(include=["onnx_to_fx"]):
        import onnx_to_fx
        import onnx_to_fx.loader.structure
        from onnx_to_fx import loader
else:
    import onnx_to_fx
    import onnx_to_fx.loader.structure
    from onnx_to_fx import loader

MODELS = [
    "g (float[N, 4] x) => (float[N, 2] y) <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}> "
    "{ h = MatMul(x, w) y = Relu(h) }",
    "g (float[1, 2, 5, 5] x) => (y) <float[3, 2, 1, 1] w = {1, 2, 3, 4, 5, 6}> "
    "{ c = Conv(x, w) p = MaxPool <kernel_shape = [2, 2]> (c) y = Flatten(p) }",
    "g (float[N, M] x, bool c) => (y, z) { y = If (c) <then_branch = a () => (float[N, M] p) { p = Neg(x) }, "
    "else_branch = b () => (float[N, M] q) { q = Exp(x) }> s = Shape(x) z = Expand(y, s) }",
    "g (float[3] x, int64 n) => (y) { y = Loop (n, , x) <body = b (int64 i, bool c, float[3] v) => "
    "(bool d, float[3] w) { d = Identity(c) w = Add(v, v) }> }",
    "g (string[2] x) => (y) { y = StringNormalizer <case_change_action = \"LOWER\"> (x) }",
    "g (float[2] x) => (y) { s = SequenceConstruct(x, x) y = ConcatFromSequence <axis = 0> (s) }",
]  # fmt: skip
WORDS = [
    "", "x", "y", "root", "Linear", "aten::relu", "aten::add.Tensor", "operator::add", "operator::getitem",
    "onnx2fx::loop", "higher_order::cond", "torch::relu", "os::system", "float32", "int4", "parameter", "buffer",
    "..", "a.b", "node", "__class__", "\ud800", "1.0", "2.0", "placeholder", "get_attr", "call_module", "output",
]  # fmt: skip


def documents() -> list[tuple[dict[str, Any], Any]]:
    """Documents of small models, with what gives their tensors."""
    made = []
    build = onnx_to_fx._loader.build
    models = [onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}') for graph in MODELS]
    models += [scoped_models.Model(seed, older=False).proto() for seed in range(4)]
    for model in models:
        for dialect in ("nn", "aten"):
            captured: dict[str, Any] = {}

            def keep(document: Any, tensors: Any, captured: Any = captured, **options: Any) -> Any:
                captured.update(document=copy.deepcopy(document))
                return build(document, tensors, **options)

            onnx_to_fx._loader.build = keep
            try:
                onnx_to_fx.convert_onnx_to_fx(model, dialect=dialect)
            finally:
                onnx_to_fx._loader.build = build
            made.append(captured["document"])
    return made


class Choices:
    """The input as numbers; past its end all are 0."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def below(self, n: int) -> int:
        if self.at >= len(self.data) or n < 2:
            return 0
        self.at += 1
        byte = self.data[self.at - 1]
        if n > 256 and self.at < len(self.data):
            self.at += 1
            byte = byte << 8 | self.data[self.at - 1]
        return byte % n

    def left(self) -> bool:
        return self.at < len(self.data)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def other(choices: Choices, old: Any, every: list[tuple[Any, Any]]) -> Any:
    kind = choices.below(8)
    if kind == 0:
        return choices.below(300) - 20
    if kind == 1:
        return WORDS[choices.below(len(WORDS))]
    if kind == 2:
        return [None, True, False, [], {}, 1.5, float("nan"), 2**63, -(2**70), "9" * 40][choices.below(10)]
    if kind == 3 and isinstance(old, (int, float)):
        return old + choices.below(5) - 2
    if kind == 4:
        return [old, old]
    if kind == 5:
        return {"node": old}
    container, key = every[choices.below(len(every))]
    return copy.deepcopy(container[key])


def damaged(choices: Choices, document: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(document)
    for _ in range(1 + choices.below(4)):
        every = list(places(document))
        if not every:
            break
        container, key = every[choices.below(len(every))]
        action = choices.below(5)
        if action == 0:
            del container[key]
        elif action == 1 and isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        elif action == 1:
            container[WORDS[choices.below(len(WORDS))]] = container.pop(key)
        else:
            container[key] = other(choices, container[key], every)
    return document


def one_input(data: bytes) -> None:
    choices = Choices(data)
    document = damaged(choices, DOCUMENTS[choices.below(len(DOCUMENTS))])
    try:
        loader.check(document)
        loader.structure.check_structure(document)
        with loader.Weights(document, [], mode="meta") as tensors:
            loader.build(document, tensors)
    except onnx_to_fx.PackageError:
        pass


def seeded_loop(seconds: float, found: pathlib.Path, seed: int) -> int:
    rng = random.Random(seed)
    end, n, failures = time.monotonic() + seconds, 0, {}
    while time.monotonic() < end:
        data = rng.randbytes(rng.choice((8, 16, 32, 64)))
        n += 1
        try:
            one_input(data)
        except Exception as error:
            place = error.__traceback__
            while place.tb_next:
                place = place.tb_next
            where = f"{type(error).__name__} in {place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
            if where not in failures:
                failures[where] = data
                save(found, data)
                print(f"{where}: {error}", flush=True)
    print(f"{n} inputs, {len(failures)} kinds of failure")
    return 1 if failures else 0


def save(found: pathlib.Path, data: bytes) -> None:
    found.mkdir(parents=True, exist_ok=True)
    (found / f"crash-{hashlib.sha1(data).hexdigest()}").write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--found", type=pathlib.Path, default=pathlib.Path("found"))
    parser.add_argument("--corpus", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    faulthandler.enable()
    torch.set_num_threads(1)
    if arguments.files:
        for file in arguments.files:
            print(file, flush=True)
            one_input(file.read_bytes())
        return 0
    if not atheris or not arguments.corpus:
        return seeded_loop(arguments.seconds, arguments.found, arguments.seed)
    arguments.found.mkdir(parents=True, exist_ok=True)
    arguments.corpus.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={int(arguments.seconds)}", f"-artifact_prefix={arguments.found}/", "-max_len=64",
               f"-seed={arguments.seed}",
               "-rss_limit_mb=4000", "-print_final_stats=1", str(arguments.corpus)]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], one_input)
    atheris.Fuzz()
    return 0


DOCUMENTS = documents()
if __name__ == "__main__":
    sys.exit(main())
