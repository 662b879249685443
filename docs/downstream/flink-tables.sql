-- View events as a table of Flink SQL. The isolation level is not Flink's default: without that line aborted records
-- would be counted too.
CREATE TABLE view_events (
    `id` STRING,
    `day` STRING,
    `site` STRING,
    `page` STRING,
    `is_page_view` BOOLEAN,
    `visitor_id` STRING,
    `client_key` STRING
) WITH (
    'connector' = 'kafka',
    'topic' = 'page-views',
    'properties.bootstrap.servers' = 'localhost:9092',
    'properties.group.id' = 'flink-page-views',
    'properties.isolation.level' = 'read_committed',
    'scan.startup.mode' = 'earliest-offset',
    'format' = 'json'
);
