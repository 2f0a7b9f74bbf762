"""What an outreach message may not hold: placeholders, contact details, promises, and names that are not the lead's.

Belongs here: plain checks of one message against patterns and against what the model was shown. Does not belong here: lengths and types (the contract's)
or what follows from a finding (see `governance`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from lead_assets.model.profile import Facts


def has_placeholder(message: str) -> bool:
    """True for a slot that nobody filled in, in any spelling: [Name], {{first_name}}, <Company>, %NAME%, XX, ____, $NAME, "Dear ,"."""
    return _PLACEHOLDER.search(unicodedata.normalize("NFKC", message)) is not None


def has_contact_details(message: str) -> bool:
    """True for a link, an e-mail address or a phone number: the sender's are added by the sending system, any other came from somewhere else."""
    return _CONTACT.search(unicodedata.normalize("NFKC", message)) is not None


def promises(message: str, shown: str) -> Iterator[str]:
    """The kinds of promise a message makes. A closing date is none if the facts hold it: the lead said it first."""
    text = _plain(message)
    facts = _plain(shown)
    for kind, patterns in PROMISES.items():
        for match in (match for pattern in patterns for match in pattern.finditer(text)):
            denied = _DENIED.search(text[max(0, match.start() - 25) : match.start()])
            known = kind in _MAY_BE_KNOWN and _figures(match.group()) and _figures(match.group()) <= _figures(facts)
            if not denied and not known:
                yield kind
                break


def names_another(message: str, facts: Facts, shown: str, glossary: frozenset[str]) -> bool:
    """True if the message greets, is signed by, or speaks of a person or company that does not occur in the facts."""
    text = unicodedata.normalize("NFKC", message)
    known = set(_words(shown)) | glossary | _NOT_NAMES
    greeting = _GREETING.match(text)
    body = text
    if greeting is not None:
        first = set(_words(str(facts.get("first_name", "")))) | set(_words(str(facts.get("company", ""))))
        greeted = [word for word in _words(greeting["who"]) if word not in _GREETED_GENERALLY]
        if any(word not in first for word in greeted):
            return True
        body = text[greeting.end() :]
    if any(_is_foreign(match["who"], known) for pattern in _NAMED_OUTRIGHT for match in pattern.finditer(body)):
        return True
    return any(_is_foreign(run, known, at_least=2) for run in _capitalised_runs(body))


_PLACEHOLDER = re.compile(
    r"""
      \[[^\[\]]*\] | \{[^{}]*\} | <[^<>\d\s][^<>]{0,60}> | «[^»]*» | 【[^】]*】
    | %\(?[A-Za-z][\w. ]*\)?% | %\([a-z_]+\)s | \$\{?[A-Za-z_]{2,}\}? | \#[A-Za-z_]+\# | @@?[A-Za-z_]+@ | \|[A-Z_]{3,}\|
    | _{2,} | (?<![A-Za-z])[Xx]{2,}(?![A-Za-z]) | \?{3,}
    | \b(?:FIRST|LAST|FULL|YOUR|LEAD|CLIENT|CUSTOMER|COMPANY|AGENT|LENDER|CONTACT)[ _-]?NAME\b | \b[a-z]+_name\b | \b(?:Your|My|First|Last|Company)[ ]Name\b
    | \((?:insert|your|first|last|company|lead|name|their)\b[^)]*\)
    | \b(?:INSERT|PLACEHOLDER|TBD|TODO|LOREM)\b | \b(?:insert|placeholder)\s+(?:name|company|here)\b
    | ^\s*(?i:dear|hi|hello|hey)\s+[,!] | \b(?i:dear|hi|hello|hey)\s+(?i:name)\b | \b(?i:undefined|none|null|nan),
    """,
    re.VERBOSE | re.MULTILINE,
)
_CONTACT = re.compile(
    r"(?i)https?:|\bwww\.|\S@\S+\.\S|(?<![\w.])[\w-]+\.(?:com|net|org|io|co|ai|biz|info|ru|cn|xyz|top|link|click|app|dev|me|ly|example)\b(?:/\S*)?"
    r"|(?:\+|\(?\b)\d{1,3}[)\s.-]{1,2}\d{3}[\s.-]\d{3,4}\b|\b\d{3}[.-]\d{4}\b|\+\d{9,}"
)

_DENIED = re.compile(r"(?:\bno|\bnot|\bnever|\bwithout|n't|cannot)\s+(?:\w+\s+){0,2}$")
PROMISES: dict[str, tuple[re.Pattern[str], ...]] = {
    kind: tuple(re.compile(pattern) for pattern in patterns)
    for kind, patterns in {
        "guarantee": (
            r"\bguarante(?:e|es|ed|eing)\b",
            r"\bgarant(?:iz|is|id|ie|ia|it|ii|i\b)\w*",
            r"\b(?:risk[- ]free|no risk|zero risk|100 ?% (?:certain|sure|safe|approv\w*|funded|financing)|we promise|i promise|assured?)\b",
        ),
        "approval": (
            r"\b(?:pre-?approv\w+|pre-?qualified)\b",
            r"\byou(?:'re| are| have been| were|'ve been| will be|'ll be| get| already) (?:\w+ )?(?:approved|funded|qualified|accepted)\b",
            r"\b(?:instant|certain|automatic|same[- ]day|immediate|easy|sure) (?:approval|funding|decision)\b",
            r"\b(?:approval|funding|loan|financing) (?:is|has been|will be) (?:\w+ )?(?:certain|sure|approved|secured|in place|done|confirmed)\b",
            r"\b(?:we will|we'll|i will|i'll) (?:approve|fund) (?:you|your|it|this)\b",
            r"\b(?:no credit check|no questions asked|everyone (?:is )?approved|can't be (?:denied|declined))\b",
            r"\b(?:aprobad[oa]|preaprobad[oa]|genehmigt|approuve)\b",
        ),
        "rate": (
            r"\d+(?:[.,]\d+)? ?(?:%|percent|pct)(?! (?:down|ltv|arv|ltc|of|equity|vacan\w+|occup\w+))",
            r"\b(?:lowest|best|cheapest|unbeatable|rock[- ]bottom) (?:\w+ )?(?:rates?|prices?|terms?)\b",
            r"\b(?:no|zero|0) (?:points|interest|fees?|closing costs?)\b",
            r"\b(?:lock in|locked) (?:a |your )?rate\b",
        ),
        "closing_date": (
            r"\b(?:clos(?:e|ed|es|ing)|fund(?:ed|ing|s)?|money|cash|wired?)\b[^.!?]{0,40}?\b(?:in|within|under|by)\b[^.!?]{0,25}?\b"
            r"(?:\d+|two|three|five|seven|ten|fourteen|twenty)[ -](?:business |working )?(?:hours?|days?|weeks?)\b",
            r"\b(?:we|i)(?:'ll| will| can)? (?:clos\w+|fund\w*)\b[^.!?]{0,30}?\b(?:by|on|before|this|next|tomorrow|today)\b[^.!?]{0,20}",
        ),
        "result": (
            r"\b(?:double|triple|10x|\d+x) (?:your|the) \w+",
            r"\b(?:will|'ll) (?:save|earn|make|gain|boost|increase|cut|grow) (?:you |your )?[^.!?]{0,20}\d+",
        ),
    }.items()
}
_MAY_BE_KNOWN = frozenset({"closing_date", "rate"})

_FIGURE = re.compile(
    r"\d+(?:[.,]\d+)*|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:today|tomorrow|two|three|five|seven|ten|fourteen|twenty)\b"
    r"|\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b|\b(?:week|month)\b"
)


def _figures(text: str) -> set[str]:
    return set(_FIGURE.findall(text))


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return " ".join("".join(char for char in folded if not unicodedata.combining(char)).casefold().split())


_GREETING = re.compile(
    r"\s*(?i:hi|hello|hey|dear|greetings|good (?:morning|afternoon|evening|day)|hola|buenos d[ií]as|bonjour|hallo|ol[aá]|ciao)\b(?:\s+there)?"
    r"[ ,]*(?P<who>(?:[^\W\d_a-z][\w'’.-]*[ ]?){0,4})"
)


def _word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_GREETED_GENERALLY = _word_set(
    "there team all everyone folks friend sir madam investor mr mrs ms miss mx dr prof thanks thank i we your you it if let would are could can with happy"
    " congratulations great appreciate saw noticed based looks sounds to our the this following quick just for"
)
_WHO = r"(?P<who>[^\W\d_a-z][\w'’-]+(?:\s+(?:[^\W\d_a-z][\w'’-]+|&|de|van|der|von|la))*)"
_NAMED_OUTRIGHT = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:[Bb]est|[Kk]ind|[Ww]arm)?\s*(?:[Rr]egards|[Bb]est|[Cc]heers|[Ss]incerely|[Tt]hanks|[Tt]hank you|[Yy]ours)\s*[,\n—-]+\s*{_WHO}\s*\.?\s*$",
        rf"[—–]\s*{_WHO}\s*\.?\s*$",
        rf"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.?\s+{_WHO}",
        rf"\b(?:[Ii]'m|[Ii]’m|I am|[Tt]his is|[Mm]y name is|[Cc]all me|[Aa]sk for|[Ss]peak (?:to|with)|[Mm]y colleague)\s+{_WHO}",
        rf"\b(?:from|at|with|like|and|or|between|than|by|for)\s+{_WHO}",
        rf"{_WHO}\s+(?:Inc|LLC|Ltd|Corp|GmbH|Capital|Lending|Bank|Partners|Group|Holdings|Ventures|Financial|Mortgage)\b",
    )
)
_NOT_NAMES = _word_set(
    "i we you he she it they a an the and or but if so as at by for from in of on to with your our my this that these those is are was can could would will"
    " do does did have has let what when where which who how why happy thanks thank best regards hi hello dear hey there team friend yes no not just quick"
    " january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday"
    " jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun am pm et pt ct est pst cst q1 q2 q3 q4"
    " english spanish us usa uk eu america american states united north south east west new"
    " alabama alaska arizona arkansas california carolina colorado connecticut dakota delaware florida georgia hawaii idaho illinois indiana iowa kansas"
    " kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada hampshire jersey mexico york ohio"
    " oklahoma oregon pennsylvania rhode island tennessee texas utah vermont virginia washington wisconsin wyoming"
    " ceo cfo cto coo cmo cro vp svp hr it ai api crm b2b saas roi kpi faq pdf loan loans fix flip flips rental rentals bridge rtl dscr arv ltv sfr"
    " property properties portfolio project projects deal deals refinance commercial residential single family multifamily duplex"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n—–-]\s*|[\"“'(]\s*)$")
_CAPITALISED = re.compile(r"[^\W\d_a-z][\w'’-]*(?:[ ]+(?:&|[^\W\d_a-z][\w'’-]*))*")


def _capitalised_runs(text: str) -> Iterator[str]:
    """Runs of capitalised words, without the word that a sentence begins with."""
    for match in _CAPITALISED.finditer(text):
        words = match.group().split()
        if _SENTENCE_START.search(text[: match.start()]):
            words = words[1:]
        if words:
            yield " ".join(words)


def _is_foreign(run: str, known: set[str], *, at_least: int = 1) -> bool:
    unknown = [word for word in _words(run) if word not in known and not word.isdigit()]
    return len(unknown) >= at_least


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def _words(text: str) -> list[str]:
    return [word.removesuffix("'s") for word in _WORD.findall(_plain(text))]
