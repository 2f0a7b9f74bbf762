"""What an outreach message must not contain: placeholders, contact details, promises, and names other than the lead's.

Belongs here: checks of one message against patterns and against what the model was shown, and a fast scan over many messages that finds which of
them need these checks. Does not belong here: lengths and types (see the contract), or consequences (see `governance`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property, lru_cache, partial
from typing import NamedTuple

import polars as pl

from lead_assets.model.profile import Facts, shown_text
from lead_assets.model.screens import screen

_FEW = 50
VERSION = "1"
"""Increase it when messages are judged differently than before, like `governance.VERSION`."""


class Shown:
    """What a model was shown about one lead. Each form of it is built once, and only if a rule needs it."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._words: set[str] = set()
        self._unread = self._parts()

    @cached_property
    def text(self) -> str:
        return shown_text(self.facts)

    @cached_property
    def figures(self) -> set[str]:
        return _figures(_plain(self.text))

    def lacks(self, words: Iterable[str]) -> set[str]:
        """The words that do not occur in `text`; reads no more of it than necessary."""
        missing = set(words) - self._words
        while missing and (part := next(self._unread, None)) is not None:
            self._words.update(_words(part))
            missing -= self._words
        return missing

    def _parts(self) -> Iterator[str]:
        yield from (f"{name}: {value}" for name, value in self.facts.items())
        yield self.text


class PartedMessage(NamedTuple):
    """A message in parts; `greeted` is "" for nobody."""

    text: str
    greeted: str
    body: str
    """What comes after the greeting."""


def message(text: str) -> PartedMessage:
    """The message in parts."""
    composed = _composed(text)
    greeting = _GREETING.match(composed)
    return PartedMessage(text, "", composed) if greeting is None else PartedMessage(text, greeting["who"], composed[greeting.end() :])


def suspects(messages: Sequence[PartedMessage]) -> pl.DataFrame:
    """Columns placeholder, contact, promise: False if the message cannot break that rule, so that the rule need not run on it. Column names: which of the
    ways to name somebody may be in it (see `names_another`), 0 for none.

    Uses the rules' own patterns as screens (see `screens`), which are fifty times as fast. The two engines agree
    on letters and white space for plain Western text; any other message is suspected of everything. So is each of a few, because compiling the screens
    takes as long as a hundred messages.
    """
    if len(messages) < _FEW:
        every = [True] * len(messages)
        return pl.DataFrame({"placeholder": every, "contact": every, "promise": every, "names": [-1] * len(messages)})
    texts = [each.text for each in messages]
    text = pl.Series("text", texts, dtype=pl.String)
    frame = pl.DataFrame(
        {
            "strange": ~text.str.contains(_FAMILIAR),
            "text": text,
            "plain": pl.Series([_plain(each) for each in texts], dtype=pl.String),
            "body": pl.Series([each.body for each in messages], dtype=pl.String),
        }
    )
    looks = {"placeholder": ("text", [_PLACEHOLDER]), "contact": ("text", [_CONTACT])}
    looks["promise"] = ("plain", [pattern for patterns in PROMISES.values() for pattern in patterns])
    ways = [
        (pl.col("strange") | pl.col("body").str.contains(_screen((pattern,)))).cast(pl.Int64) * 2**way
        for way, pattern in enumerate([*_NAMED_OUTRIGHT, _TWO_NAMES])
    ]
    return frame.select(
        **{rule: pl.col("strange") | pl.col(form).str.contains(_screen(tuple(patterns))) for rule, (form, patterns) in looks.items()},
        names=pl.sum_horizontal(ways),
    )


def has_placeholder(message: str) -> bool:
    """True for an unfilled slot in any spelling: [Name], {{first_name}}, <Company>, %NAME%, XX, ____, $NAME, "Dear ,"."""
    return _PLACEHOLDER.search(_composed(message)) is not None


def has_contact_details(message: str) -> bool:
    """True for a link, an e-mail address or a phone number: the sending system adds the sender's, so any in the message come from elsewhere."""
    return _CONTACT.search(_composed(message)) is not None


@lru_cache(maxsize=16_384)
def spoils_a_message(name: str) -> bool:
    """True if a message that repeats this name of a person, company or place would break a rule by it. A bare domain name ("Booking.com") is a name."""
    contact = has_contact_details(name) and len(name.split()) > 1
    return contact or has_placeholder(name) or any(promises(name, Shown({})))


def promises(message: str, shown: Shown, allowed: frozenset[str] = frozenset()) -> Iterator[str]:
    """The kinds of promise in a message, except those `allowed`. A closing date from the facts is not a promise: the lead said it first."""
    text = _plain(message)
    for kind, patterns in PROMISES.items():
        if kind in allowed:
            continue
        for match in (match for pattern in patterns for match in pattern.finditer(text)):
            denied = _DENIED.search(text[max(0, match.start() - 25) : match.start()])
            known = kind in _MAY_BE_KNOWN and (figures := _figures(match.group())) and figures <= shown.figures
            if not denied and not known:
                yield kind
                break


def greets_another(message: PartedMessage, facts: Facts) -> bool:
    """True if the message greets somebody who is neither the lead nor its company."""
    if message.greeted.strip(" ,") in ("", facts.get("first_name")):
        return False
    known = {*_words(str(facts.get("first_name", ""))), *_words(str(facts.get("company", "")))}
    return any(word not in known for word in _words(message.greeted) if word not in _GREETED_GENERALLY)


def names_another(message: PartedMessage, shown: Shown, glossary: frozenset[str], ways: int = -1) -> bool:
    """True if the message is signed by, or mentions, a person or company that does not occur in the facts. `ways`: those to look for, a bit each as in
    `suspects`; all by default."""
    for way, pattern in enumerate(_NAMED_OUTRIGHT):
        if ways >> way & 1 and any(_strangers(match["who"], shown, glossary) for match in pattern.finditer(message.body)):
            return True
    return bool(ways >> len(_NAMED_OUTRIGHT) & 1) and any(
        _strangers(run, shown, glossary, least=2) > 1 for run in _capitalised_runs(message.body)
    )


_PLACEHOLDER = re.compile(
    r"""
      \[[^\[\]]*\] | \{[^{}]*\} | <[^<>\d\s][^<>]{0,60}> | «[^»]*» | 【[^】]*】
    | %\(?[A-Za-z][\w.\x20]*\)?% | %\([a-z_]+\)s | \$\{?[A-Za-z_]{2,}\}? | \#[A-Za-z_]+\# | @@?[A-Za-z_]+@ | \|[A-Z_]{3,}\|
    | _{2,} | (?<![A-Za-z])[Xx]{2,}(?![A-Za-z]) | \?{3,}
    | \b(?:FIRST|LAST|FULL|YOUR|LEAD|CLIENT|CUSTOMER|COMPANY|AGENT|LENDER|CONTACT)[\x20_-]?NAME\b | \b[a-z]+_name\b | \b(?:Your|My|First|Last|Company)\x20Name\b
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


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _plain(text: str) -> str:
    """Lower case, without accents, with single spaces."""
    if not text.isascii():
        text = _BEYOND_ASCII.sub(_unmarked, unicodedata.normalize("NFKD", text.replace("’", "'")))
    return " ".join(text.casefold().split())


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


def _unmarked(beyond_ascii: re.Match[str]) -> str:
    return "".join(char for char in beyond_ascii.group() if not unicodedata.combining(char))


_screen = cache(partial(screen, edges=False))
_FAMILIAR = "^[\\t\\n\\r -~À-ÖØ-Þà-öø-ÿ‘’“”–—€£]*$"


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
_TWO_NAMES = re.compile(r"[^\W\d_a-z][\w'’-]*(?:[ ]+(?:&|[^\W\d_a-z])|[-_]|['’]{2})")
"""Matches where a capitalised run may have more than one word."""


def _capitalised_runs(text: str) -> Iterator[str]:
    """Runs of capitalised words, without the first word of a sentence, and without those that are surely one word."""
    for match in _CAPITALISED.finditer(text):
        if match[0].isascii() and match[0].isalpha():
            continue
        words = match.group().split()
        if _starts_sentence(text, match.start()):
            words = words[1:]
        if words:
            yield " ".join(words)


def _starts_sentence(text: str, at: int) -> bool:
    place = at
    while place and text[place - 1].isspace():
        place -= 1
    # Only white space and one character before it matter, and to search all that comes before takes long.
    return _SENTENCE_START.search(text, max(0, place - 1), at) is not None


def _strangers(run: str, shown: Shown, glossary: frozenset[str], least: int = 1) -> int:
    """How many words in a run are names that are not in the facts; 0 if it has fewer than `least` names."""
    words = [word for word in _words(run) if word not in _NOT_NAMES and word not in glossary and not word.isdigit()]
    if len(words) < least:
        return 0
    unknown = shown.lacks(words)
    return sum(word in unknown for word in words)


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(word.removesuffix("'s") for word in _WORD.findall(_plain(text)))
