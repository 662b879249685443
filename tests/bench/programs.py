"""The programs that are compared: how each is told to bring a log into a topic.

All of them: idempotent where they can, acks=all, lz4 unless said otherwise, one partition.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import measure

HERE = Path(__file__).resolve().parent
# A producer's usual wait for company, as the articles on sarama set it and as viewtail's first contract did.
LINGER_MS = 20


def need(command, phase, package):
    """The path of a command; if it is missing, an error that names it, instead of a row that is silently left out."""
    found = shutil.which(command, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin:/usr/local/go/bin") or shutil.which(command)
    if found is None:
        sys.exit(f"bench: {command} is not installed; `tests/tools/setup.sh {phase}` does that (package {package})")
    return found


class Program:
    """What is compared."""

    def for_one_line(self):
        """The same without a wait for company, so that what is subtracted of a run is the start and nothing else."""
        return self


class Viewtail(Program):
    """The agent: tails, parses, judges, writes JSON, delivers."""

    ends_by_itself = False

    def __init__(self, agent, name="viewtail", **kafka):
        self.agent, self.name = agent, name
        self.kafka = {"delivery": "exactly_once", "compression": "lz4", **kafka}

    def for_one_line(self):
        return Viewtail(self.agent, self.name, **self.kafka | {"commit_interval": "50ms"})

    def command(self, broker, log, topic, directory):
        """`log` may be a path, or a glob."""
        return self.command_for(broker, [(log, "bench.example.org")], topic, directory)

    def command_for(self, broker, logs, topic, directory):
        """`logs` are (path or glob, site)."""
        configuration = directory / "agent.yaml"
        options = "".join(f"  {key}: {value}\n" for key, value in self.kafka.items())
        entries = "".join(f"  - paths: [\"{log}\"]\n    name: {site}\n    format: combined\n    site: {site}\n"
                          for log, site in logs)
        configuration.write_text(
            f"agent: {{id: {topic}, state_dir: {directory}/state}}\n"
            f"logs:\n{entries}"
            f"kafka:\n  brokers: [{broker.addresses}]\n  topic: {topic}\n{options}"
            "http: false\n")
        return [str(self.agent), "run", "-c", str(configuration)]


class Kcat(Program):
    """The pipe itself: raw lines, no parsing, no memory of a position."""

    name = "kcat -P -l, raw lines"
    ends_by_itself = True

    def __init__(self):
        need("kcat", "test", "kcat")

    def command(self, broker, log, topic, directory):
        command = ["kcat", "-P", "-q", "-b", broker.addresses, "-t", topic, "-p", "0", "-l", str(log)]
        for setting in ("acks=all", "enable.idempotence=true", "compression.codec=lz4", f"linger.ms={LINGER_MS}"):
            command += ["-X", setting]
        return command


class KcatOfEvents(Kcat):
    """The pipe with the very events that viewtail makes of the log, made before: as many bytes, no work."""

    name = "kcat -P -l, viewtail's events"

    def __init__(self, agent):
        super().__init__()
        self.agent, self.made = agent, {}

    def command(self, broker, log, topic, directory):
        if log not in self.made:
            self.made[log] = self.make(log, self.agent.command(broker, log, topic, directory))
        return super().command(broker, self.made[log], topic, directory)

    @staticmethod
    def make(log, command):
        events = measure.OUT / f"{log.stem}.jsonl"
        agent, _, *configured = command
        with open(events, "wb") as out:
            made = subprocess.run([agent, "preview", *configured, "--json", "--quiet", log], stdout=out, check=False)
        if made.returncode != 0:
            sys.exit("bench: the events could not be made; viewtail's words are above")
        return events


class Rsyslog(Program):
    """imfile and omkafka, raw or with the same fields as JSON (times and ids as they stand in the line)."""

    ends_by_itself = False
    # A `combined` line, taken apart at its spaces and quotes: the property replacer is rsyslog's fast way.
    FIELDS = [("client_address", 32, 1), ("time", 32, 4), ("http_request_method", 32, 6), ("url_path", 32, 7),
              ("network_protocol_version", 32, 8), ("http_response_status_code", 32, 9),
              ("http_response_body_size", 32, 10), ("http_request_referrer", 34, 4), ("user_agent_original", 34, 6)]

    def __init__(self, as_json):
        self.binary = need("rsyslogd", "bench", "rsyslog, rsyslog-kafka")
        self.as_json = as_json
        self.name = "rsyslog, JSON" if as_json else "rsyslog, raw lines"

    def template(self):
        if not self.as_json:
            return 'template(name="line" type="string" string="%msg%")\n'
        fields = "\n".join(
            f'  property(name="msg" outname="{name}" format="jsonf" field.delimiter="{delimiter}" field.number="{number}")\n'
            '  constant(value=",")' for name, delimiter, number in self.FIELDS)
        return ('template(name="line" type="list") {\n  constant(value="{\\"v\\":1,")\n' + fields
                + '\n  constant(value="\\"site\\":\\"bench.example.org\\",\\"host\\":\\"bench\\",\\"log\\":\\"bench\\"}")\n}\n')

    def command(self, broker, log, topic, directory):
        configuration = directory / "rsyslog.conf"
        settings = ["acks=all", "enable.idempotence=true", "compression.codec=lz4", f"linger.ms={LINGER_MS}",
                    "queue.buffering.max.messages=200000"]
        configuration.write_text(
            f'global(workDirectory="{directory}")\nmodule(load="imfile")\nmodule(load="omkafka")\n'
            + self.template()
            + 'main_queue(queue.type="LinkedList" queue.size="200000" queue.dequeueBatchSize="4096")\n'
            + f'input(type="imfile" File="{log}" Tag="bench:" Ruleset="ship" addMetadata="off" reopenOnTruncate="on")\n'
            + 'ruleset(name="ship" queue.type="LinkedList" queue.size="200000" queue.dequeueBatchSize="4096") {\n'
            + f'  action(type="omkafka" broker=["{broker.addresses}"] topic="{topic}" template="line"'
            + ' partitions.number="1" resubmitOnFailure="on" keepFailedMessages="on"'
            + f' failedMsgFile="{directory}/failed" confParam=[' + ",".join(f'"{one}"' for one in settings) + "])\n}\n")
        return [self.binary, "-n", "-f", str(configuration), "-i", str(directory / "rsyslog.pid")]


class Sarama(Program):
    """A Go program as the classic article has it: regexp, encoding/json, AsyncProducer, both channels consumed."""

    ends_by_itself = True

    def __init__(self, kind):
        self.kind = kind
        self.name = {"async": "sarama AsyncProducer", "sync": "sarama SyncProducer"}[kind]
        self.binary = build_sarama()

    def command(self, broker, log, topic, directory):
        return [str(self.binary), "-brokers", broker.addresses, "-topic", topic, "-producer", self.kind, str(log)]


def build_sarama():
    go = need("go", "bench", "golang, 1.26 or newer")
    binary = measure.OUT / "sarama"
    built = subprocess.run([go, "build", "-trimpath", "-o", str(binary), "."], cwd=HERE / "sarama", check=False)
    if built.returncode != 0:
        sys.exit("bench: the sarama program could not be built; its compiler's words are above")
    return binary
