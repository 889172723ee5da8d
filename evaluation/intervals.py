"""95 % intervals: by the bootstrap over class pairs and images, and by Student's t over seeds.

The draws depend on what is drawn from and on the seed alone, never on what was measured. So the replicates of two
result files about the same images belong together one by one, and the interval of their differences is the paired one.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95
REPLICATES = 1000
SEED = 0

Interval = tuple[float, float]


def interval_of(replicates: np.ndarray) -> Interval | None:
    """The middle 95 % of the replicates [R], those that are NaN left out; None where all are."""
    known = replicates[~np.isnan(replicates)]
    if not len(known):
        return None
    low, high = np.quantile(known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def interval_over_seeds(values: Sequence[float]) -> Interval | None:
    """Of the mean over seeds, by Student's t; None for a single seed, of which nothing says how sure it is."""
    if len(values) < 2:
        return None
    factor = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2))
    mean, error = statistics.fmean(values), factor * statistics.stdev(values) / len(values) ** 0.5
    return mean - error, mean + error


def image_weights(count: int, *key: int, replicates: int = REPLICATES, seed: int = SEED) -> np.ndarray:
    """[R,count] how often each of ``count`` items is drawn, with replacement, in each replicate.

    Args:
        count: number of items.
        key: whole numbers that tell one set of items from another, such as the two classes of a pair.
        replicates: R.
        seed: of the draws.
    """
    return np.concatenate(list(weights_in_blocks(count, *key, replicates=replicates, seed=seed)))


def weights_in_blocks(
    count: int, *key: int, replicates: int = REPLICATES, seed: int = SEED, numbers: int = 2**21
) -> Iterator[np.ndarray]:
    """The rows of ``image_weights``, some at a time: about as many ``numbers`` are in memory at once."""
    rng, rows = np.random.default_rng((seed, *key)), max(1, numbers // max(count, 1))
    for start in range(0, replicates, rows):
        size = min(rows, replicates - start)
        yield rng.multinomial(count, np.full(count, 1 / count), size=size) if count else np.zeros((size, 0), np.int64)


def poisson_weights(indices: Sequence[int], *, replicates: int = REPLICATES, seed: int = SEED) -> np.ndarray:
    """[R,n] how often each image is drawn in each replicate, Poisson of mean 1, from its own index alone.

    For counts that are added up image by image, whichever process counts one: what is drawn of one image does not
    depend on the others, so that their number need not be known and none is kept (the Poisson bootstrap; Hanley and
    MacGibbon, 2006).

    Args:
        indices: the images' places in the data set.
        replicates: R.
        seed: of the draws.
    """
    drawn = [np.random.default_rng((seed, index)).poisson(1.0, replicates) for index in indices]
    return np.stack(drawn, axis=1) if drawn else np.zeros((replicates, 0), np.int64)


def average_precisions(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[R] average precision in [0,1] of pooled images, each replicate weighing them in its own way; NaN without a cue.

    Args:
        counts: [n,2,T], of each image: pixels with score >= each threshold and cue pixels among them, thresholds
            ascending, the lowest below every score.
        weights: [R,n].
    """
    pixels, cue = np.einsum("rn,nkt->krt", weights.astype(float), counts.astype(float))[..., ::-1]
    total = cue[:, -1:]
    precision = np.divide(cue, pixels, out=np.ones_like(cue), where=pixels > 0)
    recall = np.divide(cue, total, out=np.full_like(cue, np.nan), where=total > 0)
    return (precision * np.diff(recall, axis=1, prepend=0.0)).sum(axis=1)


def means_over_pairs(values: Sequence[np.ndarray], *, seed: int = SEED) -> np.ndarray:
    """[R] replicates of the mean over pairs, the pairs drawn with replacement too.

    Args:
        values: of each pair, its replicates [R]; a pair that is NaN in a replicate does not count there.
        seed: of the draws.
    """
    table = np.stack(values)  # [P,R]
    drawn = image_weights(len(table), replicates=table.shape[1], seed=seed).T * ~np.isnan(table)
    total = drawn.sum(axis=0)
    sums = (drawn * np.nan_to_num(table)).sum(axis=0)
    return np.divide(sums, total, out=np.full(table.shape[1], np.nan), where=total > 0)


def means_of_images(values: Mapping[str, np.ndarray], *, seed: int = SEED) -> dict[str, np.ndarray]:
    """Name -> [R] replicates of the mean over images, all names from the same draws of images.

    Args:
        values: name -> numbers [N], all about the same images in the same order; a NaN does not count.
        seed: of the draws.
    """
    count = len(next(iter(values.values()), ()))
    means: dict[str, list[np.ndarray]] = {name: [] for name in values}
    for weights in weights_in_blocks(count, seed=seed):
        for name, numbers in values.items():
            total = weights @ (~np.isnan(numbers)).astype(float)
            sums = weights @ np.nan_to_num(numbers.astype(float))
            means[name].append(np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0))
    return {name: np.concatenate(blocks) for name, blocks in means.items()}
