"""How the sandbox's model judges a lead.

Belongs here: heuristics good enough to make tests and demo meaningful. Does not belong here: reading the prompt (`model`), or fitting a
judgement into a schema (`filling`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_BRIDGE = {
    r"fix[- ]?(?:and|&|n)[- ]?flip\w*|\bflip(?:s|ped|ping|per|pers)?\b": 3,
    r"\bbridge\b|puente|br[üu]cken\w*|pr[êe]t relais": 3,
    r"\brehab\w*|\brenovat\w*|\bremodel\w*|\bgut job\b|remodela\w*|sanier\w*|r[ée]nov\w*|reforma\w*": 2,
    r"\barv\b|after[- ]repair": 2,
    r"hard money|short[- ]term (?:loan|financing|debt|capital)|\brtl\b": 2,
    r"\bresell\b|sell (?:it|them) (?:after|once|within|in)|revender|weiterverkauf\w*|ground[- ]up|\bauction\b|value[- ]add|lease[- ]up": 2,
}
_RENTAL = {
    r"\brentals?\b|\brenting\b|\brent (?:it |them )?out\b|live off the rent|alquil\w*|vermiet\w*|locatif\w*|location longue|alugu\w*|affitt\w*|verhuur\w*": 2,
    r"\bdscr\b": 3,
    r"buy[- ]and[- ]hold|long[- ]term hold|\bhold(?:ing)? (?:it|them|long|as|for)|\bto hold\b": 2,
    r"\btenants?\b|\bleased?\b|\blandlord\b|rent roll|inquilin\w*|mieter\w*|locataire\w*": 2,
    r"cash[- ]out|\brefi(?:nanc\w*)?\b|refinanci\w*|umschuld\w*": 1,
    r"\b30[- ]?y(?:ea)?r|long[- ]term (?:loan|financing|debt)|airbnb|cash ?flow": 2,
}
_FIRST_TIME = (
    r"\bfirst[- ](?:time|deal|flip|investment|property|rental|project|purchase|one|house|loan)|\bmy first\b"
    r"|never (?:done|bought|invested|flipped|owned|borrowed)|\bnew to\b"
    r"|just (?:starting|getting started|learning)|\bbeginner|\bnewbie|\bnovice|haven'?t (?:done|bought|invested)"
    r"|primera (?:vez|inversi[óo]n|propiedad)|soy nuev|erste[sn]? (?:mal|objekt|immobilie|investition)"
    r"|anf[äa]nger|premi[eè]re? (?:fois|achat|investissement)|d[ée]butant|primeira? (?:vez|im[óo]vel|investimento)"
    r"|prima volta|eerste keer"
)
_NUMBER = (
    r"(?:\d{1,3}|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty"
    r"|(?:a )?dozens?(?: of)?|several|many|tons of|lots of|plenty of|hundreds of)"
)
_DEALS = (
    r"(?:flips|deals|properties|rentals|doors|units|projects|houses|homes|loans|closings|buildings|years|exits|rehabs|assets|duplexes|condos"
    r"|propiedades|casas|immobilien|wohnungen|objekte|biens|im[óo]veis|proyectos|projekte|años|jahren?|ans|anos)"
)
_EXPERIENCED = (
    rf"\b{_NUMBER} (?:[\w-]+ ){{0,3}}{_DEALS}\b(?! of reserves| old| out)|\b\d+(?:st|nd|rd|th) (?:flip|deal|project|property|house|rental)"
    r"|\bexperienced\b|\bseasoned\b|\bveteran\b|\brepeat (?:borrower|investor|client)|closed (?:\d+|over|more|several)|\bportfolio\b"
    r"|completed \d+|flipped \d+|(?:our|my) (?:last|previous|other|next) (?:\w+ )?(?:flips?|deals?|projects?|propert\w+|rehabs?)"
    r"|full[- ]time investor|track record"
)
_RUSH = {
    5: (
        r"\basap\b|\burgent\w*|immediately|\btoday\b|\btomorrow\b|this week|\b(?:by|before|until) (?:mon|tues|wednes|thurs|fri)day"
        r"|\bauction\b|emergency|right away|hard deadline|urgente|dringend|d'urgence|sofort"
    ),
    4: (
        r"\bdeadline\b|under contract|end of (?:the |this )?month|this month|closing (?:date|soon|is set|scheduled)"
        r"|\bexpires?\b|two weeks|next week|fast clos|quick(?:ly)? clos|close (?:fast|quickly)|time[- ]sensitive"
        r"|rate lock"
    ),
    3: r"next month|this quarter|\bsoon\b|\bready to\b|actively|pre[- ]?approv\w*|offer (?:in|accepted)",
    2: r"few months|later this year|next year|next quarter|\bexploring\b|\bconsidering\b|\bplanning\b|\bcurious\b",
    1: (
        r"no rush|not in a (?:rush|hurry)|just (?:looking|browsing|curious|researching)|\bsomeday\b|no (?:timeline"
        r"|deadline|hurry)|thinking about maybe|not sure (?:when|yet|what)|sin prisa|keine eile"
    ),
}
_SPAN = re.compile(
    (
        r"\b(?:in|within|by|under|next|closing|close|closes|inside|have|en|binnen"
        r"|dans)\s+(?:the\s+)?(?:next\s+)?(\d{1,3})\s*(?:business |calendar )?(hours?|days?|weeks?|months?|d[íi]as"
        r"|tage[n]?|jours|semanas|wochen)"
    ),
    re.I,
)
_DAYS = {"h": 0.05, "d": 1, "t": 1, "j": 1, "w": 7, "s": 7, "m": 30}
_NEGATED = re.compile(r"(?:\bnot\b|\bno\b|\bnever\b|n't\b|\bwithout\b|\binstead of\b|\brather than\b)[^.,;!?]{0,24}$", re.I)
_SENTENCE = re.compile(r"[^.!?。！？\n]+(?:[.!?。！？]+(?!\s)[^.!?。！？\n]+)*[.!?。！？]*")
_TEXT_FIELDS = ("notes", "message", "comments", "comment", "bio", "description")


@dataclass
class ShownLead:
    """A lead's facts as given in the prompt, and whatever else the prompt contained."""

    facts: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)

    def get(self, *names: str) -> Any:
        """The first existing value, at any depth, with the lead's own facts before the rest."""
        for source in (self.facts, self.context):
            for name in names:
                value = _find(source, name)
                if value not in (None, "", [], {}):
                    return value
        return None

    @property
    def notes(self) -> str:
        return "\n".join(str(value) for name in _TEXT_FIELDS if isinstance(value := _find(self.facts, name), str) and value.strip())

    @property
    def first_name(self) -> str | None:
        name = self.get("first_name", "firstname", "given_name") or str(self.get("name", "full_name") or "").split(" ")[0]
        return str(name).strip() or None


@dataclass
class Judgement:
    """An answer by field, and the quotes that support it."""

    values: dict[str, Any]
    quotes: dict[str, list[str]]

    @property
    def evidence(self) -> list[str]:
        return list(dict.fromkeys(quote for quotes in self.quotes.values() for quote in quotes))[:5]


def lending(lead: ShownLead) -> Judgement:
    notes, quotes = lead.notes, dict[str, list[str]]()
    bridge, bridge_quotes = _weigh(notes, _BRIDGE)
    rental, rental_quotes = _weigh(notes, _RENTAL)
    if bridge and lead.get("estimated_arv"):
        bridge += 1
    # Two strong readings contradict each other, whichever is a little stronger.
    if bridge - rental >= 2 and bridge >= 2 * rental:
        loan_type, quotes["loan_type"] = "bridge_rtl", bridge_quotes
    elif rental - bridge >= 2 and rental >= 2 * bridge:
        loan_type, quotes["loan_type"] = "rental", rental_quotes
    else:
        loan_type, quotes["loan_type"] = "unknown", [*bridge_quotes[:1], *rental_quotes[:1]]
    novice, expert = _quotes(notes, _FIRST_TIME, negatable=False), _quotes(notes, _EXPERIENCED)
    experience = "unknown" if bool(novice) == bool(expert) else "first_time" if novice else "experienced"
    quotes["investor_experience"] = [*novice[:1], *expert[:1]]
    urgency, quotes["urgency_score"] = _urgency(notes)
    names = {"bridge_rtl": "bridge", "rental": "rental", "unknown": "no clear"}
    shown = "; ".join(f'{name.replace("_", " ")}: "{each[0]}"' for name, each in quotes.items() if each)
    rationale = f"Reads as a {names[loan_type]} loan, experience {experience.replace('_', ' ')}, urgency {urgency}. {shown or 'The notes say little.'}"
    city = lead.get("property_city", "city")
    place = f" in {city}" if isinstance(city, str) else ""
    topic = {"bridge_rtl": f"financing your project{place}", "rental": f"financing your rental property{place}"}.get(
        loan_type, "your plans"
    )
    when = "today or tomorrow" if urgency >= 4 else "this week"
    values = {
        "loan_type": loan_type,
        "investor_experience": experience,
        "urgency_score": urgency,
        "urgency": urgency,
        "outreach_message": greeting(lead)
        + f"thanks for reaching out about {topic}. Could we talk {when} to go over the numbers and the timing?",
        "classification_rationale": rationale[:900],
        "rationale": rationale[:900],
        **_rating(
            {
                f"urgency {urgency} of 5": 12 * (urgency - 3),
                f"experience {experience.replace('_', ' ')}": {"experienced": 14, "first_time": -8}.get(experience, 0),
                f"{names[loan_type]} loan": -10 if loan_type == "unknown" else 8,
            }
        ),
    }
    return Judgement(values, quotes)


def b2b(lead: ShownLead) -> Judgement:
    notes, quotes = lead.notes, dict[str, list[str]]()
    title = str(lead.get("title", "designation", "job_title", "role") or "")
    department = _first(
        title,
        {
            "sales": r"sales|revenue|account|business development|sdr|crm",
            "marketing": r"marketing|growth|brand|demand|content",
            "engineering": r"engineer|develop|technolog|\bcto\b|data|software|architect|\bit\b",
            "finance": r"financ|\bcfo\b|account(?:ing|ant)|controller",
            "operations": r"operation|\bcoo\b|logistic|supply",
            "executive": r"\bceo\b|chief executive|founder|owner|president|managing director",
        },
    )
    seniority = str(lead.get("seniority") or "") or _first(
        title,
        {
            "founder": r"founder|owner",
            "c_suite": r"\bc[etfoimr]o\b|chief|(?<!vice )president",
            "vp": r"\bvp\b|vice president|\bsvp\b|\bevp\b",
            "head": r"head of",
            "director": r"director",
            "manager": r"manager|\blead\b",
            "senior": r"senior|\bsr\b",
            "entry": r"\w",
        },
    )
    headcount = _whole(lead.get("company_headcount_min", "headcount_min", "company_headcount", "headcount", "company_size"))
    industry = lead.get("company_industry", "industry")
    points = (
        2 * (seniority in ("c_suite", "founder", "vp", "head", "director"))
        + (seniority == "manager")
        + 2 * bool(headcount and headcount >= 51)
        + bool(headcount and 11 <= headcount < 51)
        + bool(lead.get("web_activity_score", "email_engagement_score"))
        + bool(industry)
    )
    quotes["icp_fit"] = [str(value) for value in (title, industry, lead.get("company_headcount", "headcount", "company_size")) if value][:2]
    fit = "unknown" if not quotes["icp_fit"] else "strong" if points >= 4 else "moderate" if points >= 2 else "weak"
    stages = {
        "decision": r"\bquote\b|pricing|contract|procure|purchase|\bsign\b|\bbudget\b",
        "consideration": r"compar|evaluat|demo|trial|shortlist|vendor|alternative|replac|switch",
        "awareness": r"learn|curious|explor|research|looking",
    }
    stage = next((name for name, pattern in stages.items() if _quotes(notes, pattern)), "unknown")
    quotes["buying_stage"] = _quotes(notes, stages[stage])[:1] if stage in stages else []
    urgency, quotes["urgency"] = _urgency(notes)
    pains = {
        "manual work": r"manual\w*|spreadsheet\w*|by hand|copy[- ]past\w*",
        "data quality": r"duplicate\w*|dirty|bad data|data quality|inaccurate",
        "slow follow-up": r"slow\w*|too long|delay\w*|late\b",
        "cost": r"cost\w*|expensive|budget",
        "integration": r"integrat\w*|sync\w*|\bapi\b|connect\w*",
    }
    found = [pain for pain, pattern in pains.items() if re.search(pattern, notes, re.I)]
    quotes["pain_points"] = [quote for pain in found for quote in _quotes(notes, pains[pain])[:1]]
    persona = (
        "economic_buyer"
        if seniority in ("c_suite", "founder", "vp")
        else "technical_evaluator"
        if department == "engineering"
        else "champion"
        if seniority in ("head", "director", "manager")
        else "end_user"
    )
    about = f"{title or 'Role not given'}, {industry or 'industry not known'}, {headcount or 'unknown'} employees at least."
    topic = found[0] if found else "getting leads to the right person"
    rationale = f"Fit {fit}: {about} Buying stage {stage}."
    values = {
        "icp_fit": fit,
        "persona": persona if title else "unknown",
        "seniority": seniority,
        "department": department,
        "buying_stage": stage,
        "urgency": urgency,
        "urgency_score": urgency,
        "pain_points": found,
        "outreach_message": greeting(lead)
        + f"thanks for your interest. Teams like yours often ask us about {topic}. Would a short call this week help?",
        "rationale": rationale,
        "classification_rationale": rationale,
        **_rating(
            {
                f"fit {fit}": {"strong": 20, "moderate": 6, "weak": -20}.get(fit, -5),
                f"buying stage {stage}": {"decision": 16, "consideration": 8}.get(stage, -4),
                f"urgency {urgency} of 5": 6 * (urgency - 3),
            }
        ),
    }
    return Judgement(values, quotes)


def summary(lead: ShownLead) -> Judgement:
    """For any other schema: a few words about the lead."""
    parts = [
        lead.get("company", "company_name", "organization"),
        lead.get("company_industry", "industry"),
        lead.get("company_region", "country"),
    ]
    rated = f" Rated {tier}." if (tier := lead.get("tier")) else ""
    known = (", ".join(str(part) for part in parts if part) or "Little is known about this lead") + "." + rated
    sentences = [found.strip() for found in _SENTENCE.findall(lead.notes) if found.strip()]
    text = f"{known} {sentences[0][:400]}" if sentences else known
    similar = lead.get("similar_accounts")
    if isinstance(similar, list) and similar:
        text = f"{text.rstrip()} Like {str(similar[0]).partition(':')[0]}."
    values = {"summary": text, "brief": text, "next_step": "Call this week and ask about timing and budget."}
    return Judgement(
        values, {"summary": [sentence[:200].strip() for sentence in sentences[:2]] or [str(part) for part in parts if part][:2]}
    )


def _rating(reasons: dict[str, int]) -> dict[str, Any]:
    """A rating from 0 to 100: 50, moved by the reasons' points."""
    ranked = sorted(reasons, key=lambda reason: -abs(reasons[reason]))
    return {"lead_rating": min(100, max(0, 50 + sum(reasons.values()))), "rating_reasons": ranked}


# --- reading ---


def _weigh(notes: str, words: dict[str, int]) -> tuple[int, list[str]]:
    weight, quotes = 0, list[str]()
    for pattern, points in words.items():
        found = _quotes(notes, pattern)
        if found:
            weight += points
            quotes += found[:1]
    return weight, list(dict.fromkeys(quotes))


def _quotes(notes: str, pattern: str, *, negatable: bool = True) -> list[str]:
    """The sentences, word for word, in which the pattern occurs without negation."""
    quotes = []
    for sentence in _SENTENCE.findall(notes):
        for found in re.finditer(pattern, sentence, re.I):
            if not negatable or not _NEGATED.search(sentence[: found.start()]):
                quotes.append(sentence.strip()[:200].strip())
                break
    return quotes


def _urgency(notes: str) -> tuple[int, list[str]]:
    said = {level: quotes for level, pattern in _RUSH.items() if (quotes := _quotes(notes, pattern))}
    for span in _SPAN.finditer(notes):
        days = int(span[1]) * _DAYS[span[2][0].lower()]
        level = 5 if days <= 10 else 4 if days <= 21 else 3 if days <= 75 else 2
        said.setdefault(level, [next(s.strip()[:200].strip() for s in _SENTENCE.findall(notes) if span[0] in s)])
    if not said:
        return (2, []) if notes.strip() else (1, [])
    highest, lowest = max(said), min(said)
    if highest >= 4 and lowest == 1:
        return 3, [*said[highest][:1], *said[lowest][:1]]
    level = lowest if lowest == 1 else highest
    return level, said[level][:1]


def _first(text: str, patterns: dict[str, str]) -> str:
    return next((name for name, pattern in patterns.items() if re.search(pattern, text, re.I)), "unknown")


def _whole(value: Any) -> int | None:
    digits = re.match(r"\D*(\d[\d,]*)", str(value)) if value is not None else None
    return int(digits[1].replace(",", "")) if digits else None


def _find(source: Any, name: str) -> Any:
    if not isinstance(source, dict):
        return None
    if source.get(name) not in (None, ""):
        return source[name]
    return next((found for part in source.values() if (found := _find(part, name)) not in (None, "")), None)


def greeting(lead: ShownLead) -> str:
    return f"Hi {lead.first_name}, " if lead.first_name else "Hello, "
