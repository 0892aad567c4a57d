"""The chat page without a framework, in a real Chromium."""

from __future__ import annotations

from pathlib import Path

from ..servers import serving
from ..test_examples import driven

DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{
  executablePath: "/usr/bin/chromium", args: {flags},
}});
const page = await browser.newPage({{ viewport: {{ width: 390, height: 700 }} }});
const report = {{ problems: [] }};
page.on("pageerror", (error) => report.problems.push(error.message));
page.setDefaultTimeout(20000);
await page.goto("{url}");
const lines = () => page.$$eval(
  "#log p", (all) => all.map((each) => [each.className, each.textContent]),
);
const ask = async (text) => {{
  await page.fill("#question", text);
  await page.press("#question", "Enter");
}};
const begun = () => page.waitForFunction(() => {{
  const last = log.lastElementChild;
  return last?.className === "ai" && last.textContent.length > 20;
}});
const ready = () => page.waitForFunction(() => !document.getElementById("send").disabled);
await ask("hello");
await ready();
report.first = await lines();
await ask("again");
await begun();
await page.reload();
await page.waitForFunction(() => document.getElementById("send").disabled);
await begun();
report.going = (await lines()).at(-1)[1].length;
await ready();
report.whole = await lines();
await page.reload();
await page.waitForFunction(() => log.childElementCount === 4);
report.kept = await lines();
const posted = page.waitForRequest("**/ai/chat?*");
await ask("at once");
await posted;
await page.reload(); // before there are headers
await page.waitForFunction(() => log.lastElementChild?.textContent.includes("number 3."));
await ready();
report.soon = (await lines()).slice(4);
await ask("third");
await begun();
await page.click("#stop");
await ready();
report.stopped = (await lines()).slice(6);
await page.route("**/ai/chat?*", (route) => route.fulfill({{
  status: 429, contentType: "application/json",
  body: JSON.stringify({{ error: {{ code: "busy", message: "Too many runs.", id: "7" }} }}),
}}));
await ask("fourth");
await ready();
report.refused = (await lines()).at(-1);
report.wide = await page.evaluate(() => document.documentElement.scrollWidth);
console.log(JSON.stringify(report));
await browser.close();
"""


def test_the_page_remembers_stops_and_goes_on(tmp_path: Path, playwright: Path) -> None:
    with serving("examples.recipes.plain_page:app", tmp_path) as server:
        report = driven(DRIVER, server.url, tmp_path, playwright)
    assert report["problems"] == []
    assert report["first"][0] == ["human", "hello"]
    assert report["first"][1][1].startswith("You said: hello That was message number 1.")
    whole = report["whole"]
    assert [who for who, _ in whole] == ["human", "ai"] * 2
    assert whole[:2] == report["first"]
    assert whole[2] == ["human", "again"]
    assert whole[3][1].startswith("You said: again That was message number 2.")
    assert 0 < report["going"] <= len(whole[3][1])
    assert report["kept"] == whole
    question, answer = report["soon"]
    assert question == ["human", "at once"]
    assert answer[1].startswith("You said: at once That was message number 3. I remember")
    question, answer, note = report["stopped"]
    assert question == ["human", "third"]
    assert 20 < len(answer[1]) < len(whole[3][1])
    assert note == ["note", "Stopped."]
    assert report["refused"] == ["note", "Too many runs. (busy, error id 7)"]
    assert report["wide"] <= 390
