"""The crystal in 3D: colours, atoms under the pointer, cells, keys."""

import re

import numpy as np
import pytest
from PIL import Image

from web.page.browser import crystal, example, expect, needs_3d, needs_browser

pytestmark = [pytest.mark.slow, needs_browser, needs_3d]


def test_the_atoms_of_a_crystal(opened):
    """On one page: drawing in 3D without a graphics card takes most of the time."""
    page = example(opened(in_3d=True), "LiFePO4")
    hovering_tells_of_an_atom_and_clicking_finds_it_in_the_table(page)
    page.mouse.move(0, 0)
    coloured_by_local_voltage_or_element(page)
    coloured_by_coordination_and_oxidation_state(page)


def hovering_tells_of_an_atom_and_clicking_finds_it_in_the_table(page):
    image = crystal(page)
    box = page.locator("#stage").bounding_box()
    tip = page.locator("#tip")
    # Atoms are where colour is; the largest patches come first.
    spread = image.max(2) - image.min(2)
    candidates = np.argwhere(spread > 90)[:: max(1, (spread > 90).sum() // 60)]
    for y, x in candidates:
        page.mouse.move(box["x"] + int(x), box["y"] + int(y))
        page.wait_for_timeout(140)
        if tip.is_visible():
            break
    expect(tip).to_be_visible()
    text = tip.inner_text()
    assert re.search(r"^(Fe|P|O)\s+atom \d+", text), text
    assert re.search(r"\d\.\d+ ± \d\.\d+ V", text), text
    assert re.search(r"coordination \d+\.\d: ", text), text
    page.mouse.click(box["x"] + int(x), box["y"] + int(y))
    lit = page.locator("#site-table tr.lit")
    expect(lit).to_have_count(1)
    assert lit.locator("th").inner_text() == re.search(r"atom (\d+)", text)[1]


def coloured_by_local_voltage_or_element(page):
    image = crystal(page)
    red, blue = image[..., 0], image[..., 2]
    assert (blue - red > 60).sum() > 500  # below the mean
    assert (red - blue > 60).sum() > 500  # above it
    low, middle, high = page.locator("#legend .ticks span").all_text_contents()
    low, middle, high = (float(re.search(r"[\d.−]+", s)[0].replace("−", "-")) for s in (low, middle, high))
    assert low < middle < high
    assert middle == pytest.approx((low + high) / 2, abs=0.011)

    page.get_by_label("Element", exact=True).check(force=True)
    expect(page.locator("#legend .keys li")).to_have_text(["Fe", "P", "O"])
    again = crystal(page)
    # Oxygen is red by custom, iron and phosphorus orange: no blue is left.
    assert (again[..., 2] - again[..., 0] > 60).sum() < 50
    assert ((again[..., 0] > 150) & (again[..., 1] < 60) & (again[..., 2] < 60)).sum() > 500

    with page.expect_download() as waiting:
        page.locator("#view-png").click()
    name = waiting.value.suggested_filename
    assert name == "ionvolt-crystal.png"
    assert Image.open(waiting.value.path()).size[0] > 200


def coloured_by_coordination_and_oxidation_state(page):
    page.get_by_label("Coordination", exact=True).check(force=True)
    expect(page.locator("#legend")).to_contain_text("effective coordination number")
    page.get_by_label("Oxidation state", exact=True).check(force=True)
    expect(page.locator("#legend .keys")).to_contain_text("Fe 3+")
    expect(page.locator("#legend .keys")).to_contain_text("O 2−")
    plain = crystal(page)
    page.locator("#polyhedra").check()
    assert np.abs(crystal(page) - plain).sum() > 100_000
    atoms = int(page.locator("#stage").get_attribute("data-atoms"))
    page.locator("#beyond").uncheck()
    expect(page.locator("#stage")).not_to_have_attribute("data-atoms", str(atoms))


def test_cells_are_chosen_and_the_keyboard_turns_the_crystal(opened):
    page = example(opened(in_3d=True), "TiS2")
    crystal(page)
    few = int(page.locator("#stage").get_attribute("data-atoms"))
    page.locator("#cells").select_option("1")
    expect(page.locator("#stage")).not_to_have_attribute("data-atoms", str(few))
    before = crystal(page)
    page.locator("#stage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    assert np.abs(crystal(page) - before).sum() > 100_000
    page.keyboard.press("0")
    assert np.abs(crystal(page) - before).mean() < 3
