"""The chats with a login, in a real Chromium."""

from __future__ import annotations

from pathlib import Path

from ..servers import serving
from ..test_examples import driven

DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{
  executablePath: "/usr/bin/chromium", args: {flags},
}});
const context = await browser.newContext({{ viewport: {{ width: 390, height: 700 }} }});
const page = await context.newPage();
const report = {{ problems: [] }};
page.on("pageerror", (error) => report.problems.push(error.message));
page.on("console", (each) => {{
  const problem = each.text() + " " + each.location().url;
  if (each.type() === "error" && !problem.includes("401")) report.problems.push(problem);
}});
page.setDefaultTimeout(20000);
const logIn = async (name, password) => {{
  await page.fill("[name=name]", name);
  await page.fill("[name=password]", password);
  await page.click("text=Log in");
}};
const lines = () => page.$$eval("#messages p", (all) => all.map((each) => each.textContent));
const ask = async (text) => {{
  await page.fill("[name=question]", text);
  await page.click("text=Send");
}};
const ready = () => page.waitForSelector("button:text-is('Send'):enabled");
const chats = () => page.$$eval(
  "nav button", (all) => all.slice(1, -1).map((each) => each.textContent),
);
const saying = (text) => page.waitForFunction(
  (text) => document.querySelector("#messages")?.textContent.includes(text), text,
);
await page.goto("{url}");
await logIn("ann", "wrong");
await page.waitForSelector("[role=alert]:text('wrong')");
report.refused = await page.textContent("[role=alert]");
await logIn("ann", "secret-of-ann");
await page.waitForSelector("[name=question]");
await ask("one");
report.emptied = await page.inputValue("[name=question]");
await page.waitForSelector("text=Approve");
await page.reload();
await page.waitForSelector("text=Approve");
report.asks = [await lines(), await chats()];
await page.click("text=Approve");
await saying("Take a book");
await page.reload();
await saying("window, too.");
await ready();
report.whole = await lines();
await page.reload();
await saying("window, too.");
report.kept = await lines();
await page.click("text=New chat");
await page.waitForSelector("#messages:empty", {{ state: "attached" }});
await ask("two");
await page.click("text=Reject");
await saying("wish number 1");
await page.click("text=Stop");
await ready();
report.stopped = await lines();
await page.waitForFunction(() => document.querySelectorAll("nav button").length === 4);
report.chats = await chats();
await page.click("nav button:nth-child(3)");
await saying("one");
report.wide = await page.evaluate(() => document.documentElement.scrollWidth);
report.back = await lines();
await context.clearCookies();
await ask("three");
await logIn("ann", "secret-of-ann");
await saying("window, too.");
report.again = await lines();
await page.click("text=Log out");
await logIn("bob", "secret-of-bob");
await page.waitForSelector("[name=question]");
report.bob = [await lines(), await chats()];
console.log(JSON.stringify(report));
await browser.close();
"""


def test_a_user_s_chats(tmp_path: Path, playwright: Path) -> None:
    with serving("examples.recipes.chats:app", tmp_path) as server:
        report = driven(DRIVER, server.url, tmp_path, playwright)
    assert report["problems"] == []
    assert report["refused"] == "The name or the password is wrong."
    assert report["emptied"] == ""
    (question, call), chats = report["asks"]
    assert (question, chats) == ("one", ["one (asks you)"])
    assert call.startswith('book_train({"city":"Paris"}) ?')
    question, call, answer = report["whole"]
    assert call.endswith("→ The train to Paris is booked.")
    assert answer.startswith("The train to Paris is booked. That was wish number 1.")
    assert report["kept"] == report["back"] == report["again"] == report["whole"]
    question, call, answer = report["stopped"]
    assert call.endswith("→ output-denied")
    assert "window, too." not in answer
    assert [each.strip() for each in report["chats"]] == ["two", "one"]
    assert report["bob"] == [[], []]
    assert report["wide"] <= 390
