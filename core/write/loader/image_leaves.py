"""Encoded images, decoded by Pillow."""

from __future__ import annotations

import io

import torch

from .leaf import leaf


@leaf
def image_decoder(encoded: torch.Tensor, pixel_format: str) -> torch.Tensor:
    try:
        from PIL import Image
    except ImportError as e:
        raise RuntimeError(
            "onnx2fx::image_decoder: expected the package Pillow, got none; "
            "note: pip install pillow, or decode the image before the model"
        ) from e
    with Image.open(io.BytesIO(bytes(encoded.cpu().tolist()))) as image:
        gray = pixel_format == "Grayscale"
        pixels = image.convert("L" if gray else "RGB")
        shape = (pixels.height, pixels.width, 1 if gray else 3)
        decoded = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8).reshape(shape)
    return decoded.flip(-1) if pixel_format == "BGR" else decoded
