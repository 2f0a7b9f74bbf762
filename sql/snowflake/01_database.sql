-- The database, and the two schemas that no room owns. Each room's own schema is made by the loader when it first writes a table of it.
-- Run these files in order, once, as a user who may use the roles they name. Replace what stands in <angle brackets>.
USE ROLE SYSADMIN;

CREATE DATABASE IF NOT EXISTS LEADS
    DATA_RETENTION_TIME_IN_DAYS = 1
    COMMENT = 'lead_assets: derived tables. Archive and ledger are the sources, and rebuild them to the same rows.';

-- Which partitions were written, the tag of personal data, and the loader's temporary stages.
CREATE SCHEMA IF NOT EXISTS LEADS.LEAD_ASSETS;

-- Enrichment events as Snowpipe lands them.
CREATE SCHEMA IF NOT EXISTS LEADS.RAW;
