"""What starts runs: the pipeline job, the sensor that watches for drops, the schedule that asks the campaign API.

Belongs here: jobs, sensors, schedules and policies that cut across rooms. Does not belong here: their decisions (see `lead_assets.intake.landing`
and `lead_assets.intake.campaign_api`), which are plain functions. https://docs.dagster.io/guides/automate
"""

from datetime import UTC, datetime

from dagster import (
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
from lead_assets.stores.archive import Archive

PIPELINE = "lead_pipeline"
EVALUATION = "golden_evaluation"
HOME_TABLES = "home_tables"
REBUILD = "lead_rebuild"

of_campaigns = AssetSelection.tag(GRAIN_TAG, "campaign")
"""All that is made for each campaign."""
of_home = AssetSelection.tag(GRAIN_TAG, "home") - AssetSelection.assets(f"classification/{EVALUATION}")
"""Tables made from all campaigns. The evaluation on golden leads reads none of them and costs money: it is made when a person asks."""

pipeline_job = define_asset_job(
    PIPELINE,
    selection=of_campaigns,
    description="Every asset for one campaign or a range of them, from the archive to the marts.",
)

home_job = define_asset_job(
    HOME_TABLES,
    selection=of_home,
    description="Every table of the whole home, from what the campaigns' tables and the ledger hold now.",
)

home_sensor = AutomationConditionSensorDefinition(
    "home_sensor",
    target=of_home,
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Makes the tables of the whole home again when campaigns have changed and none is under way any more.",
)

free_sensor = AutomationConditionSensorDefinition(
    "free_sensor",
    target=AssetSelection.assets("scoring/scores", "routing/decisions") | (AssetSelection.groups("marts") & of_campaigns),
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Brings scores, routing and the campaigns' marts up to date when their rules, their code or what they read has changed: it costs nothing.",
)

evaluation_job = define_asset_job(
    EVALUATION,
    selection=AssetSelection.assets(f"classification/{EVALUATION}"),
    description="Asks the classifier about the labelled leads; bought once for each prompt, contract and model.",
)

rebuild_job = define_asset_job(
    REBUILD,
    selection=of_campaigns,
    tags={BUY_TAG: "never"},
    description="The same from archive and ledger alone: buys nothing, whatever the age of what the ledger holds. For backfills that must cost nothing.",
)


@sensor(
    job=pipeline_job,
    minimum_interval_seconds=1,
    default_status=DefaultSensorStatus.RUNNING,
    description="Takes files from the landing folder into the archive, sees them off (LEAD_ASSETS_LANDING_TAKEN) and runs the campaigns they touch. A file "
    "still being written waits. A campaign whose run is queued is not asked for again; one whose run is under way is asked for once more after it.",
)
def drop_sensor(
    context: SensorEvaluationContext, settings: ResourceParam[Settings], archive: ResourceParam[Archive]
) -> SensorResult | SkipReason:
    from lead_assets.core.document import RulesError
    from lead_assets.intake import landing
    from lead_assets.rules.check import check_rules

    try:
        check_rules(settings)
    except RulesError as error:
        # The cursor stays as it is: the next tick after they are mended takes everything.
        return SkipReason(f"the rules cannot be used; files stay where they are until they are mended:\n{error}")
    taken = landing.watch(settings, archive, context.cursor, now=datetime.now(UTC))
    if taken.postponed:
        context.log.warning(f"{len(taken.postponed)} files wait: {', '.join(sorted(set(taken.postponed.values())))}")
    runs, cursor = landing.ask(taken.cursor, standing_of(context.instance, PIPELINE) if taken.cursor.due else {})
    if not runs:
        context.update_cursor(cursor.text())
        return SkipReason(
            f"{settings.landing_location}: {len(taken.drops)} files taken, {taken.left} seen off, {taken.waiting} not whole yet; "
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
    description="Runs campaigns once more that lack answers of a provider which could not be had for a while, when its circuit closes.",
)
def missed_sensor(context: SensorEvaluationContext, ledger: ResourceParam[Ledger]) -> SensorResult | SkipReason:
    from lead_assets.kit.outages import ask_again

    requests, cursor = ask_again(context.instance, ledger, context.cursor)
    if not requests:
        context.update_cursor(cursor)
        return SkipReason("no campaign lacks what can be had now")
    return SensorResult(run_requests=requests, cursor=cursor)


@op(
    description="Fetches every campaign's leads from the campaign API and drops them into the landing folder, where the drop sensor takes over."
)
def sync_campaigns(context: OpExecutionContext, settings: ResourceParam[Settings], archive: ResourceParam[Archive]) -> None:
    from lead_assets.intake import campaign_api

    synced = campaign_api.sync(settings, archive)
    if synced.failures:
        # The others' leads are dropped already; a run that succeeds would hide that these are missing. The schedule asks again.
        raise Failure(
            f"the leads of {len(synced.failures)} of {synced.campaigns} campaigns could not be fetched",
            metadata=synced.metadata(),
            allow_retries=False,
        )
    context.add_output_metadata(synced.metadata())


@job(
    hooks={retry_what_may_pass},
    description="Campaign API → landing folder. New leads become drops; what the archive already holds is not dropped again.",
)
def campaign_api_job() -> None:
    sync_campaigns()


campaign_api_schedule = ScheduleDefinition(
    job=campaign_api_job,
    cron_schedule="0 * * * *",
    default_status=DefaultScheduleStatus.STOPPED,
    description="Every hour. Off until it is switched on: it needs the campaign API's token.",
)
