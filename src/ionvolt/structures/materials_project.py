"""Crystals of the Materials Project, by id, through its own client (extra ``mp``)."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

from ionvolt.errors import InputError
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.sources import as_crystal
from ionvolt.structures.wording import refusal, shown

_ID = re.compile(r"(?:mp|mvc)-[0-9a-z]{1,12}")
_KEY_LINE = re.compile(r"""^\s*["']?PMG_MAPI_KEY["']?\s*:\s*["']?(\w+)""", re.MULTILINE)


class UnavailableError(InputError):
    """The Materials Project cannot be asked: no key, no client or no connection."""


def is_id(text: str) -> bool:
    """Whether a text has the form of a Materials Project id."""
    return bool(_ID.fullmatch(text))


def check_id(mp_id: str) -> str:
    """The id in its usual form.

    Raises:
        InputError: It is none.
    """
    cleaned = mp_id.strip().lower()
    if not _ID.fullmatch(cleaned):
        raise refusal(shown(mp_id)[1:-1] or "id", "no id of the Materials Project", "Give one such as mp-25210")
    return cleaned


def find_key(key: str | None = None) -> str | None:
    """The key: the one given, ``MP_API_KEY``, or ``PMG_MAPI_KEY`` in ``~/.config/.pmgrc.yaml``."""
    found = key or os.environ.get("MP_API_KEY")
    if found:
        return found
    try:
        match = _KEY_LINE.search((Path.home() / ".config" / ".pmgrc.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        return None
    return match[1] if match else None


def require_key(mp_id: str, key: str | None = None) -> str:
    """``find_key``, or an error that says where to get one.

    Raises:
        UnavailableError: There is no key.
    """
    found = find_key(key)
    if found is None:
        raise UnavailableError(
            mp_id, "no Materials Project key", "Get one at materialsproject.org/api and set MP_API_KEY"
        )
    return found


def fetch_crystal(
    mp_id: str, key: str | None = None, *, endpoint: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> Crystal:
    """Fetch the relaxed structure of a material.

    Args:
        mp_id: Id: ``mp-25210``.
        key: API key; ``MP_API_KEY`` or ``PMG_MAPI_KEY`` of ``~/.config/.pmgrc.yaml`` otherwise.
        endpoint: Address of the API, if not the Materials Project's own.
        limits: The bounds.

    Returns:
        The checked crystal; its ``source`` is the id.

    Raises:
        UnavailableError: No key, a key that is refused, no client or no connection.
        InputError: No id, no such material, or a structure that cannot be used.
    """
    cleaned = check_id(mp_id)
    found = require_key(cleaned, key)
    try:
        from mp_api.client import MPRester
        from mp_api.client.core.exceptions import MPRestError
        from requests import RequestException
    except ImportError as error:
        raise UnavailableError(
            cleaned, "the client of the Materials Project is not installed", "Install it: pip install 'ionvolt[mp]'"
        ) from error
    structure: Any
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with MPRester(found, endpoint=endpoint, mute_progress_bars=True) as rester:
                structure = rester.get_structure_by_material_id(cleaned)
    except (MPRestError, RequestException, OSError, ValueError, KeyError) as error:
        raise UnavailableError(cleaned, *_reason(error)) from error
    if structure is None:
        raise InputError(cleaned, "the Materials Project has no such material", "Check the id at materialsproject.org")
    return as_crystal(structure, cleaned, limits)


def _reason(error: Exception) -> tuple[str, str]:
    text = str(error)
    if "code 401" in text or "code 403" in text or "api key" in text.lower() or "api_key" in text.lower():
        return "the Materials Project does not take the key", "Check MP_API_KEY against materialsproject.org/api"
    return (
        f"the Materials Project cannot be asked ({type(error).__name__})",
        "Check the network, or give a CIF",
    )
