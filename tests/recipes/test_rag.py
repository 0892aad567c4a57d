"""A page with ``useChat`` shows the sources of an answer."""

from __future__ import annotations

from pathlib import Path

import httpx

from ..servers import serving
from ..test_examples import driven

DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{
  executablePath: "/usr/bin/chromium", args: {flags},
}});
const page = await browser.newPage();
await page.goto("{url}");
const report = [];
const ask = async (question) => {{
  await page.fill("input", question);
  await page.press("input", "Enter");
  await page.waitForSelector("text=You asked: " + question, {{ timeout: 20000 }});
  await page.waitForFunction(
    () => document.getElementById("state").textContent === "ready", null, {{ timeout: 20000 }},
  );
  report.push(await page.$$eval("#sources li", (items) => items.map((item) => item.innerHTML)));
}};
await ask("When do trains to Paris leave?");
await ask("And the canteen?");
await ask("Who are you?");
console.log(JSON.stringify(report));
await browser.close();
"""


def test_the_page_shows_where_an_answer_is_from(tmp_path: Path, playwright: Path) -> None:
    with serving("examples.recipes.rag:app", tmp_path) as server:
        trains, canteen, nothing = driven(DRIVER, server.url, tmp_path, playwright)
        message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "Refunds?"}]}
        body = {"id": "chat", "messages": [message]}
        stream = httpx.post(f"{server.url}/chat", json=body, timeout=30).text
    link = '<a href="https://example.com/trains" target="_blank" rel="noreferrer">{}</a>'
    assert trains == [link.format("Trains of the week"), "refunds.pdf"]
    assert canteen == ["Canteen"]
    assert nothing == []
    assert '"type":"source-document"' in stream
    assert "refunds.pdf" in stream
    assert "/srv" not in stream
    assert "ten days" not in stream
