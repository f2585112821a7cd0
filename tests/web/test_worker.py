"""What a worker makes of a structure on its way."""

from typing import cast

from ionvolt.web.link import Link
from ionvolt.web.settings import WEB_LIMITS
from ionvolt.web.worker import read
from ionvolt.web.workshop import Workshop, crystal_of
from web.serving import ROCK_SALT

WORKSHOP = Workshop({}, WEB_LIMITS, cast("Link", None))


def test_what_is_read_travels_whole() -> None:
    given = read({"structure": {"name": "a.cif", "text": ROCK_SALT}}, WORKSHOP)["crystal"]
    doubted = given | {"warnings": ["a note", "a doubt"], "doubts": ["a doubt"], "checked": True}
    assert read({"structure": doubted}, WORKSHOP)["crystal"] | {"checked": True} == doubted
    crystal = crystal_of(doubted, WEB_LIMITS)
    assert crystal.warnings == ("a note", "a doubt")
    assert crystal.doubts == ("a doubt",)
    assert len(crystal) == 8
