"""Saved views: each key's own, and the shared ones; a name is given once, and nothing is replaced unasked."""

from __future__ import annotations

import pytest

from lead_assets.ledger import Ledger
from lead_assets.ledger.views import MOST_NAME, MOST_VIEWS, NameTaken, NotSaved


def names(ledger: Ledger, key: str) -> list[str]:
    return [view.name for view in ledger.views.listed(key)]


def test_views_are_of_a_key_or_of_everybody(ledger: Ledger) -> None:
    hot = ledger.views.save("ana", "Hot", {"tier": "hot"}, shared=False)
    team = ledger.views.save("ben", "Team", {"owner": "ben"}, shared=True)
    assert names(ledger, "ana") == ["Team", "Hot"]
    assert names(ledger, "ben") == ["Team"]
    assert ledger.views.save("ana", "hot", {"tier": "hot"}, shared=False) == hot  # a second click
    with pytest.raises(NameTaken, match="“Hot”"):
        ledger.views.save("ana", "HOT ", {"tier": "warm"}, shared=False)
    ledger.views.save("ana", "Hot", {"tier": "warm"}, shared=False, replace=True)
    assert [view.state for view in ledger.views.listed("ana")] == [{"owner": "ben"}, {"tier": "warm"}]
    ledger.views.rename(team.view_id, "Ours")
    ledger.views.save("ben", "Ours", {"tier": "hot"}, shared=False)  # the same name among one's own
    with pytest.raises(NameTaken):
        ledger.views.rename(ledger.views.save("ana", "Two", {}, shared=True).view_id, "ours")
    ledger.views.delete([team.view_id, "nobody"])
    assert names(ledger, "ana") == ["Two", "Hot"]
    assert len(ledger.views.every()) == 3


def test_views_keep_the_order_that_they_are_put_in(ledger: Ledger) -> None:
    ids = {name: ledger.views.save("ana", name, {"q": name}, shared=False).view_id for name in "abc"}
    ledger.views.move(ids["c"], -1)
    assert names(ledger, "ana") == ["a", "c", "b"]
    ledger.views.move(ids["a"], -1)
    ledger.views.move(ids["b"], 1)
    assert names(ledger, "ana") == ["a", "c", "b"]


@pytest.mark.parametrize("name", ["", " \n", "x" * (MOST_NAME + 1), "a\x00b", "a\u202eb"])
def test_a_name_is_short_and_can_be_read(ledger: Ledger, name: str) -> None:
    with pytest.raises(NotSaved, match="name of at most"):
        ledger.views.save("ana", name, {}, shared=False)


def test_there_is_an_end_to_them(ledger: Ledger) -> None:
    for number in range(MOST_VIEWS):
        ledger.views.save("ana", str(number), {}, shared=False)
    with pytest.raises(NotSaved, match="delete one first"):
        ledger.views.save("ana", "more", {}, shared=False)
    ledger.views.save("ben", "more", {}, shared=False)
