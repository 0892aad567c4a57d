"""The reader in JavaScript in a real Chromium, which reads streams of another origin."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..clients import Notes, new_key, until
from ..servers import Server, serving
from .relaying import relaying

pytestmark = pytest.mark.anyio

DRIVER = """
import { readFileSync } from "node:fs";
const { playwright, url, script, task } = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = await import(playwright);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const page = await browser.newPage();
await page.goto(url);
await page.waitForFunction(() => window.reader);
// A run is stopped as soon as its response says where it is, perhaps after the loop's end.
const isStop = (each) => each.request().method() === "DELETE";
const stopped = task.abortAt && page.waitForResponse(isStop);
console.log(JSON.stringify(await page.evaluate(`(${script})(${JSON.stringify(task)})`)));
await stopped;
await browser.close();
"""

READ = """async ({ url, input, abortAt, breakAfter, joins }) => {
  const controller = new AbortController();
  const outcome = { events: [], opened: [] };
  if (abortAt !== undefined) setTimeout(() => controller.abort(), abortAt);
  const options = {
    resume: true, signal: controller.signal, headers: async () => ({ Authorization: "Bearer ann" }),
    onOpen: (run) => outcome.opened.push(run),
  };
  try {
    for await (const event of reader.stream(url, input, options)) {
      outcome.events.push(event);
      if (outcome.events.length === breakAfter) break;
    }
    if (joins) {
      outcome.joined = "";
      const [{ url }] = outcome.opened;
      for await (const event of reader.join(url, options)) outcome.joined += event.token;
    }
  } catch (error) {
    const { name, code, message, status, retryAfter } = error;
    outcome.error = { name, code, message, status, retryAfter };
  }
  return outcome;
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Notes]]:
    folder = tmp_path_factory.mktemp("browser")
    env = {"PROBE_LOG": str(folder / "notes")}
    with serving("tests.client.browser_app:app", folder, env=env) as server:
        yield server, Notes(folder / "notes")


@pytest.fixture
def read(pages: tuple[Server, Notes], playwright: Path, tmp_path: Path) -> Any:
    driver = tmp_path / "drive.mjs"
    driver.write_text(DRIVER)
    page = f"http://localhost:{pages[0].port}/"

    async def read(url: str, input: Any, **task: Any) -> Any:
        task = {"url": url, "input": input, **task}
        sent = json.dumps(
            {"playwright": str(playwright), "url": page, "script": READ, "task": task}
        )
        done = await asyncio.to_thread(
            lambda: subprocess.run(
                ["node", driver], input=sent.encode(), capture_output=True, timeout=90
            )
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return read


async def test_a_broken_connection_is_made_again(pages: tuple[Server, Notes], read: Any) -> None:
    async with relaying((pages[0].port, 2500)) as port:
        outcome = await read(f"http://127.0.0.1:{port}/ai/counts", "x", joins=True)
    counted = "".join(f"{n} " for n in range(100))
    assert "".join(each["token"] for each in outcome["events"]) == counted
    assert outcome["joined"] == counted
    assert len(outcome["opened"]) >= 4
    assert len({each["id"] for each in outcome["events"]}) == 100


@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("words", {"breakAfter": 2}),
        ("kept", {"breakAfter": 2}),
        ("kept", {"abortAt": 700}),
        ("held/kept", {"abortAt": 1000}),
    ],
)
async def test_leaving_stops_the_run(
    pages: tuple[Server, Notes], read: Any, path: str, how: Any
) -> None:
    server, notes = pages
    key = new_key()
    outcome = await read(f"http://127.0.0.1:{server.port}/ai/{path}", key, **how)
    assert outcome.get("error", {}).get("name") == ("AbortError" if "abortAt" in how else None)
    await until(lambda: notes.of(key, "cancel"))


async def test_errors_and_headers_cross_origins(pages: tuple[Server, Notes], read: Any) -> None:
    base = f"http://127.0.0.1:{pages[0].port}/ai"
    assert (await read(f"{base}/mine", {"question": "Hi?"}))["events"][0]["token"] == "Hel"
    refused = (await read(f"{base}/tokens", {"no": 1}))["error"]
    assert (refused["code"], refused["status"]) == ("invalid_request", 422)
    late = (await read(f"{base}/late", {"question": "Hi?"}))["error"]
    assert (late["code"], late["message"]) == ("run_failed", "The run failed.")
    gone = (await read("http://127.0.0.1:9/x", {}))["error"]
    assert gone["code"] == "connection"
