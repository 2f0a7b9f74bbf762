"""What the sandbox's model takes for an instruction, in several languages and disguises.

A model that could not fall for an injection would prove nothing about the prompt that prevents it. `demands` is what a careless model does;
`without_instructions` is what a careful one reads instead. Does not belong here: deciding whether the prompt is careful (`model`).
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

_LATIN_OVERRIDES = re.compile(
    "|".join(
        (
            (
                r"\b(?:ignore|disregard|forget|override|bypass|skip)\b.{0,50}\b(?:instructions?|prompts?|rules?|above|previous"
                r"|prior|guidelines?|everything|earlier)\b"
            ),
            r"\b(?:ignor[ae]|olvid[ae]|descart[ae]|omite)\b.{0,50}(?:instruccion|anterior|reglas)",
            r"\b(?:ignore[zr]?|oublie[zr]?|ne tiens pas compte)\b.{0,50}(?:instruction|consigne|pr[ée]c[ée]dent)",
            r"\b(?:ignorier\w*|vergiss|vergessen sie|missachte\w*)\b.{0,50}(?:anweisung|vorherig|bisherig|regel|instruktion)",
            r"\b(?:ignore|esque[cç]a|desconsidere)\b.{0,50}(?:instru[cç]|anterior|regras)",
            r"\b(?:ignora|dimentica)\b.{0,50}(?:istruzion|precedent|regole)",
            r"\b(?:negeer|vergeet)\b.{0,50}(?:instructie|vorige|eerdere|regels)",
            r"\b(?:zignoruj|ignoruj|zapomnij|pomi[nń])\b.{0,50}(?:instrukcj|poprzedni|polece)",
            r"(?:[öo]nceki|yukar[ıi]daki|t[üu]m).{0,40}(?:talimat|komut|kural)",
            r"\babaikan\b.{0,40}(?:instruksi|perintah|petunjuk|aturan)",
            r"\bignorera\b.{0,40}(?:instruktion|regler)",
        )
    ),
    re.I | re.S,
)
_OTHER_OVERRIDES = re.compile(
    "|".join(
        (
            r"(?:игнорируй|проигнорируй|забудь|не обращай)\w*.{0,50}(?:инструкц|указани|предыдущ|правил)",
            r"(?:ігноруй|забудь)\w*.{0,50}(?:інструкц|вказівк|попередн)",
            r"(?:忽略|无视|忘记|忽視|無視|忘記|不要理会).{0,20}(?:指示|指令|说明|說明|规则|規則|以上|之前|提示)",
            r"(?:指示|命令|指令|ルール).{0,12}(?:無視|忘れ)",
            r"(?:지시|명령|지침|규칙).{0,15}(?:무시|잊)",
            r"(?:تجاهل|انس|تجاوز).{0,40}(?:تعليمات|التعليمات|السابقة|الأوامر|القواعد)",
            r"(?:निर्देश|आदेश|नियम).{0,40}(?:अनदेखा|नज़रअंदाज़|नजरअंदाज|भूल)",
            r"b[ỏo] qua.{0,40}(?:h[ướu]+ng d[ẫa]n|ch[ỉi] th[ịi]|l[ệe]nh)",
            r"התעלם.{0,40}(?:הוראות|ההנחיות|הקודמות)",
            r"αγν[οό][ηή]σ\w*.{0,40}(?:οδηγ|προηγο)",
        )
    ),
    re.I | re.S,
)
_FRAMES = re.compile(
    "|".join(
        (
            r"\byou are now\b|\byou must (?:now )?(?:answer|output|respond|classify|set|say)\b|\bas an ai\b|\bact as\b|\bpretend (?:to be|you)\b",
            r"(?:^|\n|\W)(?:system|assistant|developer|admin(?:istrator)?)\s*(?:message|prompt|note|override)?\s*:",
            r"\bnew (?:instructions?|task|rules?|policy|system prompt)\b|\b(?:developer|debug|god|dan) mode\b|\bjailbreak|\bsystem prompt\b",
            r"\[/?inst\]|<\|[a-z_]+\|>|#{2,}\s*(?:instruction|system|new|end)",
            r"</?(?:lead|system|notes?|user|assistant|instructions?|data|admin|prompt|signals?|context)\b[^>]*>",
            r"\bend of (?:the )?(?:lead|data|notes|input|document)\b",
            r"\b(?:note|message|attention|dear|hey|hi|to) (?:to )?(?:the |all )?(?:ai|model|assistant|classifier|llm|chatbot|language model)s?\b",
            r"\b(?:respond|reply|answer) (?:only )?with\b|\boutput (?:only|exactly|the following|json)\b|\brepeat after me\b",
            r"\bthe (?:correct|right|expected|only valid) (?:answer|classification|output|label) (?:is|here)\b",
            r"\b(?:this|the) lead (?:must|should|has to|is to) be (?:classified|marked|scored|rated|treated|routed)\b",
        )
    ),
    re.I,
)
_URGENCY_WORD = (
    r"(?:urgency(?:[_ ]score)?|urgencia|urgence|dringlichkeit\w*|urg[êe]ncia|urgenza|urgentie|срочност\w*|терміновіст\w*"
    r"|紧急\w{0,3}|緊急\w{0,3}|긴급\w*|الإلحاح|الاستعجال|aciliyet\w*|pilnoś\w*|तात्कालिकता|khẩn cấp|urgensi|brådska\w*|דחיפות|επείγον\w*)"
)
_URGENCY = re.compile(_URGENCY_WORD + r"[^0-9１-９\n]{0,40}([1-5])(?!\d)", re.I)
_LOAN = re.compile(
    (
        r"(?:loan[_ ]?type|classif\w*|klassifi\w*|clasifi\w*|categor\w*|mark|set|label|treat|kredit\w*|pr[êe]t"
        r"|pr[ée]stamo|кредит\w*|贷款\w*)[^\n]{0,60}?\b(bridge_rtl|bridge|rental)\b"
    ),
    re.I,
)
_EXPERIENCE = re.compile(
    r"(?:investor[_ ]?experience|experience|experiencia|mark|classif\w*|set|treat|label)[^\n]{0,60}?\b(experienced|first[_ -]?time)\b", re.I
)
_FIT = re.compile(r"(?:icp[_ ]?fit|\bfit\b)[^\n]{0,30}?\b(strong|moderate|weak)\b", re.I)
_MESSAGE = re.compile(
    r"(?:outreach|message|mensaje|nachricht|reply|write|say|send)\w*[^\n\"“«「']{0,50}[\"“«「']([^\"”»」'\n]{5,250})[\"”»」']", re.I
)
_IMPERATIVE = re.compile(
    r"\b(?:set|mark|classify|assign|give|make|change|output|return|respond|answer|use|rate|score|treat|report|write"
    r"|put|say|send|label|raise|pon|establece|marca|clasifica|asigna"
    r"|mets|mettez|d[ée]finis\w*|classe\w*|attribue\w*|setze\w*|klassifizier\w*|defina|classifique|coloque|imposta"
    r"|classifica|zet|ustaw|oznacz|ayarla|yap|установи\w*|поставь\w*|постав\w*|s[äa]tt|tetapkan|[đd]ặt)\b"
    r"|设置|设为|設為|設定|将|請|请|してください|しろ|にせよ|설정|하세요|해라|اضبط|اجعل|عيّن|सेट|करें|קבע|ορισε|όρισε",
    re.I,
)
_FIELDS = re.compile(
    r"\b(?:urgency_score|loan_type|investor_experience|icp_fit|outreach_message|classification_rationale|buying_stage)\b", re.I
)
_SENTENCE = re.compile(r".+?(?:[.!?](?=\s|$)|[。！？]|\n|$)\s*", re.S)
_SUSPECT = re.compile(r"\binstructions?\b|\burgency\b|\bignore\b|\bclassify\b|\bsystem\b", re.I)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"\b(?:[0-9a-fA-F]{2}[\s:]?){12,}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}){4,}")
_SPACED = re.compile(r"\b(?:\w[ .\-_*]){5,}\w\b")
_LOOKALIKES = str.maketrans("аеорсухіјѕԁɡΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "aeopcyxijsdgABEZHIKMNOPTYXo")
_LEET = str.maketrans("013457@$", "oieastas")


def demands(text: str) -> dict[str, Any]:
    """What a careless model would answer because the text tells it to, by field; empty if the text gives no orders.

    An instruction to forget the rules, without a specific demand, makes it answer as favourably as possible.
    """
    asked: dict[str, Any] = {}
    overridden = False
    for version in _versions(text):
        overridden = overridden or _overrides(version)
        if found := _URGENCY.search(version):
            asked |= {"urgency_score": int(found[1]), "urgency": int(found[1])}
        if found := _LOAN.search(version):
            asked["loan_type"] = "rental" if found[1].lower() == "rental" else "bridge_rtl"
        if found := _EXPERIENCE.search(version):
            asked["investor_experience"] = "experienced" if found[1].lower() == "experienced" else "first_time"
        if found := _FIT.search(version):
            asked["icp_fit"] = found[1].lower()
        if found := _MESSAGE.search(version):
            asked["outreach_message"] = found[1]
    if overridden and not asked:
        return {"urgency_score": 5, "urgency": 5, "loan_type": "bridge_rtl", "investor_experience": "experienced", "icp_fit": "strong"}
    # Facts may sound like a demand ("marked as a rental"), but without an override or an order they are not one.
    return asked if overridden or any(_orders(version) for version in _versions(text)) else {}


@lru_cache(maxsize=4096)
def without_instructions(text: str) -> str:
    """The text without the sentences that try to instruct the reader, or anything between two of them."""
    text = _BASE64.sub(lambda blob: "" if _decoded(blob[0]) else blob[0], text)
    sentences = [found[0] for found in _SENTENCE.finditer(text) if found[0]]
    suspect = [index for index, sentence in enumerate(sentences) if _instructs(sentence)]
    if not suspect:
        return text
    # An override may be spread over lines so that no single sentence shows it.
    return "".join(sentence for index, sentence in enumerate(sentences) if not suspect[0] <= index <= suspect[-1])


@lru_cache(maxsize=8192)
def _instructs(sentence: str) -> bool:
    return any(_overrides(version) or _orders(version) for version in _versions(sentence))


def _overrides(text: str) -> bool:
    found = _LATIN_OVERRIDES.search(text) or _FRAMES.search(text) or (not text.isascii() and _OTHER_OVERRIDES.search(text))
    return bool(found)


def _orders(text: str) -> bool:
    """Whether one of the text's sentences gives an order about the answer."""
    return any(
        _FIELDS.search(sentence)
        or (_IMPERATIVE.search(sentence) and any(p.search(sentence) for p in (_URGENCY, _LOAN, _EXPERIENCE, _FIT, _MESSAGE)))
        for sentence in _SENTENCE.findall(text)
    )


def _versions(text: str) -> list[str]:
    """The text as written, and as it reads without its disguises."""
    plain = unicodedata.normalize("NFKC", html.unescape(unquote(text)))
    tags = "".join(chr(ord(each) - 0xE0000) for each in text if 0xE0020 <= ord(each) <= 0xE007E)
    plain = "".join(each for each in plain if unicodedata.category(each) not in ("Cf", "Co"))
    versions = [plain, plain.translate(_LOOKALIKES)]
    versions += [turned for turned in (codecs.encode(plain, "rot13"), plain[::-1]) if _SUSPECT.search(turned)]
    if any(each.isdigit() or each in "@$" for each in plain):
        versions.append(re.sub(r"\w*[a-z@$]\w*", lambda word: word[0].translate(_LEET), plain, flags=re.I))
    versions += [decoded for blob in _BASE64.findall(text) if (decoded := _decoded(blob))]
    versions += [decoded for blob in _HEX.findall(text) if (decoded := _unhexed(blob))]
    if _ESCAPES.search(text):
        versions.append(_ESCAPES.sub(lambda found: found[0].encode().decode("unicode_escape", "ignore"), text))
    if _SPACED.search(plain):
        versions.append(_SPACED.sub(lambda found: re.sub(r"[ .\-_*]", "", found[0]) + " ", plain))
    if tags:
        versions.append(tags)
    return list(dict.fromkeys(versions))


def _decoded(blob: str) -> str | None:
    """Base64 that holds text."""
    try:
        raw = base64.b64decode(blob.rstrip("=").replace("-", "+").replace("_", "/") + "=" * (-len(blob.rstrip("=")) % 4))
        return _readable(raw)
    except binascii.Error:
        return None


def _unhexed(blob: str) -> str | None:
    try:
        return _readable(bytes.fromhex(re.sub(r"[\s:]", "", blob)))
    except ValueError:
        return None


def _readable(raw: bytes) -> str | None:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and " " in text else None
