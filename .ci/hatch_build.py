"""What the wheel holds: the checkout's scripts, root modules and rooms, one level down, in the package ``calm``."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PATTERNS = ("*.py", "*/__init__.py", "calm/*.py", "configs/*.yaml", "metadata/*.yaml", "metadata/*.txt")
"""Root modules, rooms (a folder with an ``__init__.py``), the package's own modules, and what they read."""


class CustomBuildHook(BuildHookInterface):
    """Maps ``networks/`` to ``calm/networks/``, ``engine.py`` to ``calm/engine.py``, ``calm/x.py`` to itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """An editable install needs none of it: it only puts the checkout on the path."""
        if version == "editable":
            return
        root = Path(self.root)
        for path in (path.relative_to(root) for pattern in PATTERNS for path in root.glob(pattern)):
            source = path.parent if path.name == "__init__.py" and path.parent.name != "calm" else path
            place = source if source.parts[0] == "calm" else Path("calm", source)
            build_data["force_include"][str(root / source)] = str(place)
