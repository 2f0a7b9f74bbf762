-- Is Snowpipe landing what is archived? `lead-assets verify-snowpipe` runs these three and compares the last with the archive.
-- Each statement is named by the comment before it; the command reads them from this file.

-- name: pipe_status
-- executionState RUNNING; pendingFileCount is what waits. lastForwardedMessageTimestamp older than the newest file: Pub/Sub does not reach the pipe.
SELECT SYSTEM$PIPE_STATUS('LEADS.RAW.ENRICHMENT_EVENTS_PIPE') AS STATUS;

-- name: copy_history
-- Files of the last 24 hours that did not load whole, and why; no row is good news.
SELECT FILE_NAME, STATUS, ROW_COUNT, ROW_PARSED, FIRST_ERROR_MESSAGE, LAST_LOAD_TIME
FROM TABLE(LEADS.INFORMATION_SCHEMA.COPY_HISTORY(
    TABLE_NAME => 'LEADS.RAW.ENRICHMENT_EVENTS_LANDED',
    START_TIME => DATEADD('hour', -24, CURRENT_TIMESTAMP())
))
WHERE STATUS <> 'Loaded'
ORDER BY LAST_LOAD_TIME DESC
LIMIT 100;

-- name: landed
-- Files that have landed, and their events. A file in the archive that is not here has not.
SELECT FILE_NAME, COUNT(DISTINCT EVENT_ID) AS EVENTS
FROM LEADS.RAW.ENRICHMENT_EVENTS_LANDED
GROUP BY FILE_NAME;
