"""Pictures of the web page for docs/images: ``ionvolt serve &``, then ``python scripts/web_screenshots.py``."""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "src" / "ionvolt" / "examples"
ARGS = ["--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        for name, picture in PICTURES.items():
            page = picture(browser, given.server)
            save(page, given.output / f"web-{name}.png")
            page.context.close()
        browser.close()


def result(browser: Browser, server: str) -> Page:
    """One crystal, all ions, an atom under the pointer."""
    page = opened(browser, server, "#example=LiFePO4&ion=Li", height=900)
    box = page.locator("#stage").bounding_box()
    assert box
    for step in range(60):
        page.mouse.move(box["x"] + box["width"] * (0.36 + 0.005 * step), box["y"] + box["height"] * 0.45)
        page.wait_for_timeout(120)
        if page.locator("#tip").is_visible():
            break
    return page


def batch(browser: Browser, server: str) -> Page:
    """Several files, one of them refused, in the dark."""
    page = opened(browser, server, "", height=1010, color_scheme="dark")
    notes: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Charge at C/10, rest 2 h.\n"}
    files: list[FilePayload] = [
        {"name": p.name, "mimeType": "text/plain", "buffer": p.read_bytes()} for p in EXAMPLES.glob("*.cif")
    ]
    page.set_input_files("#files", [*files, notes])
    page.locator('#batch-table tr:has-text("V2O5") td[data-key="Mg"]').click()
    drawn(page)
    return page


def phone(browser: Browser, server: str) -> Page:
    """The same on a phone."""
    page = opened(browser, server, "", width=360, height=740, device_scale_factor=2, is_mobile=True, has_touch=True)
    page.locator('.chip[data-id="NaCoO2"]').click()
    drawn(page)
    return page


def elements(browser: Browser, server: str) -> Page:
    """The lower part: elements, sites."""
    page = opened(browser, server, "#example=MgMn2O4&ion=Mg", height=900)
    page.locator("#site-table thead th:nth-child(3) button").click()
    page.locator("#site-table tbody tr").nth(1).click()
    page.locator("#why").scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.querySelector('#why').offsetTop - 20)")
    page.wait_for_timeout(600)
    return page


PICTURES = {"result": result, "batch": batch, "phone": phone, "sites": elements}


def opened(browser: Browser, server: str, fragment: str, *, width: int = 1440, height: int, **options: object) -> Page:
    """The page in a window of its own."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{server}/{fragment}")
    page.locator(".chip").first.wait_for()
    if fragment:
        drawn(page)
    return page


def drawn(page: Page) -> None:
    """Wait until the crystal is there."""
    page.locator("#stage[data-atoms]").wait_for()
    page.wait_for_timeout(800)


def save(page: Page, path: Path) -> None:
    """A screenshot, packed tightly."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, optimize=True)
    print(path.name, f"{path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
