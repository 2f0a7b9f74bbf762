"""The ledger's tables for SQLAlchemy. `migrations` creates them; a test checks that both agree.

Money is in whole micro-dollars and times are microseconds since 1970 UTC, both as 64-bit integers: exact, and the same on SQLite and Postgres.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text, false

HEAD = "0015"
"""The migration that the code expects, kept here so that checking it on every open costs one SELECT and no import of Alembic. A release that writes into the
same tables what older ones would misread adds a step that changes no table: older releases refuse a ledger that is ahead of them."""
VERSION_TABLE = "ledger_version"

metadata = MetaData()


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=primary_key, nullable=nullable)


def _whole(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=primary_key, nullable=nullable, autoincrement=False)


# Every attempt that a vendor answered or may have answered. Ids increase in commit order, because writers take turns.
calls = Table(
    "calls",
    metadata,
    _whole("id", primary_key=True),
    _text("key"),
    _text("state"),
    _text("reason", nullable=True),
    _text("provider"),
    _text("operation"),
    _text("subject"),
    _text("campaign_id"),
    _whole("cost_micros"),
    Column("uncertain", Boolean, nullable=False),
    _text("vendor_ref", nullable=True),
    _whole("input_tokens"),
    _whole("output_tokens"),
    _whole("latency_ms"),
    _whole("answered_at"),
    Column("body", LargeBinary, nullable=True),
    # The day (UTC) whose budgets the call counts against: the one that reserved its price. Null in rows from before 0002: use the day of the answer.
    _text("day", nullable=True),
)

# The newest calls per key: two narrow lookups find an answer however often the key was asked, without an index on the large table.
heads = Table(
    "heads",
    metadata,
    _text("key", primary_key=True),
    _whole("known_id", nullable=True),
    _whole("unknown_id", nullable=True),
    sqlite_with_rowid=False,
)

# Calls in progress. A row exists from the reservation of its price to the journaling of its answer.
claims = Table(
    "claims",
    metadata,
    _text("key", primary_key=True),
    _text("provider"),
    _text("operation"),
    _text("subject"),
    _text("campaign_id"),
    _whole("price_micros"),
    _text("day"),
    _text("owner"),
    _whole("claimed_at"),
    _whole("lease_until"),
    _text("vendor_ref", nullable=True),
    Index("claims_owner", "owner"),
)

budgets = Table(
    "budgets",
    metadata,
    _text("scope", primary_key=True),
    _text("name", primary_key=True),
    _text("period", primary_key=True),
    _whole("limit_micros"),
)

# What counts against each budget, even where none is set, so that a budget set in the middle of a day covers the whole day.
usage = Table(
    "usage",
    metadata,
    _text("scope", primary_key=True),
    _text("name", primary_key=True),
    _text("period", primary_key=True),
    _whole("reserved_micros"),
    _whole("spent_micros"),
    _whole("uncertain_micros"),
)

# Sums of the journal, so that the cost of five million calls can be read without reading them all.
spend = Table(
    "spend",
    metadata,
    _text("day", primary_key=True),
    _text("campaign_id", primary_key=True),
    _text("provider", primary_key=True),
    _text("operation", primary_key=True),
    # The outcome of the calls; the reason is empty if there is nothing to explain.
    _text("state", primary_key=True),
    _text("reason", primary_key=True),
    _whole("calls"),
    _whole("billed_calls"),
    _whole("cost_micros"),
    _whole("uncertain_calls"),
    _whole("uncertain_micros"),
    _whole("input_tokens"),
    _whole("output_tokens"),
)

# Generic cell rate algorithm: the time at which the next slot is due, one row per bucket and window.
rate_windows = Table(
    "rate_windows",
    metadata,
    _text("bucket", primary_key=True),
    _whole("per_us", primary_key=True),
    _whole("due_us"),
)

circuits = Table(
    "circuits",
    metadata,
    _text("provider", primary_key=True),
    _whole("failures"),
    _whole("open_until"),
    # True while one batch probes whether the provider is back, after the circuit's time is up.
    Column("probing", Boolean, nullable=False, server_default=false()),
)

# Answers missing from a campaign's tables because a provider was unavailable. The row is deleted when the table is made again without misses.
misses = Table(
    "misses",
    metadata,
    _text("table_name", primary_key=True),
    _text("campaign_id", primary_key=True),
    _text("provider", primary_key=True),
    _whole("missed_at"),
    _text("run_id"),
    # True if the run was already requested because of a miss, and no outage explains why it missed again.
    Column("given_up", Boolean, nullable=False),
)

controls = Table(
    "controls",
    metadata,
    _text("name", primary_key=True),
    _text("value"),
    _whole("set_at"),
)

assignments = Table(
    "assignments",
    metadata,
    _text("account_key", primary_key=True),
    _text("owner"),
    _text("territory"),
    _text("rule"),
    _text("reason"),
    Column("fallback", Boolean, nullable=False),
    _text("lead_id"),
    _text("campaign_id"),
    _whole("assigned_at"),
)

# Every lead's owner. A rebuild reads these rows, so decisions stay as they were made.
routed_leads = Table(
    "routed_leads",
    metadata,
    _text("campaign_id", primary_key=True),
    _text("lead_id", primary_key=True),
    _text("account_key"),
    _text("owner"),
    # Key in `ways`: how the owner was chosen.
    _text("way"),
    _whole("due_at", nullable=True),
    # When the lead was given to this owner; a move sets it again.
    _whole("routed_at"),
    _whole("closed_at", nullable=True),
    Index("routed_leads_owner", "owner", "routed_at"),
    Index("routed_leads_account", "account_key"),
    sqlite_with_rowid=False,
)

# How leads were routed, as JSON. Leads with equal values under an equal table share one.
ways = Table("ways", metadata, _text("key", primary_key=True), _text("said"), sqlite_with_rowid=False)

# Whose turn it is in each pool.
rotas = Table("rotas", metadata, _text("name", primary_key=True), _text("state"))

# Every routing table that leads were routed by, so that a decision can be explained after the table has changed.
routing_tables = Table("routing_tables", metadata, _text("digest", primary_key=True), _text("content"), _whole("first_used_at"))

# What the CRM says of accounts: who owns them there, and whether they are customers.
crm_accounts = Table(
    "crm_accounts",
    metadata,
    _text("account_key", primary_key=True),
    _text("owner", nullable=True),
    Column("customer", Boolean, nullable=True),
    _whole("seen_at"),
)

# Every change of owner after the first assignment, of an account (without a lead) or of a lead.
owner_changes = Table(
    "owner_changes",
    metadata,
    _whole("id", primary_key=True),
    _whole("changed_at"),
    _text("kind"),
    _text("account_key"),
    _text("campaign_id", nullable=True),
    _text("lead_id", nullable=True),
    _text("owner_before", nullable=True),
    _text("owner_after", nullable=True),
    _text("changed_by"),
    _text("why"),
    Index("owner_changes_account", "account_key"),
    Index("owner_changes_campaign", "campaign_id"),
)

suppressions = Table(
    "suppressions",
    metadata,
    _text("kind", primary_key=True),
    _text("value_hash", primary_key=True),
    _text("reason"),
    _whole("suppressed_at"),
)

# What is to be sent, or was: an entry per lead, destination, kind and revision. The body is deleted once it is confirmed.
outbox = Table(
    "outbox",
    metadata,
    _whole("id", primary_key=True),
    _text("key"),
    _text("destination"),
    _text("kind"),
    _text("campaign_id"),
    _text("lead_id"),
    _text("person"),
    _text("content"),
    _text("lane"),
    _text("owner", nullable=True),
    Column("reaches", Boolean, nullable=False),
    _text("after", nullable=True),
    Column("body", LargeBinary, nullable=True),
    _text("state"),
    _text("reason", nullable=True),
    _whole("revision"),
    _whole("attempts"),
    _whole("uncertain"),
    _whole("as_of"),
    _whole("created_at"),
    # When it is next worked on; null if nothing but a person or a new plan can move it.
    _whole("due_at", nullable=True),
    _whole("due_by", nullable=True),
    _whole("first_sent_at", nullable=True),
    _whole("confirmed_at", nullable=True),
    _whole("lease_until", nullable=True),
    _text("vendor_ref", nullable=True),
    _text("holder", nullable=True),
    Index("outbox_key", "key", unique=True),
    Index("outbox_slot", "campaign_id", "lead_id", "destination", "kind"),
    Index("outbox_due", "due_at"),
    Index("outbox_person", "person"),
    Index("outbox_holder", "holder"),
)

# The history of the outbox: each entry's states.
sends = Table(
    "sends",
    metadata,
    _whole("id", primary_key=True),
    _whole("outbox_id"),
    _text("campaign_id"),
    _whole("at"),
    _text("state"),
    _text("reason", nullable=True),
    _whole("attempt"),
    Index("sends_outbox", "outbox_id"),
    Index("sends_campaign", "campaign_id"),
)

# What a destination has of a person: hashes of the values, so that only what changed is sent.
mirrors = Table(
    "mirrors",
    metadata,
    _text("destination", primary_key=True),
    _text("person", primary_key=True),
    Column("fields", LargeBinary, nullable=True),
    _text("vendor_id", nullable=True),
    _whole("updated_at"),
)

# Which artifact (a model, an index) is in use (scope ""), and which one each campaign was scored with. Decisions are added, never changed.
pins = Table(
    "pins",
    metadata,
    _whole("id", primary_key=True),
    _text("name"),
    _text("scope"),
    _text("artifact"),
    _text("why"),
    _whole("pinned_at"),
    Index("pins_scope", "name", "scope"),
)

# What is or was wrong, and who was told: an incident is told once to each channel, whatever process notices it.
incidents = Table(
    "incidents",
    metadata,
    _text("key", primary_key=True),
    _text("channel", primary_key=True),
    _text("kind"),
    _text("said"),
    _whole("opened_at"),
    # Null while somebody is telling it: until `claimed_at` is old, because that process may have died.
    _whole("told_at", nullable=True),
    _whole("claimed_at"),
)

# Who is who: the person of each lead ("campaign/lead") and the account of each company. Kept for members that are gone, because they may come back.
identities = Table(
    "identities",
    metadata,
    _text("kind", primary_key=True),
    _text("member", primary_key=True),
    _text("entity_id"),
    # When the entity's first member arrived: of two entities that become one, the older id stays.
    _whole("since"),
    Index("identities_entity", "kind", "entity_id"),
    sqlite_with_rowid=False,
)

# What people decided about two members, `one` < `other`: that they are the same, or are not.
identity_decisions = Table(
    "identity_decisions",
    metadata,
    _text("kind", primary_key=True),
    _text("one", primary_key=True),
    _text("other", primary_key=True),
    Column("same", Boolean, nullable=False),
    _whole("decided_at"),
)

# Who may call the service. The secret itself is nowhere.
service_keys = Table(
    "service_keys",
    metadata,
    _text("key_id", primary_key=True),
    _text("name"),
    _text("scopes"),
    _text("secret_sha256"),
    _whole("rate_per_second", nullable=True),
    _whole("budget_micros", nullable=True),
    _whole("created_at"),
    _whole("expires_at", nullable=True),
    _whole("revoked_at", nullable=True),
)

# Who is signed in to the explorer: the hash of a cookie, and the key that it stands for.
key_sessions = Table(
    "key_sessions",
    metadata,
    _text("cookie_sha256", primary_key=True),
    _text("key_id"),
    _whole("expires_at"),
    Index("key_sessions_end", "expires_at"),
)

# What somebody called an address of the explorer's leads table; `state` is JSON. Shared ones are everybody's.
saved_views = Table(
    "saved_views",
    metadata,
    _text("view_id", primary_key=True),
    _text("key_id"),
    _text("name"),
    _text("state"),
    Column("shared", Boolean, nullable=False),
    _whole("place"),
)

# What all processes of the service sign with, such as the tokens of forms. Signs nothing that outlives a page.
service_secrets = Table("service_secrets", metadata, _text("name", primary_key=True), _text("value"))

# What was bought for each key, per UTC day.
key_spend = Table(
    "key_spend",
    metadata,
    _text("key_id", primary_key=True),
    _text("day", primary_key=True),
    _whole("spent_micros"),
)

# What was done with each key. Equal requests of one second share a row.
key_uses = Table(
    "key_uses",
    metadata,
    _whole("id", primary_key=True),
    _text("key_id"),
    _whole("at"),
    _text("action"),
    _whole("status"),
    _text("about", nullable=True),
    _whole("requests"),
    Index("key_uses_key", "key_id", "id"),
)

# Events that were received, by the sender's own id, so that one that is sent again is not received twice.
received_events = Table(
    "received_events",
    metadata,
    _text("source", primary_key=True),
    _text("event_id", primary_key=True),
    _text("drop_id"),
    _text("lead_id", nullable=True),
    _whole("received_at"),
    sqlite_with_rowid=False,
)
