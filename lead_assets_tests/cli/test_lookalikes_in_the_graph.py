"""From outcomes to likeness in the graph: no index, an index that new campaigns are pinned to, old ones when a person asks, and a rebuild that repeats it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lead_assets.contracts import LeadSimilarity, LookalikeBuild, Score
from lead_assets.core.settings import Settings
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.conftest import Command

KINDS = {
    True: {"title": "VP Sales", "industry": "Software", "country": "DE", "web_activity_score": 80},
    False: {"title": "Student nurse", "industry": "Hospital", "country": "FR", "web_activity_score": 5},
}


def file_of(campaign: str, count: int, folder: Path, *more: dict[str, object]) -> Path:
    """Leads that alternate between the two kinds, p0 of the first."""
    rows = [{"email": f"p{n}@{campaign}-{n}.example", "full_name": f"Jane {campaign.title()}{n}"} | KINDS[n % 2 == 0] for n in range(count)]
    file = folder / f"{campaign}.ndjson"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *more]))
    return file


@pytest.mark.slow
def test_leads_are_compared_with_those_that_have_ended(command: Command, tmp_path: Path, home: Path) -> None:
    command("ingest", str(file_of("old", 24, tmp_path)), "--campaign", "old", "--json").answer()
    command("run", "--all", "--json").answer()
    deals = tmp_path / "deals.csv"
    deals.write_text("Email;Stage\np0@old-0.example;Closed Won\n")
    command("outcomes", "import", str(deals), "--json").answer()
    few = command("learn", "--json").answer()["lookalike"]
    assert (few["verdict"], few["artifact"], few["rows"]) == ("too_few", None, 1)
    assert "9 more won and 10 more lost leads are needed" in few["reason"]
    assert command("rescore").code == 1

    rows = "".join(f"p{n}@old-{n}.example;{'Closed Lost' if n % 2 else 'Closed Won'}\n" for n in range(24))
    deals.write_text("Email;Stage\nbuyer@elsewhere.example;Closed Won\n" + rows)
    command("outcomes", "import", str(deals), "--json").answer()
    built = command("learn", "--json").answer()["lookalike"]
    assert (built["verdict"], built["won"], built["lost"], built["customers"]) == ("in_use", 12, 12, 1)

    again = {"full_name": "A Customer"} | KINDS[True]
    more = [again | {"email": "P0@old-0.example"}, again | {"email": "buyer@elsewhere.example"}]
    command("ingest", str(file_of("new", 4, tmp_path, *more)), "--campaign", "new", "--json").answer()
    command("run", "--all", "--json").answer()
    warehouse = warehouse_of(Settings(home=home))
    old = warehouse.read(LeadSimilarity, ["old"])
    assert set(old["reason"]) == {"no index was in use when the campaign was made"}
    assert old["contrast"].null_count() == old["is_duplicate"].null_count() == 24

    new = warehouse.read(LeadSimilarity, ["new"])
    assert new["is_duplicate"].sum() == 2
    duplicates = new.filter("is_duplicate")
    assert set(duplicates["reason"]) == {"email_exact_match"}
    assert duplicates["contrast"].null_count() == 2
    compared = new.filter(~new["is_duplicate"]).sort("contrast")
    assert [value > 0 for value in compared["contrast"]] == [False, False, True, True]
    assert compared["reason"].null_count() == 4
    nearest = json.loads(compared["neighbours"][3])[0]
    assert (nearest["outcome"], nearest["similarity"] > 0.9) == ("won", True)
    assert "same industry (Software)" in nearest["shares"]
    scored = warehouse.read(Score, ["new"]).sort("lead_id")
    assert scored["contrast"].to_list() == new.sort("lead_id")["contrast"].to_list()
    assert {part["part"] for part in json.loads(scored.filter(scored["contrast"].is_not_null())["parts"][0])} >= {"lookalike"}

    assert command("rescore", "--json").answer()["moved"] == ["old"]
    command("run", "--all", "--json").answer()
    every = warehouse.read(LeadSimilarity).sort("campaign_id", "lead_id")
    mine = every.filter(every["campaign_id"] == "old")
    assert mine["is_duplicate"].sum() == 0
    assert mine["contrast"].null_count() == 0
    for lead, neighbours in mine.select("lead_id", "neighbours").iter_rows():
        assert f"old/{lead}" not in {each["id"] for each in json.loads(neighbours)}

    # Those who were customers only are leads now. The later of two leads of one customer is a duplicate, whichever campaign is asked.
    rebuilt = command("learn", "--json").answer()["lookalike"]
    assert (rebuilt["won"], rebuilt["customers"]) == (14, 0)
    assert rebuilt["artifact"] != built["artifact"]
    index, scores = warehouse.read(LookalikeBuild), warehouse.read(Score).sort("campaign_id", "lead_id")
    shutil.rmtree(home / "warehouse")
    command("run", "--all", "--json").answer()
    command("learn", "--json").answer()
    assert warehouse.read(LeadSimilarity).sort("campaign_id", "lead_id").equals(every)
    assert warehouse.read(Score).sort("campaign_id", "lead_id").equals(scores)
    assert warehouse.read(LookalikeBuild).equals(index)
    command("rescore", "--json").answer()
    command("run", "--all", "--json").answer()
    moved = warehouse.read(LeadSimilarity)
    assert moved.filter("is_duplicate")["campaign_id"].to_list() == ["new"]

    receipt = command("forget", "p0@old-0.example", "--json").answer()
    assert "archive, lookalike indices" in str(receipt), receipt
    command("run", "--all", "--json").answer()
    after = warehouse.read(LeadSimilarity)
    assert (after.height, after["contrast"].null_count()) == (28, 0), "their two leads have gone, and every index can still be asked"
