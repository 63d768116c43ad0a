"""A published folder onto the Hugging Face hub: only when told to, and for oneself alone unless told otherwise."""

from __future__ import annotations

import re
from pathlib import Path

from reelgym.errors import RequestError, WorkError


def push(folder: Path, name: str, *, public: bool = False) -> str:
    """Upload a folder as a model repository and return its address.

    Args:
        folder: What `publish` wrote.
        name: OWNER/NAME.
        public: Whether everyone may see it; an existing repository keeps what it is.

    Raises:
        RequestError: A name of another form.
        WorkError: The hub refused, or does not answer.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name):
        raise RequestError(f"--push {name!r}: give OWNER/NAME of a repository on the hub")
    hub = HfApi()
    try:
        address = str(hub.create_repo(name, private=not public, exist_ok=True, repo_type="model"))
        hub.upload_folder(repo_id=name, folder_path=folder, repo_type="model", commit_message="Publish with Reelgym")
    except (HfHubHTTPError, OSError, ValueError) as error:
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WorkError(
            f"{name} was not pushed ({line}): log in with hf auth login; the folder {folder} is kept"
        ) from error
    return address
