-- From the topic into `view_events`. librdkafka, which the Kafka engine uses, reads committed records alone unless it is
-- told otherwise; saying so keeps it true if a server's configuration file says something else.

CREATE TABLE view_events_queue AS view_events
ENGINE = Kafka
SETTINGS
    kafka_broker_list = 'localhost:9092',
    kafka_topic_list = 'page-views',
    kafka_group_name = 'clickhouse-page-views',
    kafka_format = 'JSONEachRow',
    kafka_num_consumers = 1,
    input_format_skip_unknown_fields = 1,
    date_time_input_format = 'best_effort';

CREATE MATERIALIZED VIEW view_events_reader TO view_events AS
SELECT * FROM view_events_queue;
