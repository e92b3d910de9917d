"""ONNX models as trainable torch.fx.GraphModules.

from onnx_to_fx import convert_onnx_to_fx
module = convert_onnx_to_fx("model.onnx")
module.train()
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Iterable, Mapping

from torch import fx

from . import loader as _loader
from .binding import bind
from .leaves import (
    ConversionError,
    Diagnostic,
    Strings,
    UnsupportedOperator,
    UnsupportedOperatorError,
)
from .loader import PackageError

if TYPE_CHECKING:
    import onnx

__all__ = [
    "ConversionError",
    "Diagnostic",
    "PackageError",
    "PluginError",
    "Strings",
    "UnsupportedOperator",
    "UnsupportedOperatorError",
    "bind",
    "convert_onnx_to_fx",
    "load",
    "report",
]


class PluginError(ConversionError):
    """A plugin, its descriptor or the manifest is at fault."""


def convert_onnx_to_fx(
    model: onnx.ModelProto | str | os.PathLike[str] | bytes,
    debug: bool = False,
    *,
    plugin_dirs: Iterable[str | os.PathLike[str]] = (),
    manifest: str | os.PathLike[str] | None = None,
    op_set: str | None = None,
    weights: str = "reference",
    seed: int = 0,
    dialect: str = "nn",
    trainable: Iterable[str] = (),
    frozen: Iterable[str] = (),
    keep_going: bool = False,
    training: bool = False,
) -> fx.GraphModule:
    """Converts a model; its inputs become those of the module, by position or by name.

    Args:
      model: a file (its weights are mapped, not read), or a model in memory.
      debug: prints the graph.
      plugin_dirs: folders of plugins beside the standard ones.
      manifest: file that says which plugin lowers what; op_set: the op set to take from it.
      weights: "reference" (views of the mapped model file), "copy" (in memory, independent of it),
        "meta" (none: see bind), "random". The manifest's rules come first.
      seed: of random weights; equal seeds and tensor names give equal numbers.
      dialect: "nn" has torch.nn modules where they fit; "aten" has ATen calls only.
      trainable, frozen: globs of tensor names, which overrule what is trained by default.
      keep_going: operators that nothing lowers stay as nodes that raise when they are run.
      training: the mode that the module starts in; the "aten" dialect keeps it for good.

    Raises:
      UnsupportedOperatorError: with every operator that no plugin lowers.
      PluginError: a plugin or the manifest is at fault.
      ConversionError: any other fault; with all that were found.
    """
    from . import _native

    options = dict(
        plugin_dirs=[os.fspath(d) for d in plugin_dirs],
        builtin_directory=_builtin_plugins(),
        manifest=os.fspath(manifest) if manifest is not None else "",
        op_set=op_set or "",
        weights=_one_of("weights", weights, ("reference", "copy", "meta", "random")),
        dialect=_one_of("dialect", dialect, ("nn", "aten")),
        trainable=list(trainable),
        frozen=list(frozen),
        keep_going=keep_going,
        training=training,
        seed=seed,
    )
    conversion = _convert(_native, model, options)
    document = json.loads(conversion.graph_json())
    with _loader.Weights(
        document,
        conversion.sources(),
        conversion,
        mode="meta" if weights == "meta" and not conversion.has_weight_rules() else None,
        copy=weights == "copy",
    ) as tensors:
        module = _loader.build(document, tensors, training=training)
    module.meta["onnx2fx"]["report"] = conversion.report_json()
    if debug:
        print_graph(module)
    return module


def _convert(native: Any, model: Any, options: dict[str, Any]) -> Any:
    if isinstance(model, (str, os.PathLike)):
        return native.convert_file(os.fspath(model), **options)
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    if not isinstance(model, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"model: expected an onnx.ModelProto, a path or bytes, got {type(model).__name__}"
        )
    return native.convert_bytes(bytes(model), **options)


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{what}: expected one of {', '.join(allowed)}, got {value!r}")
    return value


def _builtin_plugins() -> str:
    """<prefix>/lib/onnx2fx/plugins.d of the prefix that this package is installed in."""
    package = os.path.dirname(os.path.abspath(__file__))
    prefixes = (os.path.normpath(os.path.join(package, *[os.pardir] * 4)), sys.prefix)
    folders = [os.path.join(p, "lib", "onnx2fx", "plugins.d") for p in prefixes]
    return next((f for f in folders if os.path.isdir(f)), folders[0])


def print_graph(module: fx.GraphModule) -> None:
    """Prints the FX graph of a module and of every program in it."""
    for name, child in module.named_modules():
        if isinstance(child, fx.GraphModule):
            print(f"# {name or 'root'}")
            print(child.graph)


def load(
    folder: str | os.PathLike[str], *, weights: str | None = None, training: bool = False
) -> fx.GraphModule:
    """The GraphModule of an FX package. `weights`: "meta" or "random" for others than stored."""
    module = _loader.load(folder, weights=weights, training=training)
    path = os.path.join(os.fspath(folder), "report.json")
    if os.path.exists(path):
        with open(path, "rb") as f:
            module.meta["onnx2fx"]["report"] = f.read()
    return module


def report(module: fx.GraphModule) -> Mapping[str, Any]:
    """How the conversion went: who lowered each node, notes, warnings, names that were changed."""
    text = module.meta.get("onnx2fx", {}).get("report")
    if text is None:
        raise ValueError("module: expected one that onnx_to_fx made, got one without a report")
    return json.loads(text)
