-- Does Snowpipe load what is archived? `lead-assets verify-snowpipe` runs these three queries and compares the last one with the archive.
-- The comment before each statement names it; the command reads them from this file.

-- name: pipe_status
-- executionState should be RUNNING; pendingFileCount is the number of waiting files. If lastForwardedMessageTimestamp is older than the newest file, Pub/Sub does not reach the pipe.
SELECT SYSTEM$PIPE_STATUS('LEADS.RAW.ENRICHMENT_EVENTS_PIPE') AS STATUS;

-- name: copy_history
-- Files from the last 24 hours that did not load completely, and why; no rows is good news.
SELECT FILE_NAME, STATUS, ROW_COUNT, ROW_PARSED, FIRST_ERROR_MESSAGE, LAST_LOAD_TIME
FROM TABLE(LEADS.INFORMATION_SCHEMA.COPY_HISTORY(
    TABLE_NAME => 'LEADS.RAW.ENRICHMENT_EVENTS_LANDED',
    START_TIME => DATEADD('hour', -24, CURRENT_TIMESTAMP())
))
WHERE STATUS <> 'Loaded'
ORDER BY LAST_LOAD_TIME DESC
LIMIT 100;

-- name: landed
-- Files that were loaded, with their events. An archived file that is missing here was not loaded.
SELECT FILE_NAME, COUNT(DISTINCT EVENT_ID) AS EVENTS
FROM LEADS.RAW.ENRICHMENT_EVENTS_LANDED
GROUP BY FILE_NAME;
