-- View events in ClickHouse: one table of events, and daily numbers that are kept up to date by materialised views.
--
-- What brings events into ClickHouse may bring one twice (the Kafka engine is at-least-once). Every number is therefore
-- a count of distinct ids, which a repetition does not change; `page_views` counts `id`.

CREATE TABLE view_events
(
    v UInt8,
    id String,
    line_size UInt32,
    time Nullable(DateTime64(3, 'UTC')),
    day Nullable(Date),
    site LowCardinality(String),
    page String,
    is_page_view Bool,
    exclude_reason LowCardinality(String),
    visitor_id String,
    visitor_kind LowCardinality(String),
    client_key String,
    client_address String,
    http_request_method LowCardinality(String),
    url_path String,
    http_response_status_code Nullable(UInt16),
    http_response_body_size Nullable(UInt64),
    http_request_duration_ms Nullable(Float64),
    http_request_referrer String,
    referrer_host LowCardinality(String),
    user_agent_original String,
    bot LowCardinality(String),
    host LowCardinality(String),
    log LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (site, id);

-- Days of a site. States of two parts are merged, so that late events end up on their own day.
CREATE TABLE daily_sites
(
    day Date,
    site LowCardinality(String),
    page_views AggregateFunction(uniqExact, String),
    visitors AggregateFunction(uniqExactIf, String, UInt8),
    addresses AggregateFunction(uniqExactIf, String, UInt8)
)
ENGINE = AggregatingMergeTree
ORDER BY (site, day);

CREATE MATERIALIZED VIEW daily_sites_writer TO daily_sites AS
SELECT
    assumeNotNull(day) AS day,
    site,
    uniqExactState(id) AS page_views,
    uniqExactIfState(visitor_id, visitor_id != '') AS visitors,
    uniqExactIfState(client_key, client_key != '') AS addresses
FROM view_events
WHERE is_page_view AND view_events.day IS NOT NULL
GROUP BY day, site;

-- The same for every article.
CREATE TABLE daily_pages
(
    day Date,
    site LowCardinality(String),
    page String,
    page_views AggregateFunction(uniqExact, String),
    visitors AggregateFunction(uniqExactIf, String, UInt8),
    addresses AggregateFunction(uniqExactIf, String, UInt8)
)
ENGINE = AggregatingMergeTree
ORDER BY (site, day, page);

CREATE MATERIALIZED VIEW daily_pages_writer TO daily_pages AS
SELECT
    assumeNotNull(day) AS day,
    site,
    page,
    uniqExactState(id) AS page_views,
    uniqExactIfState(visitor_id, visitor_id != '') AS visitors,
    uniqExactIfState(client_key, client_key != '') AS addresses
FROM view_events
WHERE is_page_view AND view_events.day IS NOT NULL
GROUP BY day, site, page;
