"""Evidence that two rows of a campaign are about one person: a mailbox, a LinkedIn profile or a phone that they share, and names that do not contradict it.

A wrong merge loses a lead, a missed one only costs a second look, so a key that several people may share (a switchboard, info@, a family's mailbox) never
merges rows of different names. Does not belong here: ids that the source itself gave, or which row is kept (see `resolve`).
"""

from __future__ import annotations

import polars as pl

from lead_assets.core.columns import fold
from lead_assets.core.emails import mailbox_keys, shared_mailboxes

# What people type to get past a form identifies nobody.
_JUNK_PHONE = r"^(?:0*|1*|2*|3*|4*|5*|6*|7*|8*|9*)$|^0?1?234567|^9876543"
_PHONE_DIGITS = 9
_PROFILE = r"(?i)linkedin\.[a-z.]+/(?:in|pub)/([^/?#\s]+)"
_STREETS = {
    "street": "st", "strasse": "str", "avenue": "ave", "av": "ave", "road": "rd", "drive": "dr", "lane": "ln", "boulevard": "blvd", "court": "ct",
    "place": "pl", "square": "sq", "terrace": "ter", "parkway": "pkwy", "highway": "hwy", "circle": "cir", "suite": "ste",
    "apartment": "apt", "unit": "apt", "north": "n",
    "south": "s", "east": "e", "west": "w", "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
}  # fmt: skip
_TITLES = frozenset(("mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "mme", "m", "sr", "sra", "jr", "phd", "mba", "ii", "iii"))
# Short forms and what they are short for. A beginning alone is no evidence: Paul and Paula, Joseph and Josephine.
_SHORT = {
    "bill": "william", "bob": "robert", "bobby": "robert", "dick": "richard", "rick": "richard", "jim": "james", "jimmy": "james", "mike": "michael",
    "liz": "elizabeth", "beth": "elizabeth", "betty": "elizabeth", "peggy": "margaret", "meg": "margaret", "kate": "katherine", "kathy": "katherine",
    "tony": "anthony", "jack": "john", "hank": "henry", "harry": "henry", "chuck": "charles", "ted": "edward", "ned": "edward", "sasha": "alexander",
    "steve": "stephen", "dave": "david", "andy": "andrew", "joe": "joseph", "tom": "thomas", "becky": "rebecca", "bettina": "elisabeth", "paco": "francisco",
    "pepe": "jose", "nacho": "ignacio", "beppe": "giuseppe", "hans": "johannes", "fritz": "friedrich", "kurt": "konrad", "gosia": "malgorzata",
    "kasia": "katarzyna", "rob": "robert", "will": "william", "chris": "christopher", "dan": "daniel", "matt": "matthew", "nick": "nicholas", "ben": "benjamin",
    "greg": "gregory", "jeff": "jeffrey", "ken": "kenneth", "tim": "timothy", "sam": "samuel", "alex": "alexander", "max": "maximilian", "jen": "jennifer",
    "sue": "susan", "pat": "patrick", "ed": "edward", "fred": "frederick",
    "ron": "ronald", "ray": "raymond", "ali": "alison", "phil": "philip", "stefan": "stephan",
}  # fmt: skip


def same_person(rows: pl.DataFrame) -> pl.DataFrame:
    """Links by_id, by_key (numbers): rows with equal by_key are about one person and one property.

    Takes by_id (a number for the row's campaign and lead id), campaign_id, email_normalized, phone, linkedin_url, property_address, full_name, first_name,
    last_name. Only rows whose key stands under several ids are looked at more closely.
    """
    digits = rows["phone"].str.replace(r"(?i)[ ,;]*(?:x|ext\.?|extension)[ :.]*\d{1,6}\s*$", "").str.replace_all(r"\D", "")
    digits = digits.set((digits.str.contains(_JUNK_PHONE) | (digits.str.len_bytes() < _PHONE_DIGITS)).fill_null(False), None)
    profiles = rows["linkedin_url"].str.extract(_PROFILE, 1).str.to_lowercase()
    keys = {"email": mailbox_keys(rows["email_normalized"]), "phone": digits.str.tail(_PHONE_DIGITS), "profile": profiles}
    candidates = [
        pl.DataFrame({"at": range(rows.height), "by_id": rows["by_id"], "campaign_id": rows["campaign_id"], "key": key})
        .drop_nulls("key")
        .filter(pl.col("by_id").n_unique().over("campaign_id", "key") > 1)
        .with_columns(kind=pl.lit(kind))
        for kind, key in keys.items()
        if key.drop_nulls().is_duplicated().any()
    ]
    if not any(frame.height for frame in candidates):
        return pl.DataFrame(schema={"by_id": pl.Int64, "by_key": pl.Int64})
    return _linked(rows, pl.concat(candidates))


def _linked(rows: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    near = rows[candidates["at"]]
    name = near.select(
        pl.coalesce("full_name", pl.concat_str(pl.col("first_name", "last_name"), separator=" ", ignore_nulls=True)).fill_null("")
    ).to_series()
    address = fold(near["property_address"].fill_null(""))
    for long, short in _STREETS.items():
        address = address.str.replace_all(rf"\b{long}\b", short)
    address = address.str.replace_all(r"strasse\b", "str")
    blocks = candidates.with_columns(
        name=fold(name.str.replace(r"^([^,]+),\s*(\S.*)$", "$2 $1")),
        address=address,
        email=near["email_normalized"],
        shared=shared_mailboxes(near["email_normalized"]).fill_null(False) & (candidates["kind"] == "email"),
    ).with_columns(block=pl.struct("kind", "campaign_id", "key", "address").rank("dense"))
    blocks = blocks.with_columns(part=_parts(blocks))
    return blocks.drop_nulls("part").select("by_id", by_key=pl.struct("block", "part").rank("dense").cast(pl.Int64))


def _parts(blocks: pl.DataFrame) -> pl.Series:
    """Within each block, a number for each person; null for rows of which it is not certain who they are."""
    plain = blocks.select(
        (pl.col("kind") != "phone") & (pl.col("name").replace("", None).drop_nulls().n_unique().over("block") <= 1)
    ).to_series()
    parts = pl.Series("part", [0], dtype=pl.Int64).new_from_index(0, blocks.height).set(~plain, None)
    found: dict[int, int | None] = {}
    rest = blocks.with_row_index("row").filter(~plain)
    for block in rest.partition_by("block", maintain_order=True):
        names = sorted(set(block["name"].to_list()))
        of_name = _people(names, needs_name=block["kind"][0] == "phone", strict=block["kind"][0] == "phone" or bool(block["shared"].any()))
        emails: dict[int, set[str]] = {}
        for who, email in zip(block["name"].to_list(), block["email"].to_list(), strict=True):
            if (person := of_name[who]) is not None and email:
                emails.setdefault(person, set()).add(email)
        # Two namesakes behind one switchboard have two mailboxes at one company.
        doubt = {person for person, of in emails.items() if len({mail.partition("@")[2] for mail in of}) < len(of)}
        doubt = doubt if block["kind"][0] == "phone" else set()
        for row, who in zip(block["row"].to_list(), block["name"].to_list(), strict=True):
            found[row] = None if of_name[who] in doubt else of_name[who]
    return parts.scatter(list(found), pl.Series(list(found.values()), dtype=pl.Int64)) if found else parts


def _people(names: list[str], *, needs_name: bool, strict: bool) -> dict[str, int | None]:
    """A number per name, equal for spellings of one person's name. A name that fits two different people, or none at all beside several, is null."""
    full = sorted((name for name in names if name), key=lambda name: (-len(name), name))
    people: list[list[str]] = []
    answer: dict[str, int | None] = {}
    for name in full:
        fits = [number for number, known in enumerate(people) if all(same_name(name, other, strict=strict) for other in known)]
        if not fits:
            people.append([name])
            answer[name] = len(people) - 1
        elif len(fits) == 1:
            people[fits[0]].append(name)
            answer[name] = fits[0]
        else:
            answer[name] = None
    if "" in names:
        answer[""] = None if needs_name or len(people) > 1 else 0
    return answer


def same_name(one: str, other: str, *, strict: bool) -> bool:
    """Whether two folded full names can be one person's. `strict`: the key is one that many share, so both given and family name must say so;
    otherwise a family name may have changed, and a part may be missing."""
    a = [word for word in one.split() if word not in _TITLES]
    b = [word for word in other.split() if word not in _TITLES]
    if not a or not b:
        return a == b or not strict
    if sorted(a) == sorted(b) or "".join(a) == "".join(b):
        return True
    if len(a) == 1 or len(b) == 1:
        return not strict and (_same_given(a[0], b[0]) or a[-1] == b[-1])
    if not _same_given(a[0], b[0]):
        return False
    return _near(a[-1], b[-1]) or (not strict and len(a[0]) > 1 and len(b[0]) > 1)


def _same_given(a: str, b: str) -> bool:
    initial = (len(a) == 1 or len(b) == 1) and a[0] == b[0]
    return initial or _SHORT.get(a, a) == _SHORT.get(b, b) or _near(a, b)


def _near(a: str, b: str) -> bool:
    """Equal, or two neighbouring letters exchanged: a slip. One different letter is another name as often ("Mark", "Mary")."""
    if a == b:
        return True
    different = [index for index, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    return len(a) == len(b) > 3 and len(different) == 2 and a[different[0]] == b[different[1]] and a[different[1]] == b[different[0]]
