"""Opens the links of mails as a person would, and does what their pages ask for.

Arguments: a link that verifies an address, one that changes it, one that sets a password, and that
password. Prints `ok`, or says what went wrong and exits with 1.
"""

import os
import sys
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright


def main() -> None:
    verify, change, reset, password = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["TESSERA_TEST_CHROMIUM"],
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        page = browser.new_page(viewport={"width": 360, "height": 640})
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

        press(page, verify, sent, "Verify my address", "Your e-mail address is verified")
        press(page, verify, sent, "Verify my address", "This link does not work")
        press(page, change, sent, "Use this address", "Your e-mail address is changed")

        opened(page, reset, sent)
        first = page.get_by_label("New password", exact=True)
        second = page.get_by_label("New password again")
        button = page.get_by_role("button", name="Set the password")
        first.fill("password1")
        second.fill("password2")
        button.click()
        page.get_by_text("The two passwords are not the same.").wait_for()
        if sent:
            fail("it sent two passwords that differ")
        second.fill("password1")
        button.click()
        page.get_by_text("This password is too common.").wait_for()
        if first.get_attribute("aria-invalid") != "true" or page.evaluate("document.activeElement.id") != "new_password":
            fail("what is wrong is told of no field")
        first.fill(password)
        second.fill(password)
        # By the keyboard alone.
        second.press("Enter")
        page.get_by_role("heading", name="Your password is set").wait_for()

        page.reload()
        page.get_by_role("heading", name="The link is not complete").wait_for()
        if faults:
            fail(f"console errors: {faults}")
        browser.close()
    print("ok")


def press(page, link: str, sent: list[str], button: str, heading: str) -> None:
    """Opens a link, presses its button, and waits until the page says so."""
    opened(page, link, sent)
    page.get_by_role("button", name=button).click()
    page.get_by_role("heading", name=heading).wait_for()


def opened(page, link: str, sent: list[str]) -> None:
    """Opens a link; the page hides the token, and does nothing by itself."""
    sent.clear()
    page.goto(link, wait_until="networkidle")
    if urlsplit(page.url).query or "token" in page.content():
        fail(f"the token is still there: {urlsplit(page.url).path}")
    if sent:
        fail(f"it sent something by itself: {sent}")


def fail(reason: str) -> None:
    print(reason, file=sys.stderr)
    sys.exit(1)


main()
