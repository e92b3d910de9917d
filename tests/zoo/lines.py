"""Lines of model.py beside those of the author's classes, as docs/authors-modules.md tells them: `tools/zoo --lines`."""

from __future__ import annotations

import ast
import inspect
import io
import pathlib
import re
import textwrap
import tokenize

from torch import nn

from .models import BY_NAME
from .subject import Converted

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/authors-modules.md"
BEGIN, END = "<!-- tools/zoo --lines -->\n", "<!-- end of what tools/zoo --lines writes -->\n"
MODELS = {
    "resnet": "unoptimized", "bottleneck_resnet": "dynamo", "mobilenet_v3": "dynamo", "efficientnet": "dynamo",
    "convnext": "unoptimized", "vit": "dynamo", "swin": "unoptimized", "bert": "unoptimized", "distilbert": "dynamo",
    "gpt2": "dynamo", "llama": "unoptimized", "t5": "dynamo",
}  # fmt: skip
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code_lines(text: str) -> int:
    """Those with code: no blank ones, comments or docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, documented) and ast.get_docstring(n, clean=False) is not None]
    told = {line for n in nodes for line in range(n.body[0].lineno, n.body[0].end_lineno + 1)}
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in _NO_CODE]
    return len({line for t in tokens for line in range(t.start[0], t.end[0] + 1)} - told)


def authors_classes(model: nn.Module) -> list[type]:
    """Those of its modules that are none of torch's."""
    classes = dict.fromkeys(type(m) for m in model.modules())
    return [c for c in classes if c.__module__.partition(".")[0] != "torch"]


def table() -> str:
    from onnx_to_fx import to_source

    rows = ["| model | form | the author's classes | their lines | lines of model.py |", "| --- | --- | ---: | ---: | ---: |"]
    for name, form in MODELS.items():
        subject = Converted(BY_NAME[name], form)
        classes = authors_classes(subject.original)
        theirs = sum(code_lines(textwrap.dedent(inspect.getsource(c))) for c in classes)
        rows.append(f"| {name} | {form} | {len(classes)} | {theirs} | {code_lines(to_source(subject.module()))} |")
    return "\n".join(rows) + "\n"


def write() -> None:
    """Into the page, between its two marks."""
    inside = re.compile(f"(?<={re.escape(BEGIN)}).*?(?={re.escape(END)})", re.S)
    text, made = inside.subn(lambda _: f"\n{table()}\n", PAGE.read_text())
    if made != 1:
        raise SystemExit(f"{PAGE}: expected the lines {BEGIN.strip()!r} and {END.strip()!r} once, got {made}")
    PAGE.write_text(text)
