"""Typical companies per industry: the raw material for `world`. All of it is made up or common knowledge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Industry:
    name: str
    does: tuple[str, ...]
    """What its companies do; each text completes "... is a company that "."""
    keywords: tuple[str, ...]
    revenue_per_head: int
    """US dollars a year."""
    stack: dict[str, tuple[str, ...]]
    """Technologies it tends to use in addition to the common ones, by tag."""
    jobs: tuple[str, ...]
    venture: float
    """Share of its companies that took venture money."""


INDUSTRIES: tuple[Industry, ...] = (
    Industry(
        "Software Development",
        (
            "builds workflow software for finance teams",
            "sells a developer platform for event-driven services",
            "offers scheduling software",
        ),
        ("saas", "b2b", "cloud", "automation"),
        180_000,
        {
            "cloud": ("AWS", "Google Cloud", "Azure"),
            "data": ("Snowflake", "dbt", "Databricks"),
            "ai": ("OpenAI API", "LangChain", "PyTorch"),
        },
        ("Machine Learning Engineer", "Senior Backend Engineer", "Product Manager", "Account Executive", "Data Engineer"),
        0.7,
    ),
    Industry(
        "Financial Services",
        ("lends to small businesses", "manages assets for private clients", "processes payments for regional banks"),
        ("lending", "payments", "compliance"),
        260_000,
        {"finance": ("Stripe", "Plaid", "Encompass"), "data": ("Snowflake", "Tableau"), "ai": ("Amazon SageMaker",)},
        ("Underwriter", "Loan Officer", "Data Scientist", "Compliance Analyst"),
        0.35,
    ),
    Industry(
        "Real Estate",
        ("buys, renovates and sells houses", "manages rental homes and apartments", "develops small commercial properties"),
        ("property", "rentals", "renovation"),
        220_000,
        {"property": ("Yardi", "AppFolio", "DocuSign"), "marketing": ("Mailchimp",)},
        ("Acquisitions Manager", "Property Manager", "Leasing Agent"),
        0.12,
    ),
    Industry(
        "Construction",
        ("builds and refits warehouses and offices", "does roofing and siding for homes", "plans and manages civil works"),
        ("contractor", "building", "projects"),
        240_000,
        {"construction": ("Procore", "Autodesk BIM 360"), "finance": ("QuickBooks",)},
        ("Site Manager", "Estimator", "Project Engineer"),
        0.05,
    ),
    Industry(
        "Hospitals and Health Care",
        ("runs outpatient clinics", "provides remote patient monitoring", "handles billing for medical practices"),
        ("healthcare", "patients", "hipaa"),
        140_000,
        {"health": ("Epic", "Cerner"), "data": ("Redshift",), "ai": ("Azure OpenAI",)},
        ("Registered Nurse", "Clinical Data Analyst", "Practice Manager"),
        0.3,
    ),
    Industry(
        "Retail",
        ("sells outdoor goods in stores and online", "runs a marketplace for second-hand furniture", "sells groceries by subscription"),
        ("ecommerce", "consumer", "logistics"),
        190_000,
        {"commerce": ("Shopify", "Magento", "Klaviyo"), "analytics": ("Hotjar",)},
        ("Store Manager", "E-commerce Manager", "Demand Planner"),
        0.2,
    ),
    Industry(
        "Machinery Manufacturing",
        ("makes pumps and valves", "makes packaging machines", "builds robots for assembly lines"),
        ("industrial", "engineering", "automation"),
        210_000,
        {"erp": ("SAP", "Oracle NetSuite"), "engineering": ("SolidWorks",), "ai": ("TensorFlow",)},
        ("Process Engineer", "Controls Engineer", "Regional Sales Manager"),
        0.08,
    ),
    Industry(
        "Transportation and Logistics",
        ("moves freight by road and rail", "plans last-mile delivery for shops", "rents and manages truck fleets"),
        ("freight", "supply chain", "fleet"),
        200_000,
        {"logistics": ("Project44", "Samsara"), "data": ("BigQuery", "Looker")},
        ("Fleet Coordinator", "Operations Analyst", "Dispatcher"),
        0.15,
    ),
    Industry(
        "Marketing and Advertising",
        ("runs paid media for consumer brands", "builds marketing sites", "places outdoor advertising"),
        ("agency", "media", "brand"),
        130_000,
        {"marketing": ("HubSpot", "Marketo", "Google Ads"), "ai": ("Jasper",)},
        ("Media Buyer", "Content Strategist", "Account Director"),
        0.1,
    ),
    Industry(
        "Education",
        ("teaches professionals online", "runs a network of language schools", "supplies learning software to schools"),
        ("learning", "courses", "students"),
        110_000,
        {"learning": ("Canvas", "Moodle"), "video": ("Zoom",)},
        ("Instructional Designer", "Admissions Advisor", "Curriculum Lead"),
        0.2,
    ),
)

COMMON_STACK: dict[str, tuple[str, ...]] = {
    "analytics": ("Google Analytics", "Segment", "Mixpanel"),
    "crm": ("Salesforce", "HubSpot CRM", "Pipedrive"),
    "cdn": ("Cloudflare", "Fastly"),
    "email": ("Google Workspace", "Microsoft 365"),
    "support": ("Zendesk", "Intercom"),
    "framework": ("React", "WordPress", "Next.js"),
}

PLACES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "United States": (
        ("Austin", "Texas", "78701"),
        ("Denver", "Colorado", "80202"),
        ("Atlanta", "Georgia", "30303"),
        ("San Diego", "California", "92101"),
        ("Columbus", "Ohio", "43215"),
        ("Tampa", "Florida", "33602"),
        ("New York", "New York", "10001"),
        ("Seattle", "Washington", "98101"),
    ),
    "Canada": (("Toronto", "Ontario", "M5H"), ("Vancouver", "British Columbia", "V6B")),
    "United Kingdom": (("Manchester", "England", "M1"), ("London", "England", "EC1A")),
    "Germany": (("Berlin", "Berlin", "10115"), ("Munich", "Bavaria", "80331")),
    "France": (("Lyon", "Auvergne-Rhône-Alpes", "69001"), ("Paris", "Île-de-France", "75001")),
    "Spain": (("Valencia", "Valencia", "46001"),),
    "Netherlands": (("Utrecht", "Utrecht", "3511"),),
    "Brazil": (("São Paulo", "São Paulo", "01000"),),
    "India": (("Pune", "Maharashtra", "411001"),),
    "Japan": (("Osaka", "Osaka", "530-0001"),),
    "Australia": (("Melbourne", "Victoria", "3000"),),
}
COUNTRY_OF_SUFFIX = {
    "ca": "Canada",
    "uk": "United Kingdom",
    "de": "Germany",
    "fr": "France",
    "es": "Spain",
    "nl": "Netherlands",
    "br": "Brazil",
    "in": "India",
    "jp": "Japan",
    "au": "Australia",
    "us": "United States",
}
COUNTRY_WEIGHTS = {
    "United States": 0.68,
    "Canada": 0.07,
    "United Kingdom": 0.07,
    "Germany": 0.05,
    "France": 0.03,
    "Spain": 0.02,
    "Netherlands": 0.02,
    "Brazil": 0.02,
    "India": 0.02,
    "Australia": 0.02,
}

FIRST_NAMES = (
    "Ada",
    "Ben",
    "Carla",
    "Dmitri",
    "Elena",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "Keiko",
    "Liam",
    "Mara",
    "Noor",
    "Owen",
    "Priya",
    "Rosa",
    "Sven",
    "Tariq",
    "Uma",
    "Vera",
    "Wes",
    "Yara",
    "Zoe",
)
LAST_NAMES = (
    "Abbott",
    "Bauer",
    "Castillo",
    "Dunne",
    "Eriksen",
    "Fontaine",
    "Garza",
    "Hollis",
    "Ivanov",
    "Jensen",
    "Kimura",
    "Lindqvist",
    "Moreau",
    "Nakata",
    "Okafor",
    "Petrov",
    "Quist",
    "Ramirez",
    "Sandoval",
    "Tanaka",
    "Ueda",
    "Vance",
    "Whitlock",
    "Young",
)
INVESTORS = ("Northlight Ventures", "Harbor Seed", "Ridgeline Capital", "Quayside Partners", "Fern Growth", "Blue Mesa Fund", "Tern Equity")

TITLES: tuple[tuple[str, str, str], ...] = (
    ("Chief Executive Officer", "c_suite", "c_suite"),
    ("Founder", "founder", "c_suite"),
    ("Chief Technology Officer", "c_suite", "master_engineering_technical"),
    ("VP Sales", "vp", "master_sales"),
    ("VP Operations", "vp", "master_operations"),
    ("Head of Marketing", "head", "master_marketing"),
    ("Director of Finance", "director", "master_finance"),
    ("Data Engineering Manager", "manager", "master_engineering_technical"),
    ("Sales Development Representative", "entry", "master_sales"),
    ("Operations Analyst", "senior", "master_operations"),
)
"""Title, Apollo seniority, Apollo department."""
