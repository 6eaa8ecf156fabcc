"""Models on the Hugging Face hub: fetched by name, checked by their hashes, published with a valid card.

A model is named ``hf://OWNER/NAME`` or ``hf://OWNER/NAME@REVISION``. It lies in the hub's own cache, whose
folders are called by commit; offline (``HF_HUB_OFFLINE=1``) what is there is used. Only the card and
safetensors are fetched: never a pickle, never code. The hashes in the card are checked whenever weights are
loaded, wherever they came from.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from zerosight.errors import ConfigError, OutputError, WeightsError, one_line
from zerosight.models.card import CARD, README

SCHEME = "hf://"
FILES = (CARD, README, "*.safetensors")


def is_on_hub(name: str | Path) -> bool:
    """Return whether a name is that of a model on the hub."""
    return str(name).startswith(SCHEME)


def split_name(name: str) -> tuple[str, str | None]:
    """Return the repository and the revision that a name means.

    Raises:
        ConfigError: It is no such name.

    >>> split_name("hf://me/parts@v1")
    ('me/parts', 'v1')
    """
    repository, at, revision = name.removeprefix(SCHEME).partition("@")
    owner, slash, model = repository.partition("/")
    if not (owner and slash and model) or "/" in model or (at and not revision):
        raise ConfigError(f"{one_line(name, 120)}: should be hf://OWNER/NAME or hf://OWNER/NAME@REVISION")
    return repository, revision or None


def fetch(name: str, token: str | None = None) -> Path:
    """Return the folder of a model on the hub, downloaded if it is not here yet.

    A download that was cut off is refused; calling again completes it. Within a process a name keeps its
    meaning.

    Args:
        name: ``hf://OWNER/NAME[@REVISION]``.
        token: For private models; None takes the one of ``hf auth login`` or ``HF_TOKEN``.

    Raises:
        ConfigError: It is no such name.
        WeightsError: There is no such model or revision, it is private, or it cannot be downloaded.
    """
    return _fetched(name, token, _endpoint())


def pinned(name: str | Path) -> str:
    """Return the name of a model on the hub with its commit, and nothing for any other model.

    Raises:
        WeightsError: As :func:`fetch`.
    """
    if not is_on_hub(name):
        return ""
    repository, _ = split_name(str(name))
    return f"{SCHEME}{repository}@{fetch(str(name)).name}"


def push(
    folder: str | Path, repository: str, *, private: bool = False, token: str | None = None, message: str = ""
) -> str:
    """Publish a model folder, and return its name with the commit, which :func:`zerosight.load` takes.

    The hashes are checked first; the card gets the head that the hub reads.

    Args:
        folder: A model folder, or a shipped model's name.
        repository: ``OWNER/NAME``; made if it is not there.
        private: Whether a repository that is made is private.
        token: As for :func:`fetch`; it must allow writing.
        message: Of the commit.

    Raises:
        ConfigError: ``repository`` is no such name.
        WeightsError: The folder is no model, or its weights are not those of its card.
        OutputError: The hub does not take it.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    from zerosight.models.catalog import architecture_of, card_of, find_model
    from zerosight.models.model_card import model_card

    split_name(repository)
    repository = repository.removeprefix(SCHEME)
    source = find_model(folder)
    card = card_of(folder)
    _check_hashes(source, card.model_dump())
    files = [CARD, *architecture_of(folder).files_in(source)]
    added = [CommitOperationAdd(name, str(source / name)) for name in files]
    added.append(CommitOperationAdd(README, model_card(card).encode()))
    api = HfApi(endpoint=_endpoint(), token=token, library_name="zerosight")
    with _told(repository, OutputError, "published"):
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.create_commit(repository, added, commit_message=message or f"zerosight model {card.name}")
    return f"{SCHEME}{repository}@{done.oid}"


def _check_hashes(folder: Path, card: dict[str, Any]) -> None:
    """Refuse weights that are not those of the card.

    Raises:
        WeightsError: They are others.
    """
    from zerosight.files import sha256

    for key, file in (("weights_sha256", "model.safetensors"), ("adapter_sha256", "adapter.safetensors")):
        path = folder / file
        if card.get(key) and path.is_file() and sha256(path) != card[key]:
            raise WeightsError(f"{path}: is not the file that the card describes; fetch or train it again")


def _endpoint() -> str | None:
    """Return the hub's address where another one is named."""
    return os.environ.get("HF_ENDPOINT")


@cache
def _fetched(name: str, token: str | None, endpoint: str | None) -> Path:
    from huggingface_hub import snapshot_download

    repository, revision = split_name(name)
    with _told(name, WeightsError, "fetched"):
        found = snapshot_download(
            repository,
            revision=revision,
            allow_patterns=list(FILES),
            token=token,
            endpoint=endpoint,
            library_name="zerosight",
        )
    folder = Path(found)
    if not (folder / CARD).is_file():
        raise WeightsError(f"{name}: is no zerosight model: it has no {CARD}")
    from zerosight.models.card import read_card

    try:
        _check_hashes(folder, read_card(folder))
    except WeightsError as error:
        raise WeightsError(f"{name}: {error}; remove {folder} first") from None
    return folder


@contextmanager
def _told(name: str, kind: type[WeightsError] | type[OutputError], done: str) -> Iterator[None]:
    """Turn what the hub says into one line."""
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except HFValidationError as error:
        raise ConfigError(f"{name}: is no possible name on the hub ({one_line(str(error), 120)})") from None
    except GatedRepoError:
        raise kind(
            f"{name}: is gated; accept its terms on its page, run `hf auth login`, try again"
        ) from None
    except RevisionNotFoundError:
        raise kind(f"{name}: there is no such revision; see the model's page on the hub") from None
    except RepositoryNotFoundError:
        raise kind(
            f"{name}: there is no such model, or it is private; run `hf auth login` or set HF_TOKEN"
        ) from None
    except LocalEntryNotFoundError:
        raise kind(
            f"{name}: cannot be {done}: the hub cannot be reached and the model is not in the cache; "
            "check the network and HF_HUB_OFFLINE"
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        hint = "run `hf auth login` or set HF_TOKEN" if status in (401, 403) else "try again later"
        raise kind(f"{name}: cannot be {done} (the hub answers {status}); {hint}") from None
    except (OSError, EntryNotFoundError, HTTPError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or one_line(str(error), 160)
        raise kind(f"{name}: cannot be {done} ({reason}); run it again, what arrived is kept") from None
