"""Real brokers for the benchmark, and the few questions of Kafka's protocol that it needs."""

import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

KAFKA_SH = Path(__file__).resolve().parent.parent / "tools" / "kafka.sh"


class Broker:
    """One to three real brokers in processes of their own; questions go to the first one, programs to `addresses`."""

    def __init__(self, directory, nodes=1, distance=None):
        self.directory, self.nodes, self.topics = directory, nodes, 0
        # Of each topic that is made from now on.
        self.partitions = 1
        far = [] if distance is None else ["--far", str(distance.port)]
        self.process = subprocess.Popen(
            [KAFKA_SH, "run", "--dir", str(directory), "--nodes", str(nodes), *far],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("ready "):
                self.addresses = line.split()[1]
                break
        else:
            sys.exit("bench: the broker did not start: " + "".join(said))
        host, port = self.addresses.split(",")[0].split(":")
        self.connection = socket.create_connection((host, int(port)), timeout=30)
        if distance is not None:
            properties = (directory / "node1" / "server.properties").read_text()
            distance.to = int(re.search(r"FAR://127\.0\.0\.1:(\d+)", properties)[1])
            self.addresses = f"127.0.0.1:{distance.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)

    def ask(self, key, version, body):
        """One request, one answer (without its header)."""
        client = b"bench"
        header = struct.pack(">hhih", key, version, 1, len(client)) + client
        self.connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
        size = struct.unpack(">i", self.read(4))[0]
        return self.read(size)[4:]

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            if not piece:
                raise OSError("the broker closed the connection")
            data += piece
        return data

    def new_topic(self):
        """A topic whose partitions are led by the first node, where their ends can be asked: CreateTopics version 4."""
        self.topics += 1
        name = f"bench-{self.topics}"
        replicas = list(range(1, self.nodes + 1))
        placed = struct.pack(">i", len(replicas)) + b"".join(struct.pack(">i", one) for one in replicas)
        assignment = struct.pack(">i", self.partitions) + b"".join(
            struct.pack(">i", partition) + placed for partition in range(self.partitions))
        body = (struct.pack(">i", 1) + text(name) + struct.pack(">ih", -1, -1) + assignment
                + struct.pack(">i", 0) + struct.pack(">ib", 10000, 0))
        answer = self.ask(19, 4, body)
        error = struct.unpack(">h", answer[8 + 2 + len(name):][:2])[0]
        if error != 0:
            sys.exit(f"bench: topic {name} was not created, error {error}")
        wait_for(lambda: self.end(name) is not None, f"topic {name} has a leader")
        return name

    def delete_topic(self, name):
        """DeleteTopics version 1: a million lines a run would fill the disk."""
        self.ask(20, 1, struct.pack(">i", 1) + text(name) + struct.pack(">i", 10000))

    def end(self, topic, committed=True):
        """ListOffsets version 2: the ends of all partitions for a reader together, None while one has no leader."""
        wanted = b"".join(struct.pack(">iq", partition, -1) for partition in range(self.partitions))
        body = (struct.pack(">ibi", -1, 1 if committed else 0, 1) + text(topic)
                + struct.pack(">i", self.partitions) + wanted)
        answer = self.ask(2, 2, body)
        answers = list(struct.iter_unpack(">ihqq", answer[4 + 4 + 2 + len(topic) + 4:]))
        return None if any(error for _, error, _, _ in answers) else sum(end for _, _, _, end in answers)


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def wait_for(condition, what, limit_s=60):
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"bench: waited {limit_s} s in vain until {what}")
        time.sleep(0.005)
