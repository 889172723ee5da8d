"""CALM, class activation latent mapping: the one import name of the package.

In a checkout the rooms (``networks/``, ``attribution/``, ...) and root modules lie beside this folder and are found
there as ``calm.networks``, ``calm.config``, ...; an installed package holds them in here.
"""

from pathlib import Path

_HERE = Path(__file__).resolve().parent
if not (_HERE / "networks").is_dir():
    __path__.append(str(_HERE.parent))
