-- The databases and tables of spot-oa on Impala 4, for clusters where its user may not create any.
-- (Where it may, nothing here is needed but the telemetry: a run creates what is missing.)
-- With SPOT_OA_SCHEMA_PREFIX, put the prefix before every database. Seeds, staging views and
-- intermediate tables are made by `dbt build`. Written by tests/support/impala/ddl.py.

create database if not exists raw;

create database if not exists lookups;

create database if not exists reference;

create database if not exists oa_staging;

create database if not exists oa_intermediate;

create database if not exists oa;

create table if not exists raw.dns (`frame_time` string, `unix_tstamp` bigint, `frame_len` int,
    `ip_dst` string, `ip_src` string, `dns_qry_name` string, `dns_qry_class` string, `dns_qry_type`
    int, `dns_qry_rcode` int, `dns_a` string) partitioned by (`y` smallint, `m` tinyint, `d`
    tinyint, `h` tinyint) stored as parquet;

create table if not exists raw.flow (`treceived` string, `unix_tstamp` bigint, `tryear` int,
    `trmonth` int, `trday` int, `trhour` int, `trminute` int, `trsec` int, `tdur` float, `sip`
    string, `dip` string, `sport` int, `dport` int, `proto` string, `flag` string, `fwd` int, `stos`
    int, `ipkt` bigint, `ibyt` bigint, `opkt` bigint, `obyt` bigint, `input` int, `output` int,
    `sas` int, `das` int, `dtos` int, `dir` int, `rip` string) partitioned by (`y` smallint, `m`
    tinyint, `d` tinyint, `h` tinyint) stored as parquet;

create table if not exists raw.proxy (`p_date` string, `p_time` string, `clientip` string, `host`
    string, `reqmethod` string, `useragent` string, `resconttype` string, `duration` int, `username`
    string, `authgroup` string, `exceptionid` string, `filterresult` string, `webcat` string,
    `referer` string, `respcode` string, `action` string, `urischeme` string, `uriport` string,
    `uripath` string, `uriquery` string, `uriextension` string, `serverip` string, `scbytes` bigint,
    `csbytes` bigint, `virusid` string, `bcappname` string, `bcappoper` string, `fulluri` string)
    partitioned by (`y` string, `m` string, `d` string, `h` string) stored as parquet;

create table if not exists raw.dns_results (`frame_time` string, `unix_tstamp` bigint, `frame_len`
    bigint, `ip_dst` string, `dns_qry_name` string, `dns_qry_class` string, `dns_qry_type` int,
    `dns_qry_rcode` int, `score` double, `rank` int, `line_no` bigint, `source_uri` string,
    `source_sha256` string, `landed_at` timestamp) partitioned by (`y` int, `m` int, `d` int) stored
    as parquet;

create table if not exists raw.flow_results (`treceived` string, `tryear` int, `trmonth` int,
    `trday` int, `trhour` int, `trminute` int, `trsec` int, `tdur` double, `sip` string, `dip`
    string, `sport` int, `dport` int, `proto` string, `ipkt` bigint, `ibyt` bigint, `opkt` bigint,
    `obyt` bigint, `score` double, `rank` int, `line_no` bigint, `source_uri` string,
    `source_sha256` string, `landed_at` timestamp) partitioned by (`y` int, `m` int, `d` int) stored
    as parquet;

create table if not exists raw.proxy_results (`p_date` string, `p_time` string, `clientip` string,
    `host` string, `reqmethod` string, `useragent` string, `resconttype` string, `duration` int,
    `username` string, `webcat` string, `referer` string, `respcode` string, `uriport` string,
    `uripath` string, `uriquery` string, `serverip` string, `scbytes` bigint, `csbytes` bigint,
    `fulluri` string, `word` string, `score` double, `rank` int, `line_no` bigint, `source_uri`
    string, `source_sha256` string, `landed_at` timestamp) partitioned by (`y` int, `m` int, `d`
    int) stored as parquet;

create table if not exists raw.results_rejects (`line_no` bigint, `reason` string, `line` string)
    partitioned by (`pipeline` string, `y` int, `m` int, `d` int) stored as parquet;

create table if not exists lookups.ip_geo (`ip` string, `geoloc` string, `domain` string,
    `country_code` string, `country` string, `region` string, `city` string, `latitude` double,
    `longitude` double, `asn` bigint, `as_org` string, `isp` string, `source` string,
    `source_built_at` timestamp) partitioned by (`pipeline` string, `y` int, `m` int, `d` int)
    stored as parquet;

create table if not exists lookups.network_context (`ip` string, `is_internal` int, `label` string)
    partitioned by (`pipeline` string, `y` int, `m` int, `d` int) stored as parquet;

create table if not exists lookups.reputation (`indicator` string, `indicator_type` string,
    `reputation` string, `severity` int) partitioned by (`pipeline` string, `y` int, `m` int, `d`
    int) stored as parquet;

create table if not exists lookups.reputation_verdicts (`indicator` string, `indicator_type` string,
    `service` string, `severity` int, `label` string, `confidence` double, `category` string,
    `matched_entry` string, `fetched_at` timestamp, `expires_at` timestamp, `outcome` string)
    partitioned by (`pipeline` string, `y` int, `m` int, `d` int) stored as parquet;

create table if not exists lookups.domain (`name` string, `registered_domain` string,
    `public_suffix` string) partitioned by (`pipeline` string, `y` int, `m` int, `d` int) stored as
    parquet;

create table if not exists oa.run_audit (`run_id` string, `status` string, `reason` string,
    `failed_step` string, `started_at` timestamp, `finished_at` timestamp, `seconds` double,
    `step_seconds` string, `user_name` string, `host` string, `started_from` string, `flow_run_id`
    string, `target` string, `versions` string, `results_limit` int, `rows_landed` bigint,
    `lines_rejected` bigint, `bad_values` bigint, `enrichment` string, `models_built` int,
    `tests_passed` int, `tests_warned` int, `published_rows` string, `warnings` int, `warning_texts`
    string, `fingerprint` string) partitioned by (`pipeline` string, `y` int, `m` int, `d` int)
    stored as parquet;

create table if not exists oa.dns_scores (`frame_time` string, `unix_tstamp` bigint, `frame_len`
    bigint, `ip_dst` string, `dns_qry_name` string, `dns_qry_class` string, `dns_qry_type` int,
    `dns_qry_rcode` int, `score` double, `tld` string, `query_rep` string, `hh` int,
    `dns_qry_class_name` string, `dns_qry_type_name` string, `dns_qry_rcode_name` string,
    `network_context` string) partitioned by (`y` int, `m` int, `d` int) stored as parquet;

create table if not exists oa.dns_edge (`unix_tstamp` bigint, `frame_len` bigint, `ip_dst` string,
    `ip_src` string, `dns_qry_name` string, `dns_qry_class` string, `dns_qry_type` int,
    `dns_qry_rcode` int, `dns_a` string, `hh` int, `dns_qry_class_name` string, `dns_qry_type_name`
    string, `dns_qry_rcode_name` string, `network_context` string) partitioned by (`y` int, `m` int,
    `d` int) stored as parquet;

create table if not exists oa.dns_dendro (`unix_tstamp` bigint, `dns_a` string, `dns_qry_name`
    string, `ip_dst` string) partitioned by (`y` int, `m` int, `d` int) stored as parquet;

create table if not exists oa.dns_ingest_summary (`tdate` string, `total` bigint) partitioned by
    (`y` int, `m` int, `d` int) stored as parquet;

create table if not exists oa.flow_scores (`tstart` string, `srcip` string, `dstip` string, `sport`
    int, `dport` int, `proto` string, `ipkt` bigint, `ibyt` bigint, `opkt` bigint, `obyt` bigint,
    `score` double, `rank` int, `srcip_internal` int, `destip_internal` int, `src_geoloc` string,
    `dst_geoloc` string, `src_domain` string, `dst_domain` string, `src_rep` string, `dst_rep`
    string) partitioned by (`y` int, `m` int, `d` int) stored as parquet;

create table if not exists oa.flow_edge (`tstart` string, `srcip` string, `dstip` string, `sport`
    int, `dport` int, `proto` string, `flags` string, `tos` int, `ibyt` bigint, `ipkt` bigint,
    `pkts` bigint, `input` int, `output` int, `rip` string, `obyt` bigint, `opkt` bigint, `hh` int,
    `md` int) partitioned by (`y` int, `m` int, `d` int) stored as parquet;

create table if not exists oa.flow_chords (`ip_threat` string, `srcip` string, `dstip` string,
    `ibyt` bigint, `ipkt` bigint) partitioned by (`y` int, `m` int, `d` int) stored as parquet;

create table if not exists oa.flow_ingest_summary (`tdate` string, `total` bigint) partitioned by
    (`y` int, `m` int, `d` int) stored as parquet;

create table if not exists oa.proxy_scores (`tdate` string, `time` string, `clientip` string, `host`
    string, `reqmethod` string, `useragent` string, `resconttype` string, `duration` int, `username`
    string, `webcat` string, `referer` string, `respcode` string, `uriport` string, `uripath`
    string, `uriquery` string, `serverip` string, `scbytes` bigint, `csbytes` bigint, `fulluri`
    string, `word` string, `ml_score` double, `uri_rep` string, `respcode_name` string,
    `network_context` string) partitioned by (`y` int, `m` int, `d` int) stored as parquet;

create table if not exists oa.proxy_edge (`tdate` string, `time` string, `clientip` string, `host`
    string, `webcat` string, `respcode` string, `reqmethod` string, `useragent` string,
    `resconttype` string, `referer` string, `uriport` string, `serverip` string, `scbytes` bigint,
    `csbytes` bigint, `fulluri` string, `hh` int, `respcode_name` string) partitioned by (`y` int,
    `m` int, `d` int) stored as parquet;

create table if not exists oa.proxy_ingest_summary (`tdate` string, `total` bigint) partitioned by
    (`y` int, `m` int, `d` int) stored as parquet;
