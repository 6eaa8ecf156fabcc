"""From a name on the command line to a dual encoder: ``openclip:NAME[@WEIGHTS]`` or ``hf:ID``."""

from __future__ import annotations

from pathlib import Path

from zerosight.errors import ConfigError
from zerosight.models.peers.model import LoadedPeer, loaded_peer
from zerosight.weights import usable_device


def load_peer(name: str | Path, device: str = "cpu") -> LoadedPeer:
    """Return a dual encoder ready to score findings.

    Args:
        name: ``openclip:`` with an architecture of open_clip as ``NAME@WEIGHTS``, a folder or a file; or
            ``hf:`` with a repository of the hub or a folder.
        device: As for :func:`zerosight.weights.usable_device`.

    Raises:
        ConfigError: The name is not possible.
        WeightsError: The weights are not to be had here; the message names what to get.
    """
    where = usable_device(device)
    kind, _, rest = str(name).partition(":")
    if not rest:
        raise ConfigError(f"model: '{name}' names no model; say {kind}:NAME")
    if kind == "openclip":
        from zerosight.models.peers.openclip import openclip_towers

        return loaded_peer(str(name), openclip_towers(rest, where), where)
    from zerosight.models.peers.transformers import transformers_towers

    return loaded_peer(str(name), transformers_towers(rest, where), where)
