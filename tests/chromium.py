"""Headless Chromium for tests: Debian's chromium and chromium-driver, through Selenium."""

import shutil

import pytest

# Without these Chromium looks its maker's hosts up at every start, and draws WebGL on a GPU only.
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    # A screenshot during a fade is of a picture that is not yet there.
    "--force-prefers-reduced-motion",
)


def start(folder, *, offline=False, size=(1000, 900)):
    """A browser with a profile of its own in `folder`, where its downloads go too.

    Offline, it knows no host but those of this machine, and has no network under its pages.
    """
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (*ARGUMENTS, f"--user-data-dir={folder}/profile"):
        options.add_argument(argument)
    options.add_argument(f"--window-size={size[0]},{size[1]}")
    options.add_experimental_option("prefs", {"download.default_directory": f"{folder}/downloads"})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    browser.set_page_load_timeout(60)
    if offline:
        browser.set_network_conditions(offline=True, latency=0, throughput=0)
    return browser


def wait(browser, condition, seconds=60):
    """Returns the value of the condition, a function of the browser, once it is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds, poll_frequency=0.05).until(condition)


def complaints(browser):
    """Returns the lines of the console: scripts that failed, requests that were refused."""
    return [entry["message"] for entry in browser.get_log("browser")]
