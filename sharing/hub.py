"""To the hub of Hugging Face, or another server that speaks as it does ($HF_ENDPOINT)."""

from pathlib import Path

from calm.errors import UserError, require
from calm.networks.shared_files import CONFIG, WEIGHTS, hub_address
from calm.sharing.layout import CARD


def upload(folder: Path, repository: str, *, private: bool = False) -> str:
    """Put the files of a layout into a repository, which is made where it is missing; returns its address.

    The token is huggingface_hub's own: of ``hf auth login``, or $HF_TOKEN.

    Args:
        folder: of ``write_layout``.
        repository: OWNER/NAME.
        private: a repository that is made is seen by its owner alone.

    Raises:
        UserError: huggingface_hub is not installed, or the hub refuses.
    """
    require("huggingface_hub", extra="hub")
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub_address())
    try:
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, allow_patterns=[WEIGHTS, CONFIG, CARD])
    except Exception as error:  # the hub's errors, those of its HTTP library, and ValueError for a name it refuses
        reason = " ".join(str(error).split())
        raise UserError(f"{repository} cannot be pushed to ({type(error).__name__}: {reason[:200]})") from error
    return str(address)
