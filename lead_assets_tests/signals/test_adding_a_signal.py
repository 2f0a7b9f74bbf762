"""A signal is one declaration, one contract and one parser: it is requested, paid, estimated, merged and documented without any other change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lead_assets.core.project_files import project_file
from lead_assets.sandbox import Handle
from lead_assets.sandbox.world import company

CONTRACT = '''
from typing import Annotated, ClassVar

from lead_assets.contracts.base import Column
from lead_assets.contracts.signals import SignalRow


class AddressPattern(SignalRow):
    """How a company writes its e-mail addresses."""

    table: ClassVar[str] = "signals.address_pattern"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    address_pattern: Annotated[str | None, Column("Pattern of the company's addresses", enriches=True)] = None
    industry: Annotated[str | None, Column("Industry", enriches="company_industry", rank=3)] = None
    webmail: Annotated[bool | None, Column("True if anybody can have an address there", enriches=False)] = None
'''
DECLARATION = """
  address_pattern:
    subject: company_domain
    lifetimes: {found: 90d, not_found: 30d}
    sources:
      - {provider: hunter, operation: domain-search, parser: hunter_pattern, credits: 1, billing: on_success, config: {limit: 1}}
"""
PARSER = """

def pattern(body: Any) -> Values | None:
    return {"address_pattern": body["pattern"], "industry": body["industry"], "webmail": body["webmail"]}


PARSERS["hunter_pattern"] = pattern
"""
USED = """
import contextlib, io, json, sys
from lead_assets.cli.app import main
from lead_assets.contracts.reference import reference

def told(*arguments):
    sys.argv = ["lead-assets", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main()
        except SystemExit as stop:
            assert not stop.code, arguments
    return json.loads(out.getvalue())

told("ingest", "leads.ndjson", "--campaign", "c", "--json")
said = {"estimate": told("estimate", "--campaign", "c", "--json")}
said["run"] = told("run", "--campaign", "c", "--select", '+key:"signals/enriched_leads"', "--json")
said["costs"] = told("costs", "--by", "signal", "--json")
told("export", "signals.enriched_leads", "--format", "json", "--out", "enriched.json", "--json")
told("export", "signals.organization", "--format", "json", "--out", "organization.json", "--json")
told("export", "signals.company_overview", "--format", "json", "--out", "overview.json", "--json")
print(json.dumps(said | {"reference": reference()}))
"""
DOMAINS = [f"firm{number}.example" for number in range(12)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The product with one more signal."""
    folder = tmp_path / "checkout"
    package = project_file("lead_assets")
    shutil.copytree(package, folder / "lead_assets", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("sql", "dagster.yaml", "workspace.yaml"):
        (shutil.copytree if project_file(name).is_dir() else shutil.copy)(project_file(name), folder / name)
    (folder / "lead_assets" / "contracts" / "address_pattern.py").write_text(CONTRACT)
    with (folder / "lead_assets" / "vendors" / "hunter" / "parsers.py").open("a") as parsers:
        parsers.write(PARSER)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "signals.yaml").write_text((package / "rules" / "signals.yaml").read_text() + DECLARATION)
    leads = [{"email": f"p{n}@{domain}", "company": f"Firm {n}", "full_name": "Jane Doe"} for n, domain in enumerate(DOMAINS)]
    (tmp_path / "leads.ndjson").write_text("".join(json.dumps(lead) + "\n" for lead in leads))
    return folder


@pytest.mark.slow
def test_a_new_signal_is_bought_merged_estimated_and_documented(checkout: Path, sandbox: Handle) -> None:
    where = checkout.parent
    environment = {"PYTHONPATH": str(checkout), "LEAD_ASSETS_HOME": str(where / "home"), "LEAD_ASSETS_RULES_DIR": str(where / "rules")}
    environment |= {"LEAD_ASSETS_SANDBOX_URL": sandbox.url, "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", USED], cwd=where, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout)

    (expected,) = [row for row in said["estimate"]["rows"] if row["signal"] == "address_pattern"]
    assert (expected["provider"], expected["subjects"], expected["usd"]) == ("hunter", 12, pytest.approx(12 * 0.034))
    # The same operation could serve contacts, whose source of it is switched off as shipped.
    (spent,) = [row for row in said["costs"]["rows"] if "address_pattern" in row["signal"].split(" + ")]
    assert Decimal(str(spent["usd"])) == Decimal("0.034") * sandbox.billed("hunter", "domain-search")
    assert spent["answers"] == 12

    enriched, organization, overview = (
        {row["lead_id"]: row for row in json.loads((where / f"{name}.json").read_text())}
        for name in ("enriched", "organization", "overview")
    )
    by_domain: dict[str, Any] = {row["company_domain"]: row for row in enriched.values()}
    assert {domain: row["address_pattern"] for domain, row in by_domain.items()} == {
        domain: company(domain).mail_pattern for domain in DOMAINS
    }
    for lead, row in enriched.items():
        provenance = json.loads(row["provenance"]) if isinstance(row["provenance"], str) else row["provenance"]
        assert provenance["address_pattern"]["provider"] == "hunter"
        assert "address_pattern" in row["signals_found"]
        said_industry = [each[lead]["company_industry"] for each in (overview, organization)]
        known = next((name for name, value in zip(("pipe0", "apollo"), said_industry, strict=True) if value), "hunter")
        assert provenance["company_industry"]["provider"] == known
    assert "webmail" not in next(iter(enriched.values()))

    documented = said["reference"]
    own, merged = (documented.partition(f"## signals.{name}\n")[2].partition("\n## ")[0] for name in ("address_pattern", "enriched_leads"))
    assert "| `webmail` | BOOLEAN | yes |  | True if anybody can have an address there |" in own
    assert "| `address_pattern` | VARCHAR | yes |  | Pattern of the company's addresses |" in merged
    assert (
        "(from `signals.company_overview.company_industry`, `signals.organization.company_industry`, `signals.address_pattern.industry`)"
        in merged
    )
