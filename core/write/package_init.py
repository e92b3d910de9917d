"""An FX package: a torch.fx.GraphModule as data. Needs torch only."""

import os as _os

from ._loader import load as _load


def load(**options):
    """The GraphModule; `weights` ("meta", "fake", "random"), `training`, `torch_libraries` as in onnx_to_fx.load."""
    return _load(_os.path.dirname(_os.path.abspath(__file__)), **options)
