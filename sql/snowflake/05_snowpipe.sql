-- Loads enrichment events from the archive's bucket into a landing table, by Snowpipe, minutes after they are written.
-- Between the statements there are steps in Google Cloud: docs/production.md lists them in order.
USE ROLE ACCOUNTADMIN;

CREATE STORAGE INTEGRATION IF NOT EXISTS LEAD_ASSETS_GCS
    TYPE = EXTERNAL_STAGE
    STORAGE_PROVIDER = 'GCS'
    ENABLED = TRUE
    STORAGE_ALLOWED_LOCATIONS = ('gcs://<bucket>/events/');

-- STORAGE_GCP_SERVICE_ACCOUNT: give it storage.buckets.get, storage.objects.get and storage.objects.list on the bucket.
DESC INTEGRATION LEAD_ASSETS_GCS;

CREATE NOTIFICATION INTEGRATION IF NOT EXISTS LEAD_ASSETS_GCS_NOTIFY
    TYPE = QUEUE
    NOTIFICATION_PROVIDER = GCP_PUBSUB
    ENABLED = TRUE
    GCP_PUBSUB_SUBSCRIPTION_NAME = 'projects/<project>/subscriptions/<subscription>';

-- GCP_PUBSUB_SERVICE_ACCOUNT (a different one): give it Pub/Sub Subscriber on the subscription and Monitoring Viewer on the project.
DESC INTEGRATION LEAD_ASSETS_GCS_NOTIFY;

GRANT USAGE ON INTEGRATION LEAD_ASSETS_GCS TO ROLE SYSADMIN;
GRANT USAGE ON INTEGRATION LEAD_ASSETS_GCS_NOTIFY TO ROLE SYSADMIN;

USE ROLE SYSADMIN;

CREATE FILE FORMAT IF NOT EXISTS LEADS.RAW.EVENTS_NDJSON
    TYPE = JSON
    COMPRESSION = AUTO
    STRIP_OUTER_ARRAY = FALSE;

CREATE STAGE IF NOT EXISTS LEADS.RAW.EVENTS_STAGE
    URL = 'gcs://<bucket>/events/'
    STORAGE_INTEGRATION = LEAD_ASSETS_GCS
    FILE_FORMAT = (FORMAT_NAME = 'LEADS.RAW.EVENTS_NDJSON');

-- The ids are separate columns, because they cannot be read in a masked event, and the view below could not tell events apart.
CREATE TABLE IF NOT EXISTS LEADS.RAW.ENRICHMENT_EVENTS_LANDED (
    EVENT_ID VARCHAR COMMENT 'The same content has the same id',
    CAMPAIGN_ID VARCHAR COMMENT 'Campaign of the lead',
    LEAD_ID VARCHAR COMMENT 'Lead, as in identity.leads',
    RECORD VARIANT COMMENT 'The event as it was archived',
    FILE_NAME VARCHAR COMMENT 'Its file, as a path in the bucket',
    FILE_ROW NUMBER COMMENT 'Its line in the file, from 0',
    LOADED_AT TIMESTAMP_LTZ COMMENT 'When Snowpipe began to read the file'
) COMMENT = 'Enrichment events as they landed. Each is archived once, but delivery may repeat it: ENRICHMENT_EVENTS has each once.';

ALTER TABLE LEADS.RAW.ENRICHMENT_EVENTS_LANDED MODIFY COLUMN RECORD SET TAG LEADS.LEAD_ASSETS.PII = 'free_text';

-- Snowflake requires the integration's name in quotes and capitals.
CREATE PIPE IF NOT EXISTS LEADS.RAW.ENRICHMENT_EVENTS_PIPE
    AUTO_INGEST = TRUE
    INTEGRATION = 'LEAD_ASSETS_GCS_NOTIFY'
AS
COPY INTO LEADS.RAW.ENRICHMENT_EVENTS_LANDED (EVENT_ID, CAMPAIGN_ID, LEAD_ID, RECORD, FILE_NAME, FILE_ROW, LOADED_AT)
FROM (
    SELECT $1:event_id::VARCHAR, $1:lead:campaign_id::VARCHAR, $1:lead:lead_id::VARCHAR, $1,
        METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, METADATA$START_SCAN_TIME
    FROM @LEADS.RAW.EVENTS_STAGE
)
PATTERN = '.*[.]ndjson([.]gz)?'
FILE_FORMAT = (FORMAT_NAME = 'LEADS.RAW.EVENTS_NDJSON');

CREATE VIEW IF NOT EXISTS LEADS.RAW.ENRICHMENT_EVENTS
    COMMENT = 'Each enrichment event once, by its id: the same content has the same id'
AS
SELECT EVENT_ID, CAMPAIGN_ID, LEAD_ID, RECORD, FILE_NAME, LOADED_AT
FROM LEADS.RAW.ENRICHMENT_EVENTS_LANDED
QUALIFY ROW_NUMBER() OVER (PARTITION BY EVENT_ID ORDER BY LOADED_AT, FILE_NAME, FILE_ROW) = 1;

-- For `lead-assets verify-snowpipe`, which runs as the loader.
GRANT MONITOR ON PIPE LEADS.RAW.ENRICHMENT_EVENTS_PIPE TO ROLE LEAD_ASSETS_LOADER;
-- UPDATE for `lead-assets forget`, which empties a person's events.
GRANT SELECT, UPDATE ON TABLE LEADS.RAW.ENRICHMENT_EVENTS_LANDED TO ROLE LEAD_ASSETS_LOADER;

-- Loads files from the last seven days that existed before the pipe.
ALTER PIPE LEADS.RAW.ENRICHMENT_EVENTS_PIPE REFRESH;
