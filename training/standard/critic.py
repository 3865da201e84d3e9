"""The value of a fleet: its own trunk over the cars, their masked mean, and the common context."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...envs.encoding import CONTEXT_WIDTH, PORT_WIDTH
from ..policy import SetNetworkSizes
from ..policy.margins import MARGINS, margins
from ..policy.pools import Groups


class SetCritic(nn.Module):
    """Maps an observation to one number per world; permuting the cars changes nothing.

    Args:
        sizes: widths of the layers, as of the actor; no weight is shared with it.
    """

    def __init__(self, sizes: SetNetworkSizes) -> None:
        super().__init__()
        s = sizes
        self.token = nn.Sequential(
            nn.Linear(PORT_WIDTH + MARGINS, s.token), nn.SiLU(), nn.Linear(s.token, s.token), nn.SiLU()
        )
        self.head = nn.Sequential(
            nn.Linear(s.token + 1 + CONTEXT_WIDTH, s.head), nn.SiLU(), nn.Linear(s.head, s.head), nn.SiLU(),
            nn.Linear(s.head, 1),
        )  # fmt: skip

    def forward(self, ports: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """The value (B, 1) of ports (B, N, K), context (B, M) and mask (B, N)."""
        everybody = Groups(torch.zeros(mask.shape[1], dtype=torch.long, device=mask.device), 1)
        tokens = self.token(torch.cat([ports, margins(ports)], -1))
        pooled = torch.cat([everybody.mean(tokens, mask)[:, 0], everybody.share(mask), context], -1)
        value: Tensor = self.head(pooled)
        return value
