"""What starts runs: the pipeline job, the sensor that watches for drops, the schedule that polls the campaign API.

Belongs here: jobs, sensors, schedules and cross-room policies. Does not belong here: their decisions (see `lead_assets.intake.landing`
and `lead_assets.intake.campaign_api`), which are plain functions. https://docs.dagster.io/guides/automate
"""

from datetime import UTC, datetime, timedelta

from dagster import (
    AssetKey,
    AssetSelection,
    AutomationConditionSensorDefinition,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    Failure,
    OpExecutionContext,
    ResourceParam,
    RunRequest,
    ScheduleDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    define_asset_job,
    job,
    op,
    sensor,
)

from lead_assets.core.settings import Settings
from lead_assets.kit.declare import BUY_TAG, GRAIN_TAG
from lead_assets.kit.partitions import campaigns
from lead_assets.kit.run_failures import retry_what_may_pass
from lead_assets.kit.standing import standing_of
from lead_assets.ledger import Ledger
from lead_assets.operating.observed import OBSERVED
from lead_assets.operating.watch import FRESH_KEY, PIPELINE
from lead_assets.stores.archive import Archive

EVALUATION = "golden_evaluation"
ESTIMATE = "estimate"
OBSERVE = "observe"
HOME_TABLES = "home_tables"
LEARNED = "learned"
REBUILD = "lead_rebuild"
DELIVERIES = "deliveries"

of_estimates = AssetSelection.assets("spending/estimates")
"""What a run would cost: on request, because a run changes it."""
of_campaigns = AssetSelection.tag(GRAIN_TAG, "campaign") - AssetSelection.checks(FRESH_KEY) - of_estimates
"""Everything that a run makes per campaign. Freshness is judged between runs."""
of_days = AssetSelection.tag(GRAIN_TAG, "day")
"""Everything that is made per day."""
of_learned = AssetSelection.assets("scoring/score_model", "lookalike/index")
"""What is learned from outcomes: once a day and on request, because it takes up to a minute."""
of_home = AssetSelection.tag(GRAIN_TAG, "home") - AssetSelection.assets(f"classification/{EVALUATION}") - of_learned
"""Tables made from all campaigns. The golden evaluation reads none of them and costs money, so it runs only on request."""

pipeline_job = define_asset_job(
    PIPELINE,
    selection=of_campaigns,
    description="All assets of one campaign or a range of campaigns, from the archive to the marts.",
)

home_job = define_asset_job(
    HOME_TABLES,
    selection=of_home,
    description="All home-wide tables, from the current campaign tables and the ledger.",
)

home_sensor = AutomationConditionSensorDefinition(
    "home_sensor",
    target=of_home,
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Updates the home-wide tables when campaigns have changed and none is running any more.",
)

free_sensor = AutomationConditionSensorDefinition(
    "free_sensor",
    target=AssetSelection.assets("scoring/scores", "routing/decisions") | (AssetSelection.groups("marts") & of_campaigns),
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Updates scores, routing and the campaigns' marts when their rules, code or inputs have changed. Costs nothing.",
)

learned_job = define_asset_job(
    LEARNED,
    selection=of_learned | AssetSelection.assets("scoring/outcomes"),
    description="Learns from the outcomes that are known now. What is learned is used for new campaigns, if it is better than what is in use.",
)

learned_schedule = ScheduleDefinition(
    job=learned_job,
    cron_schedule="15 3 * * *",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Daily. Costs nothing but a minute of computing, and nothing at all if no outcome is new.",
)

evaluation_job = define_asset_job(
    EVALUATION,
    selection=AssetSelection.assets(f"classification/{EVALUATION}"),
    description="Measures the classifier on the labelled leads. Bought once per prompt, contract and model.",
)

estimate_job = define_asset_job(
    ESTIMATE,
    selection=of_estimates,
    description="What a run of these campaigns would buy now, before anything is spent. Calls nobody.",
)

observe_job = define_asset_job(
    OBSERVE,
    selection=AssetSelection.assets(*OBSERVED),
    description="Observes budgets, the vendors' quotas, what waits, drift, and which rules are in force.",
)

observe_schedule = ScheduleDefinition(
    job=observe_job,
    cron_schedule="5 * * * *",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Hourly. Costs nothing: asking vendors what is left of a plan is free.",
)

rebuild_job = define_asset_job(
    REBUILD,
    selection=of_campaigns,
    tags={BUY_TAG: "never"},
    description="The pipeline from archive and ledger alone. Buys nothing, whatever the age of the ledger's answers: for backfills that must be free.",
)


@sensor(
    job=pipeline_job,
    minimum_interval_seconds=1,
    default_status=DefaultSensorStatus.RUNNING,
    description="Stores files from the landing folder in the archive, moves or deletes them (LEAD_ASSETS_LANDING_TAKEN) and runs their campaigns. A file "
    "still being written waits. A campaign with a queued run is not requested again; one with a run in progress is requested once more afterwards.",
)
def drop_sensor(
    context: SensorEvaluationContext, settings: ResourceParam[Settings], archive: ResourceParam[Archive]
) -> SensorResult | SkipReason:
    from lead_assets.core.document import RulesError
    from lead_assets.intake import landing
    from lead_assets.rules.check import put_in_force

    try:
        put_in_force(settings)
    except RulesError as error:
        # The cursor stays unchanged, so the first tick after a fix takes everything.
        return SkipReason(f"the rules have errors; files stay where they are until these are fixed:\n{error}")
    taken = landing.watch(settings, archive, context.cursor, now=datetime.now(UTC))
    if taken.postponed:
        context.log.warning(f"{len(taken.postponed)} files wait: {', '.join(sorted(set(taken.postponed.values())))}")
    runs, cursor = landing.ask(taken.cursor, standing_of(context.instance, PIPELINE) if taken.cursor.due else {})
    if not runs:
        context.update_cursor(cursor.text())
        return SkipReason(
            f"{settings.landing_location}: {len(taken.drops)} files taken, {taken.left} moved or deleted, {taken.waiting} incomplete; "
            f"{len(cursor.due)} campaigns wait for their run to end"
        )
    known = set(context.instance.get_dynamic_partitions("campaign"))
    return SensorResult(
        run_requests=[RunRequest(run_key=run.run_key, partition_key=run.campaign_id) for run in runs],
        dynamic_partitions_requests=[campaigns.build_add_request(sorted({run.campaign_id for run in runs} - known))],
        cursor=cursor.text(),
    )


@sensor(
    job=pipeline_job,
    minimum_interval_seconds=15,
    default_status=DefaultSensorStatus.RUNNING,
    description="Runs campaigns again that miss answers because a provider was down, once it is back.",
)
def missed_sensor(context: SensorEvaluationContext, ledger: ResourceParam[Ledger]) -> SensorResult | SkipReason:
    from lead_assets.kit.outages import ask_again

    requests, cursor = ask_again(context.instance, ledger, context.cursor)
    if not requests:
        context.update_cursor(cursor)
        return SkipReason("no campaign misses answers that are available now")
    return SensorResult(run_requests=requests, cursor=cursor)


@sensor(
    job=pipeline_job,
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Finishes the campaigns that a backfill held back because another campaign failed before all accounts were known.",
)
def held_back_sensor(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    from lead_assets.kit.held_back import go_on

    assert context.repository_def is not None
    requests, cursor = go_on(context.instance, context.repository_def.asset_graph, context.cursor)
    if not requests:
        context.update_cursor(cursor)
        return SkipReason("no backfill has held back campaigns that can go on")
    return SensorResult(run_requests=requests, cursor=cursor)


@op(description="Sends what waits in the outbox and is due, to all destinations that are on.")
def drain_outbox(context: OpExecutionContext, settings: ResourceParam[Settings], ledger: ResourceParam[Ledger]) -> None:
    from lead_assets.delivery.dispatch import drain
    from lead_assets.delivery.rules import load_delivery_rules

    drained = drain(ledger, settings, load_delivery_rules(settings), patience=60.0)
    context.add_output_metadata({row.pop("destination"): dict(row) for row in drained.rows()})


@job(hooks={retry_what_may_pass}, description="Drains the outbox: intents that are due become sends.")
def outbox_job() -> None:
    drain_outbox()


deliveries_job = define_asset_job(
    DELIVERIES,
    selection=AssetSelection.assets("delivery/deliveries", "delivery/dead_letters", "marts/time_to_first_touch", "marts/lead_360"),
    description="The tables of what was sent, from the ledger.",
)


@sensor(
    jobs=[outbox_job, deliveries_job],
    minimum_interval_seconds=15,
    default_status=DefaultSensorStatus.RUNNING,
    description="Drains the outbox when something is due (retries, quiet hours that are over, leads that come back from nurture), and then updates the tables.",
)
def outbox_sensor(
    context: SensorEvaluationContext, settings: ResourceParam[Settings], ledger: ResourceParam[Ledger]
) -> SensorResult | SkipReason:
    from lead_assets.core.document import RulesError
    from lead_assets.delivery.dispatch import sendable
    from lead_assets.delivery.rules import load_delivery_rules
    from lead_assets.kit.outbox import next_step

    try:
        able = sendable(ledger, settings, load_delivery_rules(settings))
    except RulesError as error:
        return SkipReason(f"nothing is sent until rules/delivery.yaml is fixed:\n{error}")
    requests, cursor = next_step(context.instance, ledger, able, context.cursor, outbox_job.name, DELIVERIES)
    if not requests:
        context.update_cursor(cursor)
        return SkipReason("nothing is due in the outbox")
    return SensorResult(run_requests=requests, cursor=cursor)


@sensor(
    job=home_job,
    minimum_interval_seconds=15,
    default_status=DefaultSensorStatus.RUNNING,
    description="Takes files of outcomes (.outcomes/) and of opt-outs (.suppressions/) from the landing zone; the table of outcomes follows at once.",
)
def inbox_sensor(
    context: SensorEvaluationContext, settings: ResourceParam[Settings], archive: ResourceParam[Archive], ledger: ResourceParam[Ledger]
) -> SensorResult | SkipReason:
    from lead_assets.core.document import RulesError
    from lead_assets.operating import inbox

    try:
        emptied = inbox.empty(settings, archive, ledger, context.cursor, now=datetime.now(UTC))
    except RulesError as error:
        return SkipReason(f"files stay where they are until rules/outcomes.yaml is fixed:\n{error}")
    for path, read in emptied.taken.items():
        context.log.info(f"{path}: {read}")
    for path, why in emptied.unread.items():
        context.log.warning(f"{path} stays: {why}")
    if emptied.outcomes is None:
        context.update_cursor(emptied.cursor)
        stay = "".join(f"\n{path} stays: {why}" for path, why in emptied.unread.items())
        return SkipReason(f"{len(emptied.taken)} files taken, no new outcomes{stay}")
    request = RunRequest(run_key=f"outcomes/{emptied.outcomes}", asset_selection=[AssetKey(["scoring", "outcomes"])])
    return SensorResult(run_requests=[request], cursor=emptied.cursor)


@op(description="Stores what the destinations that are on know of how leads ended.", retry_policy=None)
def fetch_outcomes(
    context: OpExecutionContext, settings: ResourceParam[Settings], archive: ResourceParam[Archive], ledger: ResourceParam[Ledger]
) -> None:
    from lead_assets.delivery.rules import load_delivery_rules
    from lead_assets.operating import inbox

    rows = inbox.fetch_outcomes(settings, archive, load_delivery_rules(settings), ledger.now())
    context.add_output_metadata({row["destination"]: row["why"] or f"{row['read']} deals" for row in rows})
    if failed := {row["destination"]: row["why"] for row in rows if row["why"] not in ("", "no_key")}:
        raise Failure(f"not all destinations said how leads ended: {failed}. The next day asks again", allow_retries=False)


@job(description="Destinations → archive: which deals were won or lost.")
def outcomes_job() -> None:
    fetch_outcomes()


outcomes_schedule = ScheduleDefinition(
    job=outcomes_job,
    cron_schedule="45 2 * * *",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every night, before models learn from it. Asks the destinations that are on and have their key.",
)


@op(description="Fetches all campaigns' leads from the campaign API into the landing folder, where the drop sensor takes over.")
def sync_campaigns(context: OpExecutionContext, settings: ResourceParam[Settings], archive: ResourceParam[Archive]) -> None:
    from lead_assets.intake import campaign_api

    synced = campaign_api.sync(settings, archive)
    if synced.failures:
        # The other campaigns' leads are already in the landing folder, but a successful run would hide that these are missing. The schedule retries.
        raise Failure(
            f"the leads of {len(synced.failures)} of {synced.campaigns} campaigns could not be fetched",
            metadata=synced.metadata(),
            allow_retries=False,
        )
    context.add_output_metadata(synced.metadata())


@job(
    hooks={retry_what_may_pass},
    description="Campaign API → landing folder. New leads become drops; leads that the archive already has do not.",
)
def campaign_api_job() -> None:
    sync_campaigns()


campaign_api_schedule = ScheduleDefinition(
    job=campaign_api_job,
    cron_schedule="0 * * * *",
    default_status=DefaultScheduleStatus.STOPPED,
    description="Hourly. Off by default, because it needs the campaign API's token.",
)


@op(description="Removes what has been kept as long as rules/privacy.yaml says.")
def enforce_retention(context: OpExecutionContext, settings: ResourceParam[Settings], ledger: ResourceParam[Ledger]) -> None:
    from lead_assets.privacy.retention import load_privacy_rules, retain

    removed = retain(settings, ledger, load_privacy_rules(settings), ledger.now())
    context.add_output_metadata({kind: each["removed"] for kind, each in removed.items()})


@job(description="Archive, ledger, landing zone and run logs, without what is older than rules/privacy.yaml says.")
def retention_job() -> None:
    enforce_retention()


retention_schedule = ScheduleDefinition(
    job=retention_job,
    cron_schedule="30 3 * * *",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every night (UTC). As shipped, only files that the archive has and old logs of runs are removed.",
)


@op(description="Suppresses whoever has unsubscribed at a destination, or whose address bounces there.", retry_policy=None)
def fetch_opt_outs(context: OpExecutionContext, settings: ResourceParam[Settings], ledger: ResourceParam[Ledger]) -> None:
    from lead_assets.delivery.rules import load_delivery_rules
    from lead_assets.privacy.fetching import fetch

    rows = fetch(settings, ledger, load_delivery_rules(settings))
    context.add_output_metadata({row["destination"]: row["why"] or f"{row['added']} new of {row['read']}" for row in rows})
    failed = {row["destination"]: row["why"] for row in rows if row["why"] not in ("", "no_key")}
    if failed:
        raise Failure(f"not all destinations said who has opted out: {failed}. The next hour asks again", allow_retries=False)


@job(description="Destinations → suppressions: bounces, unsubscribes, complaints.")
def suppression_job() -> None:
    fetch_opt_outs()


suppression_schedule = ScheduleDefinition(
    job=suppression_job,
    cron_schedule="20 * * * *",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Hourly. Asks the destinations that are on and have their key.",
)


@op(
    description="Removes what was superseded longer ago than LEAD_ASSETS_HISTORY_DAYS from Dagster's history. What the UI says of tables now stays."
)
def prune_history(context: OpExecutionContext, settings: ResourceParam[Settings]) -> None:
    from lead_assets.kit.history_retention import prune

    pruned = prune(context.instance, datetime.now(UTC) - timedelta(days=settings.history_days))
    context.add_output_metadata({"events": pruned.events, "runs": pruned.runs, "verdicts": pruned.verdicts})


@job(hooks={retry_what_may_pass}, description="Keeps Dagster's history small: see LEAD_ASSETS_HISTORY_DAYS.")
def history_job() -> None:
    prune_history()


history_schedule = ScheduleDefinition(
    job=history_job,
    cron_schedule="15 4 * * *",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every night.",
)

evaluation_schedule = ScheduleDefinition(
    job=evaluation_job,
    cron_schedule="0 4 * * 1",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Weekly. Costs nothing while prompt, contract and model are as they were, because answers are in the ledger.",
)
