"""A module as the source that a person would have written: one class for each of the author's, and weights beside it."""

from __future__ import annotations

import os
import pathlib
import re
import sys

import torch
from torch import fx

from .loader import load
from .loader.converted import ConvertedModule
from .loader.errors import PackageError
from .loader.modules import Holder
from .source_classes import Classes, constant_name
from .source_expressions import SourceError

__all__ = ["SourceError", "to_source", "write_source"]

_HEAD = '''"""Written by onnx_to_fx; weights.safetensors beside it holds the weights."""

from __future__ import annotations

'''
_IMPORTS = {
    "itertools.": "import itertools\n",
    "math.": "import math\n",
    "operator.": "import operator\n",
    "pathlib.": "import pathlib\n",
    "OrderedDict(": "from collections import OrderedDict\n",
    "torch.": "\nimport torch\n",
    "F.": "import torch.nn.functional as F\n",
    "nn.": "from torch import nn\n",
}
_CONSTANTS = '''

def _constants(**tensors: torch.Tensor) -> nn.Module:
    """What is no weight, and moves with the module."""
    holder = nn.Module()
    for name, tensor in tensors.items():
        holder.register_buffer(name, tensor, persistent=False)
    return holder
'''
_LOAD = '''
    @classmethod
    def load(cls, path: str | pathlib.Path | None = None) -> Model:
        """The model with its weights, by default from the file beside this one; in eval mode."""
        from safetensors.torch import load_file

        model = cls()
        tensors = load_file(path or pathlib.Path(__file__).with_name("weights.safetensors"))
        with torch.no_grad():
            for name, tensor in (*model.named_parameters(), *model.named_buffers()):
                tensor.copy_(tensors[name])
        return model.eval()
'''


def to_source(module: fx.GraphModule) -> str:
    """The text of model.py: ``Model`` and the classes of its blocks; needs torch alone, and safetensors to load.

    Blocks whose programs are equal but for numbers are one class, which takes the numbers. Names of values are those
    of PyTorch's exporter where the file has them. The module's own parameters, not their values, are in the text.

    Raises:
      SourceError: something in it is no plain torch: strings, an operator of a pack.
    """
    if not isinstance(module, ConvertedModule):
        raise TypeError(f"module: expected one that onnx_to_fx made, got {type(module).__name__}")
    classes = Classes(module).text() + _LOAD
    if "_constants(" in classes:
        classes = _CONSTANTS + classes
    used = (line for name, line in _IMPORTS.items() if re.search(rf"(?<![\w.]){re.escape(name)}", classes))
    return _HEAD + "".join(used) + classes


def write_source(module: fx.GraphModule, folder: str | os.PathLike[str]) -> None:
    """Writes model.py and weights.safetensors: ``from model import Model; Model.load()`` computes what `module` does.

    The folder is made; files of these names in it are replaced.

    Raises:
      SourceError: as to_source. ValueError: the module has no weights. Nothing is written then.
    """
    from safetensors.torch import save_file

    text = to_source(module)
    tensors = {_name(module, n): _plain(t) for n, t in (*module.named_parameters(), *module.named_buffers())}
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    (path / "model.py").write_text(text)
    save_file(tensors, path / "weights.safetensors")


# ---- onnx2fx --format source


def main(package: str, path: str, shown: str, force: str) -> int:
    """Writes the source of an FX package; `shown` is the folder's path in messages."""
    try:
        if not force:
            _check_ours(pathlib.Path(path))
        write_source(load(package), path)
    except (ImportError, OSError, ValueError, PackageError) as e:
        print(f"error: {shown}: {e}", file=sys.stderr)
        return 1
    return 0


def _check_ours(folder: pathlib.Path) -> None:
    """A model.py that somebody wrote stays, and so does what lies in another folder."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    text = folder / "model.py"
    if text.is_file() and text.read_text(errors="replace").startswith(_HEAD.splitlines()[0]):
        return
    got = "a model.py of somebody else's" if text.exists() else "a folder with other files"
    raise ValueError(
        f"expected a folder with our model.py, an empty one or none, got {got}\n"
        "  note: choose another name, or replace it with --force"
    )


def _name(module: fx.GraphModule, path: str) -> str:
    """Of a tensor in the text."""
    owner, _, name = path.rpartition(".")
    holder = module.get_submodule(owner)
    if isinstance(holder, Holder) and name in holder._buffers:
        return f"{owner}.{constant_name(holder, name)}"
    return path


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_meta:
        raise ValueError("module: expected one with weights, got tensors on the meta device")
    return tensor.detach().cpu().contiguous().clone()
