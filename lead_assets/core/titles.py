"""Seniority and department from job titles, by word lists in several languages. The first matching row wins.

Belongs here: the words. `_WORDS` match whole words of the folded title (lower case, no accents, no full stops; "*" stands for the rest of a word);
`_STEMS` match anywhere, for languages that write words together (Chinese, Japanese, Korean, German compounds).
"""

from __future__ import annotations

import re
from functools import cache

import polars as pl

from lead_assets.core.columns import fold, folded

_SENIORITY_WORDS: list[tuple[str, str]] = [
    ("entry", "executive assistant|personal assistant|assistant to|office assistant|assistenz der|assistentin der|"
              "assistant de direction|ea to|pa to"),
    ("founder", "founder|founders|cofounder|founding partner|owner|co owner|business owner|proprietor|gründer|gründerin|mitgründer|"
                "mitgründerin|inhaber|inhaberin|fondateur|fondatrice|cofondateur|cofondatrice|fundador|fundadora|cofundador|"
                "cofundadora|fondatore|oprichter|eigenaar|propriétaire|propietario|propietaria|proprietário|proprietária|titolare|"
                "dueño|dueña|sócio fundador"),
    ("vp", "vp|svp|evp|avp|rvp|gvp|vice president|vice pres|vice présidente?|vicepresidente|vice presidente|vicepresidenta|"
           "vizepräsident|vizepräsidentin|wiceprezes|vice principal"),
    ("head", "chief of staff|chief of|chief architect|chief engineer|general counsel"),
    ("c_suite", "daglig leder|ügyvezető|ügyvezetö|jednatel|generálny riaditeľ|giám đốc điều hành|adm dir|vd och koncernchef|chief|"
                "c level|ceo|cfo|coo|cto|cio|cmo|cro|cpo|chro|ciso|cdo|cco|clo|cso|cao|cgo|cbo|cko|cxo|cdao|president|chairman|"
                "chairwoman|chairperson|chair of the board|managing director|managing partner|general partner|senior partner|"
                "executive director|general director|director general|directora general|directeur général|directrice générale|"
                "diretor geral|diretora geral|direttore generale|gerente general|diretor executivo|director ejecutivo|"
                "consejero delegado|amministratore delegato|amministratrice delegata|président|présidente|presidente|presidenta|pdg|dg|"
                "daf|drh|dsi|vorstand|vorstandsvorsitzender|geschäftsführer|geschäftsführerin|geschaeftsfuehrer|geschaeftsfuehrerin|"
                "geschäftsführender gesellschafter|geschäftsleiter|geschäftsleiterin|gf|verkställande direktör|vd|"
                "administrerende direktør|direktør|toimitusjohtaja|dyrektor generalny|prezes|prezes zarządu|генеральный директор|"
                "genel müdür"),
    ("director", "direktur*|giám đốc|ředitel*|riaditeľ*|müdür*|direttor*|dyrektor*|igazgató*|director|directora|directeur|"
                 "directrice|direktor|direktorin|diretor|diretora|direttore|direttrice|dyrektor|direktör|müdür|директор|dir"),
    ("head", "head|leiter|leiterin|leitung|bereichsleiter|bereichsleiterin|chef du service|jefe de departamento|jefa de departamento|"
             "hoofd|руководитель|başkanı|kierownik"),
    ("manager", "*chef|kierown*|manager|mgr|managerin|supervisor|superintendent|gerente|responsable|responsabile|encargado|encargada|"
                "chef|cheffe|jefe|jefa|gestor|gestora|coordinador general|team lead|team leader|teamlead|tech lead|menadżer|менеджер|"
                "foreman|controller"),
    ("senior", "senior|sr|principal|staff|lead|expert|experte|expertin|specialist ii|iii|sénior|expérimenté|старший|fellow"),
    ("entry", "junior|jr|intern|internship|trainee|graduate|apprentice|student|working student|assistant|assistante|asistente|"
              "assistente|assistent|assistentin|associate|coordinator|coordinateur|coordinatrice|coordinador|coordinadora|clerk|"
              "entry level|stagiaire|alternant|alternante|becario|becaria|practicante|estagiário|estagiária|tirocinante|praktikant|"
              "praktikantin|werkstudent|werkstudentin|auszubildender|azubi|стажер|receptionist"),
]  # fmt: skip
_SENIORITY_STEMS: list[tuple[str, str]] = [
    ("founder", "創業者|创始人|創辦人|창업자"),
    ("vp", "副社長|副总裁|副總裁|부사장"),
    ("c_suite", "geschäftsführer|geschaeftsfuehrer|vorstandsmitglied|代表取締役|取締役|社長|会長|最高経営|最高技術|最高財務|总经理|"
                "總經理|首席|董事长|董事長|总裁|總裁|대표이사|사장|회장"),
    ("director", "direktor|总监|總監|本部長|執行役員|이사|본부장"),
    ("head", "leiter|leiterin|leitung|部長|部长|부장"),
    ("manager", "課長|主任|係長|经理|經理|マネージャー|マネジャー|과장|팀장|차장"),
    ("entry", "praktikant|インターン|实习|實習|인턴"),
]  # fmt: skip

_DEPARTMENT_WORDS: list[tuple[str, str]] = [
    ("hr", "hr|human resources|people operations|people ops|people and culture|chief people officer|people|talent|talent acquisition|"
           "recruiter|recruiting|recruitment|chro|personal|personalabteilung|personnel|ressources humaines|rh|drh|recursos humanos|"
           "rrhh|risorse umane|payroll|кадры"),
    ("legal", "recht|prawny|právní|legal|counsel|general counsel|attorney|lawyer|paralegal|compliance|clo|juriste|juridique|jurídico|"
              "legale|avvocato|abogado|abogada|advogado|rechtsanwalt|rechtsabteilung|syndikus|justiziar|privacy"),
    ("marketing", "market*|marketing|cmo|brand|demand generation|demand gen|growth|content|seo|sem|communications|pr|public relations|"
                  "copywriter|social media|mercadeo|mercadotecnia|communication|comunicación|comunicação|comunicazione|маркетинг|"
                  "маркетолог|advertising|pazarlama"),
    ("sales", "obchodn*|försäljning*|salgs*|kinh doanh|értékesítés*|sprzedaż*|vertrieb*|verkauf*|sotuv*|myynti*|sales|cro|revenue|"
              "business development|bd|bdr|sdr|account executive|account manager|account director|key account|commercial|inside sales|"
              "partnerships|alliances|vertrieb|vertriebs|verkauf|außendienst|ventes|vente|commerciale|ventas|comercial|vendite|vendas|"
              "verkoop|försäljning|salg|myynti|sprzedaż|sprzedaży|satış|продажи|продажам|loan officer"),
    ("data", "data|analytics|cdo|cdao|business intelligence|bi|machine learning|ml|ai|artificial intelligence|données|datos|dados|"
             "daten|statistician"),
    ("support", "support|customer success|customer service|customer care|customer experience|client services|client success|helpdesk|"
                "help desk|service desk|kundenservice|kundendienst|kundenbetreuung|service client|atención al cliente|atendimento|"
                "assistenza clienti|call center|call centre"),
    ("product", "product|product owner|cpo|ux|ui|user experience|produkt|produit|producto|produto|prodotto|produktmanagement"),
    ("it", "information officer|informatik*|informatic*|it|information technology|information systems|cio|ciso|infosec|"
           "information security|cybersecurity|cyber security|security|sysadmin|system administrator|systems administrator|"
           "network administrator|network engineer|database administrator|dba|infrastructure|dsi|informatique|sistemas|edv|"
           "systemadministrator|ict"),
    ("finance", "financ*|finanz*|keuangan|ekonom*|księgow*|pénzügy*|rahoitus*|finance|financial|cfo|accounting|accountant|"
                "accounts payable|accounts receivable|controller|controlling|comptroller|treasurer|treasury|tax|audit|auditor|"
                "bookkeeper|fp and a|fpa|finanzen|finanz|buchhaltung|buchhalter|buchhalterin|comptable|comptabilité|finances|financier|"
                "daf|finanzas|financiero|financiera|contador|contadora|contabilidad|finanças|financeiro|finanza|finanziario|contabile|"
                "financiën|ekonomi|finans|финансы|финансовый|бухгалтер|investor relations|underwriter|underwriting"),
    ("engineering", "engineering|engineer|cto|developer|dev|devops|sre|software|programmer|architect|technology|technical|r and d|"
                    "research and development|research|qa|quality assurance|frontend|front end|backend|back end|full stack|fullstack|"
                    "entwickler|entwicklerin|entwicklung|softwareentwickler|ingenieur|ingénieur|ingénieure|développeur|développeuse|"
                    "technique|technik|ingeniero|ingeniera|desarrollador|desarrolladora|tecnología|engenheiro|engenheira|desenvolvedor|"
                    "tecnologia|ingegnere|sviluppatore|ontwikkelaar|utvecklare|разработчик|инженер|mühendis"),
    ("operations", "operating|inkoop*|inköp*|innkjøp*|acheteu*|acquist*|buyer|buying|logisti*|pengadaan|nákup*|zakup*|satın alma|"
                   "importer|fleet|export manager|operations|ops|coo|logistics|supply chain|procurement|purchasing|sourcing|production|"
                   "manufacturing|facilities|project manager|program manager|programme manager|pmo|office manager|administration|"
                   "administrative|betrieb|einkauf|einkäufer|logistik|produktion|opérations|achats|logistique|operaciones|compras|"
                   "logística|operações|operazioni|acquisti|warehouse|plant manager"),
    ("executive", "daglig leder|ügyvezető|ceo|chief executive officer|chief executive|president|chairman|chairwoman|chairperson|"
                  "founder|cofounder|founders|owner|co owner|business owner|proprietor|managing director|managing partner|"
                  "general partner|general manager|executive director|general director|pdg|dg|directeur général|directrice générale|"
                  "director general|directora general|gerente general|diretor geral|diretora geral|direttore generale|"
                  "director ejecutivo|diretor executivo|consejero delegado|amministratore delegato|amministratrice delegata|"
                  "geschäftsführer|geschäftsführerin|geschaeftsfuehrer|geschaeftsfuehrerin|geschäftsleiter|gf|vorstand|"
                  "vorstandsvorsitzender|gründer|gründerin|inhaber|inhaberin|fondateur|fondatrice|fundador|fundadora|fondatore|"
                  "propriétaire|propietario|propietaria|titolare|dueño|dueña|président|présidente|presidente|presidenta|"
                  "verkställande direktör|toimitusjohtaja|prezes|eigenaar|oprichter|chief of staff|executive assistant|"
                  "генеральный директор|genel müdür|administrerende direktør|principal"),
]  # fmt: skip
_DEPARTMENT_STEMS: list[tuple[str, str]] = [
    ("hr", "personalleit|personalreferent|personalmanag|人事|人力资源|인사"),
    ("legal", "rechtsanw|法務|法务|법무"),
    ("marketing", "marketing|マーケティング|市场|市場|広報|宣伝|마케팅"),
    ("sales", "vertriebs|verkaufs|営業|销售|銷售|영업"),
    ("data", "データ|数据|數據|데이터"),
    ("support", "kundenservice|カスタマー|客服|고객"),
    ("product", "produktmanag|プロダクト|产品|產品|제품"),
    ("it", "情報システム|信息技术|전산"),
    ("finance", "finanzleit|finanzvorst|buchhalt|経理|財務|财务|재무|회계"),
    ("engineering", "entwickl|ingenieur|エンジニア|技術|开发|開發|工程|개발"),
    ("operations", "einkaufs|betriebsleit|logistikleit|購買|物流|采购|採購|구매|运营|營運|운영"),
    ("executive", "geschäftsführer|代表取締役|社長|会長|总经理|總經理|董事长|总裁|대표이사|사장|회장|首席执行"),
]  # fmt: skip


_OWNERS_OF_A_THING = r"\b(product|process|data|system|service|application|solution|risk|asset|content|platform) owner\b"
"""Words for a role in a team, as opposed to the owner of the company."""


def title_roles(titles: pl.Series) -> pl.DataFrame:
    """Columns `seniority` and `department`; null where the title does not say. "VP of Sales" → vp, sales."""
    distinct = pl.DataFrame({"title": titles.unique()})
    text = pl.DataFrame({"title": distinct["title"], "text": fold(distinct["title"])})
    rules = _rules()
    text = text.with_columns(pl.col("text").str.replace_all(_OWNERS_OF_A_THING, "$1"))
    roles = text.select("title", seniority=_first_match(rules["seniority"]), department=_first_match(rules["department"]))
    return (
        pl.DataFrame({"title": titles})
        .join(roles, on="title", how="left", nulls_equal=True, maintain_order="left")
        .select("seniority", "department")
    )


def _first_match(rules: list[tuple[str, str]]) -> pl.Expr:
    return pl.coalesce(pl.when(pl.col("text").str.contains(pattern)).then(pl.lit(answer)) for answer, pattern in rules)


@cache
def _rules() -> dict[str, list[tuple[str, str]]]:
    return {
        "seniority": _patterns(_SENIORITY_WORDS, _SENIORITY_STEMS),
        "department": _patterns(_DEPARTMENT_WORDS, _DEPARTMENT_STEMS),
    }


def _patterns(words: list[tuple[str, str]], stems: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """One pattern per row, stems after words: a whole word is stronger evidence than part of one."""
    whole = [(answer, r"(?:^| )(?:" + _alternatives(declared) + r")(?: |$)") for answer, declared in words]
    parts = [(answer, _alternatives(declared)) for answer, declared in stems]
    return whole + parts


def _alternatives(declared: str) -> str:
    words = declared.split("|")
    return "|".join(
        ("[^ ]*" if word.startswith("*") else "") + re.escape(text) + ("[^ ]*" if word.endswith("*") else "")
        for word, text in zip(words, folded(words), strict=True)
    )
