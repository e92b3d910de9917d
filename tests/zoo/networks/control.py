"""Networks with control flow: plain Python when they run, torch's higher-order operators while torch.export
looks, TorchScript for the legacy exporter, which is given the networks with a part marked `scripted` in it."""

from __future__ import annotations

from typing import Tuple

import torch
from torch import nn
from torch._higher_order_ops.scan import scan


class Either(nn.Module):
    scripted = True

    def __init__(self) -> None:
        super().__init__()
        self.then, self.other = nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.jit.is_scripting():
            if torch.compiler.is_exporting():
                return torch.cond(x.mean() > 0, self.then, self.other, (x,))
        if bool(x.mean() > 0):
            return self.then(x)
        else:
            return self.other(x)


class If(nn.Module):
    """Which of two networks depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.either, self.last = nn.Linear(8, 8), Either(), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.either(self.first(x))))


class Refine(nn.Module):
    scripted = True

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        if not torch.jit.is_scripting():
            if torch.compiler.is_exporting():
                return self.looped(x, steps)
        i = torch.zeros_like(steps)
        while bool(i < steps):
            x = x + 0.5 * torch.tanh(self.linear(x))
            i = i + 1
        return x

    @torch.jit.unused
    def looped(self, x: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        body = lambda i, x: (i + 1, x + 0.5 * torch.tanh(self.linear(x)))  # noqa: E731
        return torch.while_loop(lambda i, x: i < steps, body, (torch.zeros_like(steps), x))[1]


class While(nn.Module):
    """As many steps as an input says."""

    def __init__(self) -> None:
        super().__init__()
        self.refine, self.last = Refine(), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        return self.last(self.refine(x, steps))


class Frames(nn.Module):
    scripted = True

    def __init__(self) -> None:
        super().__init__()
        self.input, self.state = nn.Linear(6, 8), nn.Linear(8, 8, bias=False)

    def step(self, h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.input(x) + self.state(h))

    def forward(self, frames: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        h = torch.zeros_like(frames[:, 0, :1]).expand(frames.shape[0], 8)
        if not torch.jit.is_scripting():
            if torch.compiler.is_exporting():
                return self.scanned(h, frames)
        ys = []
        for t in range(frames.shape[1]):
            h = self.step(h, frames[:, t])
            ys.append(h)
        return torch.stack(ys, 1), h

    @torch.jit.unused
    def scanned(self, h: torch.Tensor, frames: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        def step(h, x):
            h = self.step(h, x)
            return h, h.clone()

        h, ys = scan(step, h.clone(), frames.transpose(0, 1))
        return ys.transpose(0, 1), h


class Scan(nn.Module):
    """A recurrent cell of its own, over the frames."""

    def __init__(self) -> None:
        super().__init__()
        self.frames, self.last = Frames(), nn.Linear(8, 3)

    def forward(self, frames: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        ys, h = self.frames(frames)
        return self.last(ys), h


class Unrolled(nn.Module):
    """A loop of Python's, which every exporter unrolls, over shared weights."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.last = nn.GRUCell(8, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.zeros_like(x)
        for _ in range(3):
            h = self.cell(x, h)
        return self.last(h)


class Cache(nn.Module):
    scripted = True

    def forward(self, past: torch.Tensor, now: torch.Tensor, use_cache: torch.Tensor) -> torch.Tensor:
        if not torch.jit.is_scripting():
            if torch.compiler.is_exporting():
                return self.chosen(past, now, use_cache)
        if bool(use_cache):
            return torch.cat((past, now), 2)
        else:
            return now

    @torch.jit.unused
    def chosen(self, past: torch.Tensor, now: torch.Tensor, use_cache: torch.Tensor) -> torch.Tensor:
        return torch.cond(use_cache, lambda p, n: torch.cat((p, n), 2), lambda p, n: n.clone(), (past, now))


class MergedDecoder(nn.Module):
    """One layer that attends to what was, where `use_cache` says so: a merged decoder as exported for generation."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.qkv = nn.Embedding(100, 16), nn.Linear(16, 48)
        self.cache, self.out, self.head = Cache(), nn.Linear(16, 16), nn.Linear(16, 100, bias=False)

    def heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.size(0), x.size(1), 2, 8).permute(0, 2, 1, 3).contiguous()

    def forward(
        self, input_ids: torch.Tensor, past_key: torch.Tensor, past_value: torch.Tensor, use_cache: torch.Tensor
    ) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.embedding(input_ids)
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k, v = self.heads(q), self.heads(k), self.heads(v)
        key, value = self.cache(past_key, k, use_cache), self.cache(past_value, v, use_cache)
        weights = torch.softmax(q @ key.permute(0, 1, 3, 2) / 8**0.5, -1)
        mixed = (weights @ value).permute(0, 2, 1, 3).reshape(x.size(0), x.size(1), 16)
        return self.head(x + self.out(mixed)), key, value
