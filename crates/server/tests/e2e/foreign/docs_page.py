"""Uses the documentation page as a person would: log in, authorize, ask who one is.

Arguments: the service's address, e-mail address, password and, optionally, where to put a picture.
Prints `ok`, or says what went wrong and exits with 1.
"""

import json
import os
import sys
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright


def main() -> None:
    base, email, password, *picture = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["TESSERA_TEST_CHROMIUM"],
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        foreign: list[str] = []
        page.on("request", lambda request: None if request.url.startswith((base, "data:", "blob:")) else foreign.append(request.url))

        page.goto(base + "/api/docs/")
        tokens = execute(page, "obtainTokenPair", json.dumps({"email": email, "password": password}))
        page.locator("button.authorize").first.click()
        dialog = page.locator(".modal-ux")
        dialog.locator("input").first.fill(tokens["access"])
        dialog.locator("button.authorize").click()
        dialog.locator("button.btn-done").click()
        me = execute(page, "me", None)
        if me["email"] != email:
            fail(f"me answered {me}")
        if faults or foreign:
            fail(f"console errors: {faults}; asked elsewhere: {foreign}")
        if picture:
            page.locator("[id='operations-Account-me']").scroll_into_view_if_needed()
            page.screenshot(path=picture[0])
        browser.close()
    print("ok")


def execute(page, operation: str, body: str | None) -> dict:
    """Opens an operation, executes it, and gives the body of its answer."""
    block = page.locator(f".opblock[id$='-{operation}']").first
    block.locator(".opblock-summary-control").click()
    try_out = block.locator("button.try-out__btn:not(.cancel)")
    if try_out.count():
        try_out.click()
    if body is not None:
        block.locator("textarea.body-param__text").fill(body)
    # The page may still be fetching what belongs to itself, so only the operation's own path counts.
    path = block.locator(".opblock-summary-path").get_attribute("data-path")
    with page.expect_response(lambda response: urlsplit(response.url).path == path) as answered:
        block.locator("button.execute").click()
    response = answered.value
    if response.status != 200:
        fail(f"{operation} answered {response.status}: {response.text()}")
    block.locator(".live-responses-table .response-col_status", has_text="200").first.wait_for()
    return response.json()


def fail(reason: str) -> None:
    print(reason, file=sys.stderr)
    sys.exit(1)


main()
