"""What the comparison of attributions prints."""

from collections.abc import Mapping

from calm.distributed import print0
from calm.evaluation.attribution.measures import MEASURES
from calm.evaluation.uninformed import UNTRAINED, titles


def print_table(
    means_of: Mapping[str, Mapping[str, float]],
    baselines: Mapping[str, Mapping[str, float]],
    untrained: Mapping[str, Mapping[str, float]],
    wins: Mapping[str, float],
    size: int,
) -> None:
    """A line per attribution and per map without knowledge, then who wins how often.

    Args:
        means_of: attribution -> measure -> mean.
        baselines: the same of maps that never looked at an image.
        untrained: attribution -> its measures of place for a network with untrained heads.
        wins: of ``comparison.wins_of``.
        size: side of the maps, pixels.
    """
    lines = {**means_of, **{text: baselines[name] for name, text in titles(size).items() if name in baselines}}
    lines |= {f"{titles(size)[UNTRAINED]}, {label}": means for label, means in untrained.items()}
    width = max(map(len, lines)) + 4
    print0("\n" + " " * width + "".join(f"{measure.title:>16}" for measure in MEASURES.values()))
    better = ("higher" if measure.higher_is_better else "lower" for measure in MEASURES.values())
    print0(f"{'better is':<{width}}" + "".join(f"{word:>16}" for word in better))
    for label, means in lines.items():
        print0(
            f"{label:<{width}}" + "".join(f"{means[key]:>16.3f}" if key in means else f"{'-':>16}" for key in MEASURES)
        )
    if len(means_of) > 1:
        print0("\nwin %: how often the drop of the row is below that of the column")
        print0(" " * width + "".join(f"{number:>7}" for number in range(1, len(means_of) + 1)))
        for number, label in enumerate(means_of, start=1):
            shares = (f"{wins[f'{label} over {other}']:.1f}" if other != label else "" for other in means_of)
            print0(f"{f'{number} {label}':<{width}}" + "".join(f"{share:>7}" for share in shares))
