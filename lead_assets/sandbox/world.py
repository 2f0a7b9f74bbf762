"""The made-up world behind all vendors: one set of facts per company or person, so that vendors agree where real ones would.

Belongs here: facts. Does not belong here: a vendor's format, whether the vendor knows a fact, or its price.
Everything is derived from the domain, e-mail or profile alone; dates are before `TODAY`, which never changes.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache

from lead_assets.sandbox.chance import Dice
from lead_assets.sandbox.industries import (
    COMMON_STACK,
    COUNTRY_OF_SUFFIX,
    COUNTRY_WEIGHTS,
    FIRST_NAMES,
    INDUSTRIES,
    INVESTORS,
    LAST_NAMES,
    PLACES,
    TITLES,
    Industry,
)

TODAY = date(2026, 11, 1)
HEADCOUNT_BANDS = ((1, 10), (11, 50), (51, 200), (201, 500), (501, 1000), (1001, 5000), (5001, 10000), (10001, None))
_REVENUE_BANDS = ((1, "<$1M"), (10, "$1M-$10M"), (50, "$10M-$50M"), (100, "$50M-$100M"), (500, "$100M-$500M"), (1000, "$500M-$1B"))
_STAGES = (("Seed", 2_000_000), ("Series A", 11_000_000), ("Series B", 32_000_000), ("Series C", 80_000_000), ("Series D", 160_000_000))
_MAIL_PATTERNS = {"{first}.{last}": 0.55, "{f}{last}": 0.25, "{first}": 0.12, "{first}{l}": 0.08}
FREE_MAIL = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "yahoo.com",
        "outlook.com",
        "hotmail.com",
        "icloud.com",
        "aol.com",
        "gmx.de",
        "web.de",
        "proton.me",
        "mail.com",
        "live.com",
        "msn.com",
    ]
)


@dataclass(frozen=True)
class Round:
    stage: str
    day: date
    amount_usd: int
    investors: tuple[str, ...]


@dataclass(frozen=True)
class Article:
    title: str
    outlet: str
    day: date


@dataclass(frozen=True)
class Posting:
    id: str
    title: str
    day: date
    city: str
    state: str
    country: str


@dataclass(frozen=True)
class MadeUpPerson:
    first_name: str
    last_name: str
    title: str
    seniority: str
    department: str
    email: str
    domain: str
    slug: str
    """Last part of the LinkedIn address."""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def linkedin_url(self) -> str:
        return f"http://www.linkedin.com/in/{self.slug}"


class Company:
    """All facts about the company behind a domain."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.dice = dice = Dice("company", domain)
        label, _, suffix = domain.partition(".")
        self.name = " ".join(word.capitalize() for word in re.split(r"[-_]+", label) if word) or domain
        self.industry: Industry = dice.pick("industry", INDUSTRIES)
        self.does: str = dice.pick("does", self.industry.does)
        by_suffix = COUNTRY_OF_SUFFIX.get(suffix.rpartition(".")[2])
        self.country: str = by_suffix or dice.weighted("country", COUNTRY_WEIGHTS)
        self.city, self.state, self.postal_code = dice.pick("place", PLACES[self.country])
        self.headcount = max(2, round(3 * 10 ** (3.9 * dice.unit("headcount") ** 1.3)))
        self.revenue_usd = 10_000 * round(self.headcount * self.industry.revenue_per_head * (0.6 + 0.9 * dice.unit("revenue")) / 10_000)
        self.founded_year = TODAY.year - 2 - round(60 * dice.unit("founded") ** 2) - min(12, self.headcount // 400)
        self.mail_pattern: str = dice.weighted("mail pattern", _MAIL_PATTERNS)
        self.accept_all = dice.chance("accept all", 0.15)

    @property
    def region(self) -> str:
        return f"{self.city}, {self.state}, {self.country}"

    @property
    def description(self) -> str:
        return f"{self.name} is a {self.industry.name.lower()} company in {self.city} that {self.does}."

    @property
    def headcount_band(self) -> str:
        low, high = next(band for band in HEADCOUNT_BANDS if band[1] is None or self.headcount <= band[1])
        return f"{low}-{high}" if high else f"{low}+"

    @property
    def revenue_band(self) -> str:
        millions = self.revenue_usd / 1_000_000
        return next((text for limit, text in _REVENUE_BANDS if millions < limit), "$1B+")

    @cached_property
    def stack(self) -> dict[str, list[str]]:
        """Technologies by tag; larger companies use more."""
        chosen: dict[str, list[str]] = {}
        share = min(0.9, 0.35 + 0.1 * len(str(self.headcount)))
        for tag, names in [*COMMON_STACK.items(), *self.industry.stack.items()]:
            used = [name for name in names if self.dice.chance(f"stack {tag} {name}", share / (1 + (len(names) - 1) * 0.4))]
            if used:
                chosen[tag] = sorted({*chosen.get(tag, []), *used})
        return chosen or {"email": ["Google Workspace"]}

    @property
    def technologies(self) -> list[str]:
        return sorted({name for names in self.stack.values() for name in names})

    @cached_property
    def rounds(self) -> list[Round]:
        """Funding rounds, oldest first; most companies have none."""
        if not self.dice.chance("venture", self.industry.venture) or self.headcount < 5:
            return []
        reached = 1 + sum(self.headcount > limit for limit in (25, 90, 300, 900))
        count = min(reached, self.dice.between("rounds", 1, 5))
        first = date(max(self.founded_year + 1, TODAY.year - 1 - 2 * count), self.dice.between("round month", 1, 12), 14)
        rounds = []
        for index, (stage, usual) in enumerate(_STAGES[:count]):
            day = first + timedelta(days=index * self.dice.between("round gap", 380, 640))
            amount = 100_000 * round(usual * (0.6 + 0.9 * self.dice.unit(f"amount {stage}")) / 100_000)
            if day < TODAY:
                rounds.append(Round(stage, day, amount, tuple(self.dice.some(f"investors {stage}", INVESTORS, 1 + index % 3))))
        return rounds

    @property
    def funding_total_usd(self) -> int:
        return sum(each.amount_usd for each in self.rounds)

    @cached_property
    def news(self) -> list[Article]:
        """Articles, newest first."""
        subjects = [
            f"{self.name} opens an office in {self.city}",
            f"{self.name} names a new head of operations",
            f"{self.name} reports a record quarter",
            f"{self.name} pilots AI assistants in customer service",
            f"{self.name} signs a supplier for its {self.industry.keywords[0]} business",
        ]
        if self.rounds:
            subjects.append(f"{self.name} raises its {self.rounds[-1].stage}")
        count = self.dice.between("news", 0, 4)
        chosen = self.dice.some("news subjects", subjects, count)
        days = sorted(self.dice.between(f"news day {i}", 3, 300) for i in range(len(chosen)))
        outlets = ("Trade Courier", "Morning Ledger", "Regional Business Wire")
        return [
            Article(title, self.dice.pick(title, outlets), TODAY - timedelta(days=ago)) for title, ago in zip(chosen, days, strict=True)
        ]

    @cached_property
    def postings(self) -> list[Posting]:
        """Open jobs, newest first."""
        count = min(25, self.dice.between("postings", 0, 2 + self.headcount // 60))
        found = []
        for index in range(count):
            day = TODAY - timedelta(days=self.dice.between(f"posting day {index}", 1, 90))
            title = self.dice.pick(f"posting {index}", self.industry.jobs)
            found.append(Posting(self.dice.hex(f"posting id {index}", 24), title, day, self.city, self.state, self.country))
        return sorted(found, key=lambda posting: (posting.day, posting.id), reverse=True)

    @cached_property
    def people(self) -> list[MadeUpPerson]:
        """The people whom the vendors know there."""
        people: dict[str, MadeUpPerson] = {}
        for index in range(min(12, 2 + self.headcount // 40)):
            first, last = self.dice.pick(f"first {index}", FIRST_NAMES), self.dice.pick(f"last {index}", LAST_NAMES)
            person = self.person(first, last)
            people.setdefault(person.email, person)
        return list(people.values())

    def person(self, first_name: str, last_name: str) -> MadeUpPerson:
        """A person with this name at this company."""
        dice = Dice("person", self.domain, first_name.lower(), last_name.lower())
        title, seniority, department = dice.pick("title", TITLES)
        slug = "-".join(part for part in (slugged(first_name), slugged(last_name)) if part)
        address = self.address(first_name, last_name)
        return MadeUpPerson(first_name, last_name, title, seniority, department, address, self.domain, slug)

    def address(self, first_name: str, last_name: str) -> str:
        """The e-mail of a person with this name, by the company's pattern."""
        first, last = slugged(first_name).replace("-", ""), slugged(last_name).replace("-", "")
        local = self.mail_pattern.format(first=first, last=last, f=first[:1], l=last[:1]).strip(".")
        return f"{local or 'info'}@{self.domain}"


@lru_cache(maxsize=50_000)
def company(domain: str) -> Company:
    return Company(domain)


def domain_of(address: str) -> str:
    """The host of a web address or an e-mail, lower case, without `www.`; empty if there is none."""
    text = address.strip().lower()
    text = text.rpartition("@")[2] if "@" in text and "/" not in text else text
    text = text.partition("://")[2] or text
    return re.split(r"[/?#:]", text)[0].removeprefix("www.")


def slug_of(profile_url: str) -> str:
    """The last part of a profile's address, e.g. `jane-doe` of `https://www.linkedin.com/in/jane-doe/`."""
    return re.split(r"[?#]", profile_url.strip().lower())[0].rstrip("/").rpartition("/")[2]


def slugged(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or Dice("slug", text).hex("slug", 6)


def name_of_slug(slug: str) -> tuple[str, str]:
    """First and last name in a profile's slug, e.g. Jane, Doe of `jane-doe-4a1b`."""
    words = [word.capitalize() for word in re.split(r"[-_.]+", slug) if word.isalpha()]
    return (words[0] if words else "Someone", words[-1] if len(words) > 1 else "")
