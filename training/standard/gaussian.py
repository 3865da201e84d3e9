"""Independent Gaussians, one per port, that count only where a car is."""

from __future__ import annotations

from stable_baselines3.common.distributions import DiagGaussianDistribution
from torch import Tensor


class MaskedGaussian(DiagGaussianDistribution):
    """A Gaussian per port; an empty port adds nothing to log-probability and entropy.

    Without the mask, the noise of empty ports drowns PPO's ratio and its measure of divergence.

    Args:
        action_dim: ports.
    """

    mask: Tensor

    def of(self, mean: Tensor, log_std: Tensor, mask: Tensor) -> MaskedGaussian:
        """The distribution around `mean` (B, N) with one `log_std` for all, where `mask` (B, N) is 1."""
        self.mask = mask
        self.proba_distribution(mean, log_std)
        return self

    def log_prob(self, actions: Tensor) -> Tensor:
        """Of the connected cars' actions together, (B,)."""
        each: Tensor = self.distribution.log_prob(actions)  # type: ignore[no-untyped-call]
        return (each * self.mask).sum(1)

    def entropy(self) -> Tensor:
        """Of the connected cars together, (B,)."""
        each: Tensor = self.distribution.entropy()  # type: ignore[no-untyped-call]
        return (each * self.mask).sum(1)
