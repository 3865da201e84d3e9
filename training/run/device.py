"""Whether torch can compute where it was told to, before anything that takes long."""

from __future__ import annotations


def check_device(name: str) -> None:
    """Compute one number there.

    Args:
        name: as torch has it: `cpu`, `cuda`, `cuda:1`.

    Raises:
        ValueError: torch does not know the device, or this machine does not have it.
    """
    import torch

    try:
        torch.ones(1, device=name).cpu()
    except (RuntimeError, AssertionError) as error:  # the second where torch was built without CUDA
        why = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"device is {name!r}, where torch cannot compute: {why}; name cpu, or leave it out") from None
