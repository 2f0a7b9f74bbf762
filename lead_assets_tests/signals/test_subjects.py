"""Which leads mean the same company or person."""

from __future__ import annotations

import pytest

from lead_assets.signals.subjects import subject
from lead_assets_tests.signals.leads import frame, lead


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.linkedin.com/in/Ada-Moreau/", "https://www.linkedin.com/in/ada-moreau"),
        ("linkedin.com/in/ada-moreau?trk=x", "https://www.linkedin.com/in/ada-moreau"),
        ("http://de.linkedin.com/in/ada-moreau/de", "https://www.linkedin.com/in/ada-moreau"),
        ("https://www.linkedin.com/company/moreau", None),
        ("https://notlinkedin.com/in/ada", None),
        ("n/a", None),
        ("", None),
        (None, None),
    ],
)
def test_a_profile_has_one_spelling(url: str | None, expected: str | None) -> None:
    leads = frame([lead(1, linkedin_url=url)])
    assert leads.select(subject("person_profile")).item() == expected


def test_a_blank_domain_or_mailbox_is_no_subject() -> None:
    leads = frame([lead(1, " "), lead(2, None), lead(3, "Moreau.example", email_normalized="ada@moreau.example")])
    assert leads.select(subject("company_domain")).to_series().to_list() == [None, None, "moreau.example"]
    assert leads.select(subject("email")).to_series().to_list() == [None, None, "ada@moreau.example"]
