#!/usr/bin/env python3
"""Stands between an agent and a Kafka broker, understands what passes, and does harm when it is told to.

Usage: proxy.py LISTEN_PORT BROKER_PORT CONTROL_PORT

The broker must advertise LISTEN_PORT. Whoever connects to CONTROL_PORT gives orders, one a line, and reads what comes
of them, one a line:

  attack POINT FASHION   The next request that ends a transaction is held back, and its connection dies: FASHION `cut`
                         closes it, `stall` leaves it open and passes nothing on any more. The client asks again and
                         has its answer. In its next transaction what was held back is released, so that the broker
                         takes it for the end of that one, unless the producer has a new epoch. POINT `early` releases
                         it behind the first records, `late` before the positions; then every connection is cut and
                         nobody is let in until `resume`, so that the agent can be killed just there.
                         Says: `held`, then `released CODE`, CODE being the broker's answer (0: taken).
  delay MILLISECONDS     Every frame waits a random time up to this. 0 ends it.
  cut                    Closes every connection in the middle of its next frame.
  freeze                 Nothing passes on the connections that are open, and they stay open.
  resume                 Lets agents in again.
"""

import asyncio
import random
import struct
import sys

PRODUCE, ADD_OFFSETS_TO_TXN, END_TXN = 0, 25, 26
# From this version on EndTxn's header of an answer has a byte of tags (KIP-482).
END_TXN_FLEXIBLE = 3


class Frame:
    """A request or an answer with its length in front, as it passes."""

    def __init__(self, body):
        self.bytes = struct.pack(">i", len(body)) + body
        self.body = body

    def api(self):
        """Key and version of a request."""
        return struct.unpack_from(">hh", self.body)

    def error_of_end(self, version):
        """The error code of an answer to EndTxn: behind correlation id, tags and throttle time."""
        return struct.unpack_from(">h", self.body, 9 if version >= END_TXN_FLEXIBLE else 8)[0]


async def read_frame(reader):
    (length,) = struct.unpack(">i", await reader.readexactly(4))
    return Frame(await reader.readexactly(length))


class Attack:
    """One EndTxn that is held back: armed, held, asked again, answered, released."""

    def __init__(self, point, fashion):
        self.point, self.fashion = point, fashion
        self.state = "armed"
        self.frame = None


class Connection:
    """An agent's connection and the one to the broker that belongs to it."""

    def __init__(self, proxy, agent):
        self.proxy = proxy
        self.agent_reader, self.agent_writer = agent
        self.broker_writer = None
        self.frozen = self.torn = False
        # Answers come in the order of their requests.
        self.asked = []

    async def run(self):
        try:
            reader, self.broker_writer = await asyncio.open_connection("127.0.0.1", self.proxy.broker_port)
            await asyncio.gather(self.pump(self.agent_reader, self.broker_writer, self.on_request),
                                 self.pump(reader, self.agent_writer, self.on_answer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.close()

    async def pump(self, reader, writer, look):
        while True:
            frame = await read_frame(reader)
            if self.proxy.delay_ms:
                await asyncio.sleep(random.uniform(0, self.proxy.delay_ms) / 1000)
            passes = await look(frame)
            if self.torn:
                writer.write(frame.bytes[: len(frame.bytes) // 2])
                await writer.drain()
                raise ConnectionResetError
            if passes and not self.frozen:
                writer.write(frame.bytes)
                await writer.drain()

    async def on_request(self, frame):
        key, version = frame.api()
        attack = self.proxy.attack
        if attack and key == END_TXN and attack.state == "armed":
            attack.frame, attack.version, attack.state = frame, version, "held"
            self.proxy.say("held")
            if attack.fashion == "cut":
                raise ConnectionResetError
            self.frozen = True
            return False
        if attack and key == ADD_OFFSETS_TO_TXN and attack.state == "answered" and attack.point == "late":
            await self.proxy.release()
            self.proxy.shut = True
            self.proxy.close_all()
            raise ConnectionResetError
        self.asked.append((key, version))
        return True

    async def on_answer(self, frame):
        key, version = self.asked.pop(0)
        attack = self.proxy.attack
        if attack and key == END_TXN and attack.state == "held" and frame.error_of_end(version) == 0:
            attack.state = "answered"
        elif attack and key == PRODUCE and attack.state == "answered" and attack.point == "early":
            await self.proxy.release()
        return True

    def close(self):
        self.proxy.connections.discard(self)
        for writer in (self.agent_writer, self.broker_writer):
            if writer:
                writer.close()


class Proxy:
    """All connections, and whoever gives orders."""

    def __init__(self, broker_port):
        self.broker_port = broker_port
        self.connections = set()
        self.attack = None
        self.shut = False
        self.delay_ms = 0
        self.control = None

    async def serve_agent(self, reader, writer):
        if self.shut:
            writer.close()
            return
        connection = Connection(self, (reader, writer))
        self.connections.add(connection)
        await connection.run()

    async def serve_control(self, reader, writer):
        self.control = writer
        while line := await reader.readline():
            self.obey(*line.decode().split())

    def obey(self, order, *words):
        if order == "attack":
            self.attack = Attack(*words)
        elif order == "delay":
            self.delay_ms = int(words[0])
        elif order == "cut":
            for connection in self.connections:
                connection.torn = True
        elif order == "freeze":
            for connection in self.connections:
                connection.frozen = True
        elif order == "resume":
            self.shut = False
        else:
            raise ValueError(f"what is {order}?")

    async def release(self):
        """Sends what was held back on a connection of its own, as the network would that delayed it."""
        attack, self.attack = self.attack, None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.broker_port)
        writer.write(attack.frame.bytes)
        answer = await read_frame(reader)
        writer.close()
        self.say(f"released {answer.error_of_end(attack.version)}")

    def close_all(self):
        for connection in list(self.connections):
            connection.close()

    def say(self, line):
        self.control.write(f"{line}\n".encode())


async def main():
    listen_port, broker_port, control_port = map(int, sys.argv[1:4])
    proxy = Proxy(broker_port)
    agents = await asyncio.start_server(proxy.serve_agent, "127.0.0.1", listen_port)
    control = await asyncio.start_server(proxy.serve_control, "127.0.0.1", control_port)
    async with agents, control:
        await asyncio.gather(agents.serve_forever(), control.serve_forever())


asyncio.run(main())
