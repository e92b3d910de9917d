"""Networks of recurrent layers."""

from __future__ import annotations

import torch
from torch import nn


class LstmTagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 12)
        self.lstm = nn.LSTM(12, 10, 2, batch_first=True, bidirectional=True, dropout=0.1)
        self.tags = nn.Linear(20, 6)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.tags(self.lstm(self.embedding(input_ids))[0])


class GruTagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 12)
        self.gru = nn.GRU(12, 10, batch_first=True)
        self.tags = nn.Linear(10, 6)

    def forward(self, input_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y, state = self.gru(self.embedding(input_ids))
        return self.tags(y), state


class SiameseLstm(nn.Module):
    """One encoder for two inputs of different lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.projection = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 4)
        self.out = nn.Linear(4, 1)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.projection(self.encoder(x)[1][0][-1])

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.out((self.encode(a) - self.encode(b)).abs())
