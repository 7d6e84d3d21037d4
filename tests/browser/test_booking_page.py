"""What people do on the pages themselves, in a real browser: book, and sign in."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.wait import WebDriverWait

from deploy.calcom.guest import Guest
from deploy.calcom.http import open_client
from tests.deployed_lab import DeployedLab

pytestmark = [pytest.mark.browser, pytest.mark.docker]

PATIENCE_SECONDS = 30
DAY = '[data-testid="day"][data-disabled="false"]'
TIME = '[data-testid="time"]'
NEXT_MONTH = '[data-testid="incrementMonth"]'
CONFIRM = '[data-testid="confirm-book-button"]'
SUCCESS = '[data-testid="success-page"]'


def waiting(browser: WebDriver) -> WebDriverWait[WebDriver]:
    """Waits for the pages; what the driver says of a page that is just being left counts as "not yet"."""
    return WebDriverWait(browser, PATIENCE_SECONDS, ignored_exceptions=[WebDriverException])


def seen(browser: WebDriver, selector: str) -> WebElement:
    """The first element of that kind that can be clicked, waited for."""
    try:
        return waiting(browser).until(
            expected_conditions.element_to_be_clickable((By.CSS_SELECTOR, selector))
        )
    except TimeoutException:
        text = browser.find_element(By.TAG_NAME, "body").text[:500]
        pytest.fail(f"{browser.current_url} shows no {selector}, but:\n{text}")


def press(browser: WebDriver, selector: str, which: int = 0) -> None:
    """Click an element of that kind, the first one unless `which` says otherwise."""
    seen(browser, selector)

    def pressed(_: WebDriver) -> bool:
        browser.find_elements(By.CSS_SELECTOR, selector)[which].click()
        return True

    waiting(browser).until(pressed)


def choose_a_day(browser: WebDriver) -> None:
    """The last free day of the month that is shown, or of the next where this one has none left."""
    seen(browser, '[data-testid="day"]')
    if not browser.find_elements(By.CSS_SELECTOR, DAY):
        press(browser, NEXT_MONTH)
    press(browser, DAY, -1)


def book_as(browser: WebDriver, instance: DeployedLab, email: str) -> str:
    """Go the whole way of a guest, from the link to the page that says it worked; returns the time chosen."""
    browser.get(instance.url + instance.guest_page)
    return book_here(browser, email)


def book_here(browser: WebDriver, email: str) -> str:
    """The same from the days on, on the page or in the frame that is looked at."""
    choose_a_day(browser)
    label = seen(browser, TIME).text
    press(browser, TIME)
    seen(browser, '[name="name"]').send_keys("Grace Guest")
    seen(browser, '[name="email"]').send_keys(email)
    press(browser, CONFIRM)
    seen(browser, SUCCESS)
    return label


def try_to_sign_in(browser: WebDriver, instance: DeployedLab, password: str) -> None:
    """Fill in and send the sign-in page, without waiting for what comes of it."""
    browser.get(f"{instance.url}/auth/login")
    seen(browser, '[name="email"]').send_keys(instance.admin_email)
    seen(browser, '[name="password"]').send_keys(password)
    press(browser, '[type="submit"]')


@pytest.fixture
def guest_email(instance: DeployedLab) -> Iterator[str]:
    """The address of a guest who was never here; what it booked is cancelled afterwards."""
    email = f"browser-{uuid.uuid4().hex[:8]}@example.com"
    yield email
    with open_client(instance.url, ca_file=instance.ca_file, connect_to=(instance.address, 443)) as client:
        for row in bookings_of(instance, email):
            Guest(client).cancel(row.split("|")[0], "the browser test is over")


def bookings_of(instance: DeployedLab, email: str) -> list[str]:
    """`uid|status|name` of each booking of that guest that still stands."""
    joined = r"\"Booking\" b join \"Attendee\" a on a.\"bookingId\" = b.id"
    where = f"a.email = '{email}' and b.status = 'accepted'"
    return instance.sql(f"select b.uid, b.status, a.name from {joined} where {where}")  # noqa: S608


def test_a_guest_books_on_the_booking_page(
    browser: WebDriver, instance: DeployedLab, guest_email: str
) -> None:
    book_as(browser, instance, guest_email)
    (row,) = bookings_of(instance, guest_email)
    uid, status, name = row.split("|")
    assert (status, name) == ("accepted", "Grace Guest")
    assert uid in browser.current_url


def test_a_time_that_was_booked_is_no_longer_offered(
    browser: WebDriver, instance: DeployedLab, guest_email: str
) -> None:
    first = book_as(browser, instance, guest_email)
    second = book_as(browser, instance, guest_email)
    assert first != second


def test_the_administrator_signs_in(browser: WebDriver, instance: DeployedLab) -> None:
    try_to_sign_in(browser, instance, instance.admin_password)
    waiting(browser).until_not(expected_conditions.url_contains("/auth/login"))
    cookie = browser.get_cookie("__Secure-next-auth.session-token")
    assert cookie is not None, f"signing in led to {browser.current_url} without a session"
    assert cookie["secure"]
    assert cookie["httpOnly"]
    browser.get(f"{instance.url}/api/auth/session")
    assert instance.admin_email in browser.find_element(By.TAG_NAME, "body").text


def test_a_wrong_password_lets_nobody_in(browser: WebDriver, instance: DeployedLab) -> None:
    try_to_sign_in(browser, instance, "not the password 1A")
    waiting(browser).until(lambda _: browser.find_element(By.CSS_SELECTOR, '[role="alert"]').text)
    assert browser.get_cookie("__Secure-next-auth.session-token") is None
    browser.get(f"{instance.url}/api/auth/session")
    assert instance.admin_email not in browser.find_element(By.TAG_NAME, "body").text
