"""Booking pages in the frames of another site, as its owner puts them there with the official snippet."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support import expected_conditions

from tests.browser.test_booking_page import book_here, bookings_of, guest_email, press, waiting
from tests.deployed_lab import DeployedLab

__all__ = ["guest_email"]

pytestmark = [pytest.mark.browser, pytest.mark.docker]

SNIPPET = """
(function (window, script, init) {
  const queue = (api, call) => api.q.push(call);
  window.Cal = window.Cal || function () {
    const cal = window.Cal, call = arguments;
    if (!cal.loaded) {
      cal.ns = {}; cal.q = cal.q || [];
      document.head.appendChild(document.createElement("script")).src = script;
      cal.loaded = true;
    }
    if (call[0] === init && typeof call[1] === "string") {
      const api = function () { queue(api, arguments); };
      api.q = api.q || [];
      cal.ns[call[1]] = cal.ns[call[1]] || api;
      queue(cal.ns[call[1]], call); queue(cal, ["initNamespace", call[1]]);
    } else queue(cal, call);
  };
})(window, "%(url)s/embed/embed.js", "init");
window.told = [];
Cal("init", "shop", {origin: "%(url)s"});
"""
PAGES = {
    "/inline": """
<div id="calendar"></div>
<script>SNIPPET
Cal.ns.shop("inline", {elementOrSelector: "#calendar", calLink: "%(link)s"});
Cal.ns.shop("on", {action: "bookingSuccessful", callback: event => told.push(event.detail.type)});
</script>""",
    "/pop-up": """
<button id="open" data-cal-link="%(link)s" data-cal-namespace="shop" data-cal-origin="%(url)s">Book</button>
<script>SNIPPET</script>""",
    "/frames": """
<iframe id="login" src="%(url)s/auth/login"></iframe>
<iframe id="members" src="%(url)s/event-types"></iframe>
<iframe id="booking" src="%(url)s/%(link)s/embed"></iframe>""",
}


@pytest.fixture
def site(instance: DeployedLab) -> Iterator[str]:
    """Address of a site of somebody else, on this machine."""
    values = {"url": instance.url, "link": instance.guest_page.strip("/")}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = PAGES.get(self.path, "").replace("SNIPPET", SNIPPET) % values
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Shop</title>{page}".encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def enter_frame(browser: WebDriver, selector: str) -> None:
    waiting(browser).until(
        expected_conditions.frame_to_be_available_and_switch_to_it((By.CSS_SELECTOR, selector))
    )


def test_a_guest_books_in_a_frame_of_another_site(
    browser: WebDriver, instance: DeployedLab, site: str, guest_email: str
) -> None:
    browser.get(f"{site}/inline")
    enter_frame(browser, "#calendar iframe")
    book_here(browser, guest_email)
    assert len(bookings_of(instance, guest_email)) == 1
    browser.switch_to.default_content()
    waiting(browser).until(lambda driver: driver.execute_script("return told") == ["bookingSuccessful"])


def test_a_guest_books_in_a_window_that_another_site_opens(
    browser: WebDriver, instance: DeployedLab, site: str, guest_email: str
) -> None:
    browser.get(f"{site}/pop-up")
    waiting(browser).until(lambda driver: driver.execute_script("return Boolean(window.Cal && Cal.origin)"))
    press(browser, "#open")
    enter_frame(browser, "cal-modal-box iframe")
    book_here(browser, guest_email)
    assert len(bookings_of(instance, guest_email)) == 1


def test_another_site_cannot_frame_what_belongs_to_members(browser: WebDriver, site: str) -> None:
    browser.get(f"{site}/frames")
    shown = {}
    for frame in ("booking", "login", "members"):
        enter_frame(browser, f"#{frame}")
        shown[frame] = browser.execute_script("return location.protocol")
        browser.switch_to.default_content()
    assert shown == {"booking": "https:", "login": "chrome-error:", "members": "chrome-error:"}
