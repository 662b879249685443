"""A line to a broker that is far away: what passes waits, and as much as comes may be under way."""

import asyncio
import threading
import time

CHUNK = 256 * 1024


class Distance:
    """Listens on `port` of the loopback; lives as long as the process. Say `to` before anybody comes."""

    def __init__(self, round_trip_ms):
        self.one_way_s = round_trip_ms / 2000
        self.to = None
        listening = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve(listening)), daemon=True).start()
        listening.wait()

    async def serve(self, listening):
        server = await asyncio.start_server(self.connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await server.serve_forever()

    async def connect(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.carry(reader, far_writer), self.carry(far_reader, writer))

    async def carry(self, reader, writer):
        """Until one side closes, which the other one learns as late as all else."""
        under_way = asyncio.Queue()
        arrival = asyncio.create_task(self.arrive(under_way, writer))
        data = b"-"
        while data:
            try:
                data = await reader.read(CHUNK)
            except OSError:
                data = b""
            under_way.put_nowait((time.monotonic() + self.one_way_s, data))
        await arrival

    @staticmethod
    async def arrive(under_way, writer):
        try:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0, due - time.monotonic()))
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()
