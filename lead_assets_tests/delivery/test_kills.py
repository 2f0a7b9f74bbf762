"""Workers killed at random moments while a fifth of the requests fail: the benchmark's rehearsal, small."""

from __future__ import annotations

import pytest

from benchmarks.deliveries import again, rehearse
from lead_assets.core.settings import Settings
from lead_assets.sandbox import Handle


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_comes_twice_without_being_shown(settings: Settings, sandbox: Handle) -> None:
    said = rehearse(settings, sandbox, leads=150, kills=30, seed=7)
    assert said["ok"], said
    assert said["killed"] == 30


@pytest.mark.slow
def test_a_second_run_asks_nobody_and_a_third_sends_what_changed(settings: Settings, sandbox: Handle) -> None:
    said = again(settings, sandbox, 400)
    assert said["ok"], said
    assert said["third"]["records"] == 20, "the contact and the record of ten leads: Segment gets no title"
