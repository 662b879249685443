#!/usr/bin/env python3
"""Executes the examples of docs/downstream over view events and prints their numbers.

    downstream.py clickhouse EVENTS.jsonl   the real engine, by chDB: tables, two loads of the same events, queries
    downstream.py sqlite EVENTS.jsonl       the queries of Doris and Flink, which are plain SQL

Prints {"ENGINE": {"days": [...], "pages": [...]}, ...}, rows as `viewtail report --json` has them. chDB has no Kafka: the
statements that name it are parsed alone.
"""
import json
import pathlib
import sqlite3
import sys

DIRECTORY = pathlib.Path(__file__).resolve().parents[2] / "docs" / "downstream"
# What the Kafka engine's table sets too.
SETTINGS = "SETTINGS input_format_skip_unknown_fields = 1, date_time_input_format = 'best_effort'"
COLUMNS = ("day", "site", "id", "page", "visitor_id", "client_key", "is_page_view")


def text(name):
    return (DIRECTORY / name).read_text(encoding="utf-8")


def statements(name):
    code = "\n".join(line for line in text(name).splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in code.split(";\n") if statement.strip()]


def clickhouse(events):
    from chdb import session

    database = session.Session()
    database.query("CREATE DATABASE views; USE views")
    for statement in statements("clickhouse-tables.sql"):
        database.query(statement)
    # Twice, as the Kafka engine may.
    for _ in range(2):
        database.query(f"INSERT INTO view_events FROM INFILE '{events}' {SETTINGS} FORMAT JSONEachRow")
    for statement in statements("clickhouse-kafka.sql"):
        database.query(f"EXPLAIN AST {statement}")

    def rows(name):
        settings = " SETTINGS output_format_json_quote_64bit_integers = 0"
        answer = str(database.query(text(name) + settings, "JSONEachRow"))
        return [json.loads(line) for line in answer.splitlines()]

    numbers = {"days": rows("clickhouse-daily-sites.sql"), "pages": rows("clickhouse-daily-pages.sql")}
    database.close()
    return {"clickhouse": numbers}


def sqlite(events):
    database = sqlite3.connect(":memory:")
    columns = ", ".join(COLUMNS)
    marks = ", ".join("?" * len(COLUMNS))
    database.execute(f"CREATE TABLE view_events ({columns})")
    with open(events, encoding="utf-8") as lines:
        rows = [tuple(map(json.loads(line).get, COLUMNS)) for line in lines]
    for _ in range(2):
        database.executemany(f"INSERT INTO view_events VALUES ({marks})", rows)
    database.execute("CREATE VIEW page_views AS SELECT * FROM view_events WHERE is_page_view")
    numbers = {}
    for engine in ("doris", "flink"):
        numbers[engine] = {}
        for table, name in (("days", "sites"), ("pages", "pages")):
            cursor = database.execute(text(f"{engine}-daily-{name}.sql"))
            names = [column[0] for column in cursor.description]
            numbers[engine][table] = [dict(zip(names, row)) for row in cursor]
    return numbers


if __name__ == "__main__":
    engine, path = sys.argv[1:]
    print(json.dumps({"clickhouse": clickhouse, "sqlite": sqlite}[engine](path)))
