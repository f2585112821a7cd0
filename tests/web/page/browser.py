"""A browser, and what is done and seen on the page."""

import io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ionvolt

EXAMPLES = Path(ionvolt.__file__).parent / "examples"
VENDOR = Path(ionvolt.__file__).parent / "web" / "vendor" / "3Dmol-min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGS = [
    "--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Drawing all of a page as if by a graphics card, in software, is three quarters of what its tests cost: only the
# crystal is drawn so.
FLAT = [*ARGS, "--disable-gpu"]
IN_3D = [*FLAT, "--use-angle=swiftshader-webgl", "--enable-unsafe-swiftshader"]
# A result on a machine whose cores are busy.
SECONDS = int(os.environ.get("IONVOLT_TEST_SECONDS", "30"))

expect: Any
try:
    from playwright import sync_api
except ImportError:
    expect = None
    needs_browser = pytest.mark.skip(reason="playwright is not installed (pip install '.[test]')")
else:
    expect = sync_api.expect
    expect.set_options(timeout=SECONDS * 1000)
    needs_browser = pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)"
    )
needs_3d = pytest.mark.skipif(not VENDOR.exists(), reason="the 3D viewer is not there (make vendor)")


def example(page, name):
    page.locator(f'.chip[data-id="{name}"]').click()
    return result(page)


def result(page):
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false", timeout=SECONDS * 1000)
    expect(page.locator("#card .number")).to_be_visible()
    expect(page.locator("#why")).not_to_have_attribute("aria-busy", "true", timeout=SECONDS * 1000)
    expect(page.locator("#site-table tbody tr").first).to_be_visible(timeout=SECONDS * 1000)
    return page


def crystal(page):
    expect(page.locator("#stage[data-atoms]")).to_be_visible(timeout=SECONDS * 1000)
    page.wait_for_timeout(150)
    return np.asarray(Image.open(io.BytesIO(page.locator("#stage").screenshot())).convert("RGB")).astype(int)


def voltages(page):
    return {
        bar.get_attribute("data-ion"): bar.locator("text.value").text_content()
        for bar in page.locator("#chart [data-ion]").all()
    }


def sideways(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def downloaded(page, selector):
    with page.expect_download() as waiting:
        page.locator(selector).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_text(encoding="utf-8")
