-- Page views in Apache Doris. The unique key ends with the event's id: an event that is loaded twice is one row.
CREATE TABLE page_views
(
    `day` DATE NOT NULL,
    `site` VARCHAR(255) NOT NULL,
    `id` VARCHAR(64) NOT NULL,
    `page` VARCHAR(1024),
    `visitor_id` VARCHAR(32),
    `client_key` VARCHAR(32),
    `referrer_host` VARCHAR(255),
    `http_response_status_code` INT
)
UNIQUE KEY (`day`, `site`, `id`)
AUTO PARTITION BY RANGE (date_trunc(`day`, 'month')) ()
DISTRIBUTED BY HASH(`id`) BUCKETS AUTO
PROPERTIES ("replication_num" = "1", "enable_unique_key_merge_on_write" = "true");

-- `read_committed` leaves out what belongs to aborted transactions.
CREATE ROUTINE LOAD page_views_load ON page_views
COLUMNS (`day`, `site`, `id`, `page`, `visitor_id`, `client_key`, `referrer_host`, `http_response_status_code`, `is_page_view`),
WHERE `is_page_view` = true
PROPERTIES
(
    "format" = "json",
    "jsonpaths" = "[\"$.day\",\"$.site\",\"$.id\",\"$.page\",\"$.visitor_id\",\"$.client_key\",\"$.referrer_host\",\"$.http_response_status_code\",\"$.is_page_view\"]",
    "max_filter_ratio" = "1",
    "strict_mode" = "false"
)
FROM KAFKA
(
    "kafka_broker_list" = "localhost:9092",
    "kafka_topic" = "page-views",
    "property.group.id" = "doris-page-views",
    "property.isolation.level" = "read_committed",
    "property.kafka_default_offsets" = "OFFSET_BEGINNING"
);
