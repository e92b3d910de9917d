"""A detector: anchors, box decoding, NonMaxSuppression; with the operator that the exporters turn into it."""

from __future__ import annotations

import torch
from torch import nn

from .vision import conv_bn


@torch.library.custom_op("zoo::nms", mutates_args=())
def nms(boxes: torch.Tensor, scores: torch.Tensor, overlap: float, least: float) -> torch.Tensor:
    """Indices of the boxes that are kept, the highest score first."""
    order = scores.argsort(descending=True, stable=True)
    order = order[scores[order] > least]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    for i in order.tolist():
        lower = torch.maximum(boxes[i, :2], boxes[kept, :2])
        upper = torch.minimum(boxes[i, 2:], boxes[kept, 2:])
        common = (upper - lower).clamp_min(0).prod(-1)
        if not bool((common / (area[i] + area[kept] - common) > overlap).any()):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


@nms.register_fake
def _(boxes, scores, overlap, least):
    return scores.new_empty(torch.library.get_ctx().new_dynamic_size(), dtype=torch.int64)


def register() -> dict:
    """With the legacy exporter; the table for the other."""
    from onnxscript import FLOAT, INT64
    from onnxscript import opset18 as op
    from torch.onnx import register_custom_op_symbolic
    from torch.onnx.symbolic_helper import parse_args

    @parse_args("v", "v", "f", "f")
    def symbolic(g, boxes, scores, overlap, least):
        constant = lambda v: g.op("Constant", value_t=torch.tensor([v]))  # noqa: E731
        boxes = g.op("Unsqueeze", boxes, constant(0))
        scores = g.op("Unsqueeze", scores, g.op("Constant", value_t=torch.tensor([0, 1])))
        chosen = g.op("NonMaxSuppression", boxes, scores, constant(1000), constant(overlap), constant(least))
        return g.op("Gather", chosen, g.op("Constant", value_t=torch.tensor(2)), axis_i=1)

    def translated(boxes: FLOAT, scores: FLOAT, overlap: float, least: float) -> INT64:
        chosen = op.NonMaxSuppression(
            op.Unsqueeze(boxes, [0]), op.Unsqueeze(scores, [0, 1]), [1000],
            op.Constant(value_floats=[overlap]), op.Constant(value_floats=[least]),
        )  # fmt: skip
        return op.Gather(chosen, 2, axis=1)

    register_custom_op_symbolic("zoo::nms", symbolic, 17)
    return {torch.ops.zoo.nms.default: translated}


class Detector(nn.Module):
    """One image; the boxes that are kept, and their scores."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 8, 3, 2), nn.ReLU(), conv_bn(8, 16, 3, 2), nn.ReLU())
        self.boxes, self.scores = nn.Conv2d(16, 4, 1), nn.Conv2d(16, 1, 1)
        grid = torch.stack(torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij"), -1)
        self.register_buffer("anchors", grid.flatten(0, 1).float() * 4 + 2, persistent=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.body(image)
        raw = self.boxes(x)[0].flatten(1).T
        scores = torch.sigmoid(self.scores(x)[0].flatten())
        center, half = self.anchors + raw[:, :2].tanh() * 4, 4 * raw[:, 2:].exp().clamp_max(4)
        boxes = torch.cat((center - half, center + half), 1)
        kept = nms(boxes, scores, 0.3, 0.2)
        return boxes[kept], scores[kept]
