"""SynthBirds: pictures drawn a second on one core, and how far the colours alone tell the classes.

Prints one JSON object. The colour classifiers of scikit-learn see the joint histograms of the default train and test
pictures; a network has to beat the best of them by where the colours are.
"""

import cv2
import numpy as np
from measure import report, seconds_of
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from calm.data_loaders.synthbirds.classes import bird_classes
from calm.data_loaders.synthbirds.files import SPLITS, Options, pictures
from calm.data_loaders.synthbirds.render import render

COUNT = 300
HISTOGRAMS = {
    "RGB 4x4x4": (None, [4, 4, 4], [0, 256] * 3),
    "RGB 8x8x8": (None, [8, 8, 8], [0, 256] * 3),
    "HSV 12x4x4": (cv2.COLOR_RGB2HSV, [12, 4, 4], [0, 180, 0, 256, 0, 256]),
}
CLASSIFIERS = {
    "logistic regression": lambda: LogisticRegression(C=30, max_iter=500),
    "random forest": lambda: RandomForestClassifier(400, random_state=0),
    "7 nearest neighbours": lambda: KNeighborsClassifier(7),
}


def drawn_a_second(size: int) -> float:
    """Median over five runs of ``COUNT`` pictures."""
    classes = bird_classes(12)

    def draw():
        for number in range(COUNT):
            bird = classes[number % 12]
            render(bird.looks, (0, number), size=size, shape=bird.shape)

    draw()
    return COUNT / float(np.median([seconds_of(draw) for _ in range(5)]))


def images_and_targets(split: str) -> tuple[list[np.ndarray], np.ndarray]:
    """The pictures of a split of the default data set, before JPEG."""
    options = Options()
    classes = bird_classes(options.num_classes)
    chosen = [picture for picture in pictures(options, classes) if picture.split == split]
    images = [
        render(
            classes[p.target].looks,
            (options.seed, SPLITS.index(split), p.target, p.number),
            size=options.image_size,
            shape=classes[p.target].shape,
        ).image
        for p in chosen
    ]
    return images, np.array([picture.target for picture in chosen])


def histogram(image: np.ndarray, conversion: int | None, bins: list[int], ranges: list[int]) -> np.ndarray:
    """Square roots of the shares of pixels in each cell of a joint histogram."""
    converted = image if conversion is None else cv2.cvtColor(image, conversion)
    counts = cv2.calcHist([converted], [0, 1, 2], None, bins, ranges).ravel()
    return np.sqrt(counts / counts.sum())


def accuracy_of_colors() -> dict[str, dict[str, float]]:
    """Test accuracy in percent of every classifier on every histogram; chance is 100 / 12."""
    (train, y), (test, truth) = images_and_targets("train"), images_and_targets("test")
    accuracy = {}
    for name, setting in HISTOGRAMS.items():
        x, seen = (np.stack([histogram(image, *setting) for image in images]) for images in (train, test))
        accuracy[name] = {
            kind: round(100 * make().fit(x, y).score(seen, truth), 1) for kind, make in CLASSIFIERS.items()
        }
    return accuracy


def main() -> None:
    """Run and print."""
    cv2.setNumThreads(1)
    report(
        "synthbirds",
        images_per_second={size: round(drawn_a_second(size)) for size in (112, 224)},
        aim=250,
        accuracy_of_colors=accuracy_of_colors(),
    )


if __name__ == "__main__":
    main()
