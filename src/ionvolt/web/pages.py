"""Where the page's own files and the third-party scripts lie."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import FileResponse, Response

from ionvolt.web.problems import problem

HERE = Path(__file__).parent
STATIC = HERE / "static"

TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Media types that are served; no other file is."""


def vendor_folder() -> Path:
    """Where third-party scripts are put when the package is set up (``make vendor``)."""
    return HERE / "vendor"


def served(folder: Path, name: str, remedy: str) -> Response:
    """A file of a folder.

    Raises:
        Problem: It is not there, lies elsewhere or is of no known type.
    """
    path = (folder / name).resolve() if "\0" not in name else folder
    if path.suffix not in TYPES or not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise problem("not-found", "".join(c if c.isprintable() else "?" for c in name[:100]), "no such file", remedy)
    return FileResponse(path, media_type=TYPES[path.suffix])
