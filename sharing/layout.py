"""A run as a folder that others load: model.safetensors, config.json and the model card README.md."""

from pathlib import Path

from calm.atomic import write_text
from calm.explanation.kinds import kinds_of
from calm.flags import names
from calm.networks.checkpoint_files import FORMAT_VERSION
from calm.networks.shared_files import write_shared
from calm.runs import of_one_state
from calm.sharing.card import model_card
from calm.tables.run_results import Result, read_results

CARD = "README.md"


def write_layout(checkpoint: Path, folder: Path, *, name: str, source: str) -> list[Result]:
    """Write a checkpoint and its card into ``folder``, which may hold earlier ones; returns the results on the card.

    Places of files on this machine are left out of what is stated.

    Args:
        checkpoint: file in a run folder, or anywhere.
        folder: made where it is missing.
        name: title of the card.
        source: what the card tells ``calm.load`` to take.

    Raises:
        UserError: it is no checkpoint, or does not say how it was trained.
    """
    loaded, digest = of_one_state(checkpoint)
    places = names(role="place")
    config = {key: loaded.config[key] for key in names(stated=True) if key in loaded.config and key not in places}
    content = {
        "format_version": FORMAT_VERSION,
        "config": config,
        "class_names": loaded.class_names,
        "state_dict": loaded.network.state_dict(),
    }
    results = results_of(checkpoint, digest)
    attribution = next(iter(kinds_of(loaded.network.head.uses_prior)))
    write_shared(folder, content)
    write_text(folder / CARD, model_card(loaded, results, name=name, source=source, attribution=attribution))
    return results


def results_of(checkpoint: Path, digest: str) -> list[Result]:
    """What was measured of the file with this SHA-256, as the results in its folder say."""
    if not any((checkpoint.parent / "results").glob("*.json")):
        return []
    return [result for result in read_results([checkpoint.parent]) if result.checkpoint == digest]
