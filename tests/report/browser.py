#!/usr/bin/env python3
"""Opens a page in a headless Chromium and prints what it looks like there, as one JSON object.

    browser.py PAGE [DIRECTORY]     the directory gets a screenshot of each view

Each view is a width and a colour scheme. The browser is spoken to through its own pipe (the DevTools protocol, messages
ended by a NUL byte), so that no port is opened and nothing but Python is needed.
"""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

BROWSERS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]

VIEWS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]

# A page of this size is drawn in a fraction of a second; a loaded machine takes longer.
ANSWER_SECONDS_MAX = 25

# Runs inside the page. Contrast as WCAG 2 defines it, of every text against the first opaque background below it.
LOOK = r"""
(() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const isSeen = (element) => element.getClientRects().length > 0 && element.closest("svg") === null;
  let worst = { contrast: 21, text: "" };
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !isSeen(element)) continue;
    texts += 1;
    const [a, b] = [channels(getComputedStyle(element).color), background(element)].map(luminance);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < worst.contrast) worst = { contrast, text: text.slice(0, 60) };
  }
  const root = document.documentElement;
  const wide = [...document.body.querySelectorAll("*")].filter((element) => {
    const box = element.getBoundingClientRect();
    const clipped = getComputedStyle(element).clipPath !== "none" || element.closest("thead");
    return !clipped && box.width > 0 && (box.right > root.clientWidth + 0.5 || box.left < -0.5);
  });
  const chart = document.querySelector("svg[role=img]");
  const labels = [...document.querySelectorAll(".plot .x")].map((e) => e.getBoundingClientRect()).filter((b) => b.width);
  return {
    scroll_width: root.scrollWidth,
    client_width: root.clientWidth,
    wide: wide.slice(0, 5).map((e) => `${e.tagName}.${e.className} ${e.textContent.slice(0, 40)}`),
    contrast: worst.contrast,
    contrast_text: worst.text,
    texts,
    chart: chart && {
      width: chart.getBoundingClientRect().width,
      height: chart.getBoundingClientRect().height,
      shapes: chart.querySelectorAll("rect, polyline").length,
      title: chart.querySelector("title").textContent,
      text: chart.querySelector("desc").textContent,
    },
    labels_overlap: labels.some((box, i) => i > 0 && box.left < labels[i - 1].right),
    scripts: document.scripts.length,
    hijacked: window.hijacked === true,
    elements: [...new Set([...document.querySelectorAll("*")].map((e) => e.tagName.toLowerCase()))].sort(),
    pages: [...document.querySelectorAll(".pages tbody bdi")].map((e) => e.textContent),
    background: getComputedStyle(document.body).backgroundColor,
  };
})()
"""


class Browser:
    """A headless Chromium with one empty profile."""

    def __init__(self, program, profile):
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()
        # The browser expects its pipe at descriptors 3 and 4; dup2 of a descriptor onto itself would keep it closed.
        moved = [os.dup(to_browser), os.dup(from_browser)]
        high = [self.above(fd) for fd in moved]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        arguments = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        arguments += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "--hide-scrollbars=false", "about:blank"]
        self.process = subprocess.Popen(
            arguments, preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in [to_browser, from_browser, *moved, *high]:
            os.close(fd)
        self.deadline = time.monotonic() + ANSWER_SECONDS_MAX
        self.last_id = 0
        self.buffer = b""
        self.events = []
        self.requests = []

    @staticmethod
    def above(fd):
        import fcntl
        return fcntl.fcntl(fd, fcntl.F_DUPFD, 10)

    def call(self, method, session=None, **parameters):
        """Sends a command and gives its result."""
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        """Waits for an event."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.receive())
        self.requests += [event["params"]["request"]["url"] for event in self.events
                          if event.get("method") == "Network.requestWillBeSent"]
        self.events.clear()

    def receive(self):
        while b"\0" not in self.buffer:
            left = self.deadline - time.monotonic()
            if left <= 0 or not select.select([self.read_end], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.read_end, 1 << 20)
            if not piece:
                raise RuntimeError(f"the browser ended with {self.process.wait()}")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def close(self):
        self.process.kill()
        self.process.wait()


def look(browser, page, shots):
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    browser.call("Page.enable", session)
    browser.call("Network.enable", session)
    views = []
    for width, scheme in VIEWS:
        browser.call("Emulation.setDeviceMetricsOverride", session, width=width, height=900,
                     deviceScaleFactor=1, mobile=width < 600)
        browser.call("Emulation.setEmulatedMedia", session,
                     features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.events.clear()
        browser.call("Page.navigate", session, url=page.as_uri())
        browser.wait_for("Page.loadEventFired")
        result = browser.call("Runtime.evaluate", session, expression=LOOK, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"]))
        views.append({"width": width, "scheme": scheme, **result["result"]["value"]})
        if shots:
            image = browser.call("Page.captureScreenshot", session, captureBeyondViewport=True)["data"]
            (shots / f"{width}-{scheme}.png").write_bytes(base64.b64decode(image))
    return {"views": views, "requests": sorted(set(browser.requests) - {page.as_uri()})}


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        sys.exit(f"browser.py: none of {', '.join(BROWSERS)} is installed; tests/tools/setup.sh test does it")
    page = pathlib.Path(sys.argv[1]).resolve()
    shots = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else None
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        try:
            print(json.dumps(look(browser, page, shots)))
        finally:
            browser.close()


main()
