from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webhook.scanner.probes.views import View

PREFIX = "/notebook/nbgate-probe/p1/"
_PARTS = st.sampled_from(
    ["/", "//", "\\", "..", ".", "%2e", "%2E", "?", "#", ":", "@", "a", "http:", "https:",
     "kubeflow.example.com", "notebook", "nbgate-probe", "p1", " ", "\t", "\xff", "[", "]", "%", ";"]
)  # fmt: skip
_LOCATIONS = st.lists(_PARTS, max_size=12).map("".join) | st.text(
    st.characters(max_codepoint=255), max_size=40
)


@given(location=_LOCATIONS)
def test_wherever_a_location_leads_it_stays_in_the_view_or_leaves(location: str) -> None:
    for stripped in (False, True):
        view = View(within=PREFIX, stripped=stripped)
        address = view.follow(PREFIX, location)
        if address is not None:
            assert address.startswith(PREFIX)
            assert view.target(address).startswith("/")
            path = address.partition("?")[0]
            assert not {".", ".."} & set(path.lower().replace("%2e", ".").split("/"))


@given(location=_LOCATIONS)
def test_every_target_can_stand_in_a_request_line(location: str) -> None:
    address = View().follow("/", location)
    assert address is None or all("!" <= character <= "~" for character in address)


def test_a_relative_location_is_resolved_against_what_the_browser_shows() -> None:
    view = View(within=PREFIX, stripped=True)
    assert view.follow(f"{PREFIX}a/b", "c?d") == f"{PREFIX}a/c?d"
    assert view.follow(f"{PREFIX}a/b", "../c") == f"{PREFIX}c"
    assert view.target(f"{PREFIX}a/c?d") == "/a/c?d"


def test_a_location_that_is_not_ascii_is_asked_for_percent_encoded() -> None:
    assert View().follow("/", "/caf\xc3\xa9 au lait") == "/caf%C3%A9%20au%20lait"


def test_a_fragment_is_the_browsers_own() -> None:
    assert View().follow("/", "/lab#cell") == "/lab"
