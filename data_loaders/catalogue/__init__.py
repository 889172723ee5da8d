"""The data sets by name. A new one is a record in a file of its own and a line here, or in the user's own code
``DATASETS["Mine"] = DataSet(name="Mine", ...)``."""

from calm.data_loaders.catalogue.cub import CUB
from calm.data_loaders.catalogue.folder import OWN_FOLDER
from calm.data_loaders.catalogue.ilsvrc import ILSVRC
from calm.data_loaders.catalogue.openimages import OPENIMAGES
from calm.data_loaders.catalogue.record import DataSet
from calm.data_loaders.catalogue.synthbirds import SYNTHBIRDS
from calm.data_loaders.catalogue.tiny_imagenet import TINY_IMAGENET
from calm.errors import UserError

__all__ = ["DATASETS", "DataSet", "dataset_named"]

DATASETS: dict[str, DataSet] = {
    data_set.name: data_set for data_set in (CUB, ILSVRC, OPENIMAGES, TINY_IMAGENET, SYNTHBIRDS, OWN_FOLDER)
}


def dataset_named(name: str) -> DataSet:
    """The record of a data set, by its name or an alias such as ImageNet."""
    for key, data_set in DATASETS.items():
        if name == key or name in data_set.aliases:
            return data_set
    known = [*DATASETS, *(alias for data_set in DATASETS.values() for alias in data_set.aliases)]
    raise UserError(f"there is no data set {name}; these are known: {', '.join(known)}")
