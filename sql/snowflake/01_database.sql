-- The database, and the two schemas that do not belong to a room. The loader creates each room's schema when it first writes one of its tables.
-- Run these files once, in order, as a user who may use the roles they name. Replace everything in <angle brackets>.
USE ROLE SYSADMIN;

CREATE DATABASE IF NOT EXISTS LEADS
    DATA_RETENTION_TIME_IN_DAYS = 1
    COMMENT = 'lead_assets: derived tables. Archive and ledger are the sources, and rebuild them to the same rows.';

-- Records of written partitions, the tag for personal data, and the loader's temporary stages.
CREATE SCHEMA IF NOT EXISTS LEADS.LEAD_ASSETS;

-- Enrichment events as loaded by Snowpipe.
CREATE SCHEMA IF NOT EXISTS LEADS.RAW;
