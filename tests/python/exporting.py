"""Models of torch, as PyTorch's exporters write them."""

import io
import logging
import warnings

import onnx
import torch

EXPORTS = {
    "dynamo": {"dynamo": True, "verbose": False},
    "unoptimized": {"dynamo": True, "optimize": False, "verbose": False},
    "legacy": {"dynamo": False},
    "unfolded": {"dynamo": False, "do_constant_folding": False},
}
FORMS = ("dynamo", "unoptimized", "legacy")
"""What most are tried in."""


def exported(module, args, form, **options):
    """The model in one of these forms."""
    file = io.BytesIO()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, args, file, **EXPORTS[form], **options)
    return onnx.load_from_string(file.getvalue())
