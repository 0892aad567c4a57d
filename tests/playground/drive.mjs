// Drives the playground as a person would: node drive.mjs PLAYWRIGHT FOLDER SCENARIO URL
import { readFileSync, writeFileSync } from "node:fs";

const [playwright, folder, scenario, url] = process.argv.slice(2);
const { chromium } = await import(playwright);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
});
const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
const report = { problems: [], elsewhere: [] };

async function opened(address = url) {
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on("console", (message) => {
    // A refusal is for the page to tell; the browser complains of it as well.
    const refused = /Failed to load resource.*(401|409|422|500)/.test(message.text());
    // A thread of another user is not there.
    const absent = message.text().includes("404") && message.location().url.includes("/history?");
    if (message.type() === "error" && !refused && !absent) report.problems.push(message.text());
  });
  page.on("pageerror", (error) => report.problems.push(error.message));
  page.on("dialog", (dialog) => { report.problems.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin && !request.url().startsWith("data:")) {
      report.elsewhere.push(request.url());
    }
  });
  await page.goto(address);
  await page.waitForSelector("#form textarea, #form input", { state: "attached" });
  return page;
}

const state = (page, wanted) => page.waitForFunction(
  (wanted) => document.getElementById("state").textContent === wanted, wanted,
).catch(async () => {
  throw new Error(`the page is at ${await page.textContent("#state")}: ${await page.textContent("#error")}`);
});
const choose = (page, path) => page.click(`[data-path="${path}"]`);
const words = (page, text) => page.fill("#form textarea:visible >> nth=0", text);
const answer = async (page) => (await page.textContent("#answer")).trim();
const steps = (page) => page.$$eval("#timeline > li", (items) => items.map((each) => [
  each.querySelector(".kind")?.textContent, each.querySelector(".name")?.textContent,
]));
const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

async function ask(page, path, text, wanted = "done") {
  await choose(page, path);
  if (text !== null) await words(page, text);
  await page.click("#run");
  await state(page, wanted);
  await drawn(page);
  return answer(page);
}

const unlabelled = (page) => page.evaluate(() => [...document.querySelectorAll("input, select, textarea, button")]
  .filter((each) => !each.labels?.length && !each.getAttribute("aria-label") && !each.textContent.trim() && !each.title).length);

// On a route with threads.

const say = async (page, text, wanted = "done") => {
  await page.fill("#form textarea:visible >> nth=0", text);
  await page.keyboard.press("Enter");
  await settled(page, wanted);
};

// Waits for the end of a run, and until its thread has been read again.
async function settled(page, wanted = "done") {
  await state(page, wanted);
  await loaded(page);
}
const loaded = (page) => page.waitForSelector("#transcript[aria-busy=false]", { state: "attached" });
const talk = (page) => page.$$eval("#transcript > .said:not([hidden])", (items) => items.map((item) => {
  const calls = [...item.querySelectorAll(".call")].map((each) => `${each.querySelector(".name").textContent} ${each.querySelector(".took").textContent}`);
  return [item.classList[1], [item.querySelector(".body")?.textContent.trim(), ...calls].filter(Boolean).join(" | ")];
}));
const titles = (page) => page.$$eval(".thread", (items) => items.map((each) => [each.querySelector(".words").textContent, each.getAttribute("aria-current")]));
const decide = (page, nth, kind) => page.check(`#question .approval >> nth=${nth} >> input[value=${kind}]`);
async function answered(page, wanted = "done") {
  await page.click("#answer-question");
  await page.waitForFunction(() => document.getElementById("new-thread").disabled || document.getElementById("state").textContent !== "interrupted");
  await settled(page, wanted);
}

const SCENARIOS = {
  async turns() {
    const page = await opened();
    report.talk = {};
    for (const path of ["/talk", "/talk/vercel", "/talk/agui", "/talk/langgraph", "/talk/langserve"]) {
      await choose(page, path);
      await say(page, "one");
      await page.uncheck("#trace"); // by the route's own frames
      await say(page, "two");
      await page.check("#trace");
      report.talk[path] = await talk(page);
    }
    await choose(page, "/talk");
    await page.click("#new-thread");
    report.empty = await page.textContent("#transcript");
    await say(page, "other");
    report.titles = await titles(page);
    await page.click(".thread >> nth=1");
    await loaded(page);
    report.again = await talk(page);
    await page.click("#link");
    const linked = await opened(page.url());
    await loaded(linked);
    report.linked = await talk(linked);
    await page.click("[aria-label='Delete the thread other']");
    await page.waitForFunction(() => document.querySelectorAll(".thread").length === 1);
    await page.click("[aria-label='Delete the thread one']");
    await page.waitForFunction(() => !document.querySelectorAll(".thread").length);
    report.deleted = await page.textContent("#transcript");
    await choose(page, "/talk/langgraph");
    await page.selectOption("#model", "b");
    await say(page, "to b");
    report.model = await talk(page);
    await page.click("#tab-Code");
    report.code = {};
    for (const path of ["/talk", "/talk/vercel", "/talk/agui", "/talk/langgraph", "/talk/langserve"]) {
      await choose(page, path);
      report.code[path] = {};
      for (const name of ["curl", "Python", "JavaScript"]) report.code[path][name] = await page.textContent(`#code-${name}`);
    }
  },

  async approvals() {
    const page = await opened();
    report.talk = {};
    for (const path of ["/batched", "/per-call"]) {
      await choose(page, path);
      await say(page, "refund a b c d", "interrupted");
      report.asked = await page.$$eval("#question .approval", (items) => items.map((each) => each.querySelector("pre").textContent));
      report.error = await page.isVisible("#error");
      report.overflow = [];
      for (const width of [390, 800, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        report.overflow.push(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth));
      }
      report.unlabelled = await unlabelled(page);
      await decide(page, 0, "approve");
      await decide(page, 1, "edit");
      await page.fill("#question .approval >> nth=1 >> textarea >> nth=0", "bb");
      await decide(page, 2, "reject");
      await page.fill("#question .approval >> nth=2 >> textarea", "too much");
      await page.click("#answer-question");
      await page.waitForSelector("#error:visible");
      report.undecided = (await page.textContent("#error")).trim();
      await decide(page, 3, "respond");
      await page.click("#answer-question");
      report.silent = (await page.textContent("#error")).trim();
      await page.fill("#question .approval >> nth=3 >> textarea", "not needed");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => document.getElementById("state").textContent === "done");
      await settled(page);
      report.talk[path] = await talk(page);
      report.results = await page.$$eval(".call pre:last-child", (items) => items.map((each) => each.textContent));
      report.focus = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
    }
    await say(page, "refund e", "interrupted");
    await page.reload();
    await page.waitForSelector("#form textarea");
    await choose(page, "/per-call");
    await page.click(".thread >> nth=0");
    await page.waitForSelector("#question");
    await decide(page, 0, "approve");
    await answered(page);
    report.reloaded = (await talk(page)).slice(-2);
  },

  async answers() {
    const page = await opened();
    await choose(page, "/books");
    await say(page, "Book!", "interrupted");
    report.question = await page.textContent(".questions p");
    await page.fill("#question input[type=number]", "3");
    await page.check("#question input[type=checkbox]");
    await answered(page);
    report.booked = (await talk(page)).at(-1);
    await choose(page, "/confirms");
    for (const text of ["yes, of course", '{"sure": true}']) {
      await say(page, "Do it!", "interrupted");
      await page.fill("#question textarea", text);
      await answered(page);
      report[text] = (await talk(page)).at(-1);
    }
    await say(page, "Again!", "interrupted");
    await say(page, "Never mind", "interrupted");
    report.instead = await talk(page);
  },

  async branches() {
    const page = await opened();
    await choose(page, "/per-call");
    await say(page, "one");
    await say(page, "two");
    const counts = () => page.$$eval(".branches span", (items) => items.map((each) => each.textContent));
    await page.click("text=Regenerate >> nth=1");
    await page.waitForFunction(() => document.getElementById("new-thread").disabled || document.querySelector(".branches"));
    await settled(page);
    report.regenerated = [await talk(page), await counts()];
    await page.click("#transcript .human >> nth=0 >> text=Edit");
    await page.fill("#transcript textarea", "uno");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector(".human").textContent.includes("uno"));
    await settled(page);
    report.edited = [await talk(page), await counts()];
    await page.click("[aria-label='Previous branch']");
    report.before = [await talk(page), await counts()];
    await say(page, "three");
    report.goneOn = [await talk(page), await counts()];
    await page.click("[aria-label='Previous branch'] >> nth=1");
    report.other = [await talk(page), await counts()];
    await page.click("#transcript .human >> nth=1 >> text=Edit");
    await page.keyboard.press("Escape");
    report.kept = await talk(page);
    await page.click("#tab-State");
    report.next = await page.textContent(".facts");
    report.values = await page.$$eval("#panel-State summary", (items) => items.map((each) => each.textContent));
    await page.click(".checkpoints button:has-text('before model') >> nth=-1");
    report.earlier = await talk(page);
    await page.click("#go-on");
    await page.waitForFunction(() => document.querySelector(".said.ai:not([hidden]) .body")?.textContent.includes("re: one"));
    await settled(page);
    report.again = await talk(page);
  },

  async typing() {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await opened();
    const speaking = () => page.waitForFunction(() => document.getElementById("answer").textContent.length > 20);
    const focused = () => page.evaluate(() => document.activeElement.getAttribute("placeholder"));
    const box = "#form textarea:visible >> nth=0";
    await choose(page, "/talk");
    report.placeholder = await page.getAttribute(box, "placeholder");
    await page.click(box);
    await page.keyboard.press("Enter");
    report.nothing = (await page.textContent("#error")).trim();
    await page.keyboard.type("two");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("lines");
    await page.keyboard.press("Enter");
    await speaking();
    report.cleared = await page.inputValue(box);
    report.kept = await focused();
    await page.keyboard.type("next");
    await page.keyboard.press("Enter"); // while a run is going
    await page.keyboard.press("Escape");
    await settled(page, "stopped");
    report.stopped = [await page.isVisible("#error"), await page.inputValue(box), await focused(), (await page.textContent("#answer")).length > 20];
    report.open = await page.textContent(".asks");
    await page.keyboard.press("Enter");
    await settled(page);
    report.after = await talk(page);
    await page.click("#transcript .ai:not([hidden]) >> nth=-1 >> text=Copy");
    report.copied = await page.evaluate(() => navigator.clipboard.readText());
    await page.fill(box, "click");
    await page.click("#run");
    await speaking();
    report.clicked = await focused();
    await page.click("#stop");
    await settled(page, "stopped");
    for (const path of ["/chat", "/more", "/vercel", "/talk/agui"]) {
      await choose(page, path);
      await words(page, "x");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => !document.getElementById("stop").disabled);
      await speaking();
      await page.keyboard.press("Escape");
      await state(page, "stopped");
      report[path] = [await page.isVisible("#error"), await page.isVisible("#copy-answer")];
    }
    await choose(page, "/any");
    await page.fill("#form textarea", "a");
    await page.keyboard.press("Enter"); // JSON may have lines
    report.json = [await page.inputValue("#form textarea"), await page.textContent("#state")];
  },

  async graphs() {
    const page = await opened();
    await choose(page, "/notes");
    await page.fill("#form textarea >> nth=0", "tea");
    await page.keyboard.press("Enter");
    await settled(page, "failed");
    report.failed = [await page.textContent("#error strong"), await page.textContent(".asks")];
    await page.click("#go-on");
    await state(page, "done");
    await settled(page);
    report.state = JSON.parse(await page.textContent("#transcript pre"));
    report.typed = await page.inputValue("#form textarea >> nth=0");
    await choose(page, "/made/{name}");
    report.unnamed = await page.textContent("#transcript .hint");
    await page.fill("#extras input >> nth=0", "ann");
    await say(page, "Hi");
    report.made = await talk(page);
    // Another route while a run is going.
    await page.fill("#form textarea:visible", "slow");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("answer").textContent.length > 20);
    await choose(page, "/talk");
    report.streaming = [await page.textContent("#state"), await page.isVisible("#outcome #live"), await page.isDisabled("#run")];
    await state(page, "done");
    report.untouched = await talk(page);
    await say(page, "Hello");
    report.then = await talk(page);
    await choose(page, "/chat");
    report.plain = [await page.isVisible("#transcript"), await page.isVisible("#outcome #live"), await page.textContent("#run")];
  },

  async rejoining() {
    const page = await opened();
    const speaking = () => page.waitForFunction(() => document.getElementById("answer").textContent.length > 20);
    await choose(page, "/talk");
    await say(page, "one");
    await page.fill("#form textarea:visible", "two");
    await page.keyboard.press("Enter");
    await speaking();
    await page.click("#leave");
    await settled(page, "left");
    report.left = [await page.isEnabled("#resume"), await page.isVisible(".asks"), await page.isVisible("#live")];
    await page.click("#resume");
    await speaking();
    await page.reload();
    await speaking();
    await page.waitForSelector("#transcript .human >> nth=1");
    await settled(page);
    report.talk = await talk(page);
    await page.click("#history summary");
    await page.click("#runs button >> nth=0");
    await loaded(page);
    report.found = await talk(page);
  },

  async owners() {
    const page = await opened();
    await choose(page, "/talk/vercel");
    await page.click("#headers summary");
    await page.click("text=Add header");
    await page.fill("#headers input >> nth=0", "x-user");
    const listed = async (name) => {
      await page.fill("#headers input >> nth=1", name);
      await page.evaluate(() => localStorage.clear());
      await choose(page, "/talk/vercel");
      await loaded(page);
      return titles(page);
    };
    await page.fill("#headers input >> nth=1", "eve");
    await say(page, "mine");
    report.bob = await listed("bob");
    report.eve = await listed("eve");
    await choose(page, "/locked");
    await page.waitForSelector("text=Who are you?");
    await words(page, "Hi");
    await page.keyboard.press("Enter");
    await settled(page, "failed");
    report.refused = [await page.textContent("#error strong"), await page.inputValue("#form textarea:visible"), await talk(page)];
  },

  async first() {
    const page = await opened();
    report.title = await page.textContent("#title");
    report.answer = await ask(page, "/chat", "What is a stream?");
    report.steps = await steps(page);
    report.figures = await page.$$eval("#figures dt", (items) => items.map((each) => each.textContent));
    await page.click("#tab-Frames");
    report.frames = await page.$$eval("#frames li code", (items) => items.map((each) => each.textContent));
    await page.click("#tab-Timeline");
    await page.uncheck("#trace");
    await page.click("#run");
    await state(page, "done");
    await page.click("#tab-Frames");
    await drawn(page);
    report.plain = await page.$$eval("#frames li code", (items) => items.map((each) => each.textContent));
  },

  async formats() {
    const page = await opened();
    report.answer = {};
    report.steps = {};
    for (const path of ["/agent", "/vercel", "/agui", "/langgraph", "/langserve", "/mcp", "/openai", "/steps", "/get"]) {
      if (path === "/steps") {
        await choose(page, path);
        await page.fill("#form textarea:visible", '"Hi"');
        await page.click("#run");
        await state(page, "done");
        await drawn(page);
        report.answer[path] = await answer(page);
      } else report.answer[path] = await ask(page, path, "Hi?");
      report.steps[path] = await steps(page);
    }
    await choose(page, "/openai");
    await page.selectOption("#model", "deep");
    await words(page, "Hi?");
    await page.click("#run");
    await state(page, "done");
    await drawn(page);
    report.answer.deep = await answer(page);
  },

  async markdown() {
    const page = await opened();
    await ask(page, "/markdown", "x");
    report.html = await page.innerHTML("#answer");
    await ask(page, "/chat", "<img src=x onerror=alert(1)>");
    report.question = await page.innerHTML("#answer");
    await choose(page, "/trip");
    report.hint = await page.textContent("#form small");
    report.images = await page.$$eval("img", (items) => items.length);
  },

  async form() {
    const page = await opened();
    await choose(page, "/trip");
    await page.fill("text=To >> xpath=.. >> textarea", "Paris");
    await page.fill("label:has-text('Days') >> xpath=.. >> input", "5");
    await page.fill("label:has-text('Budget') >> xpath=.. >> input", "9.5");
    await page.check("label:has-text('Luxury') >> xpath=.. >> input");
    await page.selectOption("label:has-text('Season') >> xpath=.. >> select", { label: "spring" });
    await page.click("fieldset:has(legend:has-text('Stops')) > button");
    await page.fill("label:has-text('town') >> xpath=.. >> textarea", "Lyon");
    await page.click("fieldset:has(legend:has-text('Words')) > button");
    await page.click("fieldset:has(legend:has-text('Words')) > button");
    await page.fill("fieldset:has(legend:has-text('Words')) textarea >> nth=0", "a");
    await page.click("fieldset:has(legend:has-text('Words')) .item >> nth=1 >> text=×");
    await page.click("#as-json");
    report.json = JSON.parse(await page.inputValue("#json"));
    await page.fill("#json", JSON.stringify({ ...report.json, days: 7, extra: { a: [1] } }));
    await page.click("#as-json");
    await page.click("#run");
    await state(page, "done");
    await drawn(page);
    report.planned = JSON.parse(await answer(page));
    await page.fill("label:has-text('Extra') >> xpath=.. >> textarea", "{");
    await page.click("#run");
    await state(page, "not sent");
    report.wrong = await page.textContent("#error");
    await choose(page, "/trip");
    await page.click("#run");
    await state(page, "done");
    await choose(page, "/chat");
    await page.click("#as-json");
    await page.fill("#json", '{"chat_history": []}');
    await page.click("#run");
    await state(page, "failed");
    report.refused = await page.textContent("#error");
    report.any = await ask(page, "/any", "plain words");
    report.fails = await ask(page, "/fails", "x", "failed");
    report.error = await page.textContent("#error");
  },

  async asking() {
    const page = await opened();
    const again = async () => { await page.click("#run"); await state(page, "done"); await drawn(page); };
    const asJson = async () => JSON.parse(await page.inputValue("#json"));
    await choose(page, "/where");
    await words(page, "Where?");
    await again();
    report.without = JSON.parse(await answer(page));
    await page.check("label:has-text('Home') >> xpath=.. >> input");
    await page.click("#as-json");
    report.soFar = await asJson();
    await page.click("#as-json");
    report.stays = await page.textContent("#error");
    await page.click("#as-json");
    const whole = { question: "W", age: 3, home: { street: "Main", number: 1 }, pet: { kind: "dog", name: "Rex" }, around: { question: "deep", age: null } };
    await page.fill("#json", JSON.stringify(whole));
    await page.click("#as-json");
    report.labels = await page.$$eval("#form label", (items) => items.map((each) => each.textContent));
    await again();
    report.whole = JSON.parse(await answer(page));
    await page.click("#as-json");
    await page.fill("#json", JSON.stringify({ question: "W", age: 3 }));
    await page.click("#as-json");
    await again();
    report.less = JSON.parse(await answer(page));
    await choose(page, "/vercel");
    await page.click("#as-json");
    report.unsent = {};
    for (const text of ['"Hi"', "{}", "null", '[["user","Hi"]]', '[{"role":"user"}]']) {
      await page.fill("#json", text);
      await page.click("#run");
      await state(page, "not sent");
      report.unsent[text] = (await page.textContent("#error")).trim();
    }
    const messages = [{ role: "user", content: "Hi" }, { role: "tool", content: "x", tool_call_id: "c" }];
    await page.fill("#json", JSON.stringify(messages));
    await page.click("#as-json");
    report.kept = await asJson();
    report.answer = {};
    for (const path of ["/final", "/thought", "/parsed"]) report.answer[path] = await ask(page, path, "Hi?");
    await choose(page, "/more");
    await words(page, "x");
    await page.click("#run");
    await page.waitForFunction(() => document.getElementById("answer").textContent.length > 20);
    await page.click("#leave");
    await state(page, "left");
    report.resumable = await page.isEnabled("#resume");
    await choose(page, "/kept/{name}");
    report.other = await page.isEnabled("#resume");
    await words(page, "x");
    await page.click("#run");
    await state(page, "not sent");
    report.path = (await page.textContent("#error")).trim();
  },

  async files() {
    const page = await opened();
    await choose(page, "/files");
    writeFileSync(`${folder}/dot.png`, Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64"));
    const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("text=Attach")]);
    await chooser.setFiles(`${folder}/dot.png`);
    await page.waitForSelector(".files li");
    report.listed = await page.textContent(".files li");
    await words(page, "What is this?");
    await page.click("#run");
    await state(page, "done");
    await drawn(page);
    report.seen = await answer(page);
    await page.click("text=Add message");
    await page.selectOption(".message >> nth=1 >> select", "assistant");
    await page.fill(".message >> nth=1 >> textarea", "A dot.");
    await page.click("#as-json");
    report.json = JSON.parse(await page.inputValue("#json"));
    await page.click("#as-json");
    await page.click("[aria-label='Remove the file']");
    await page.click("[aria-label='Remove this message'] >> nth=1");
    await page.click("#as-json");
    report.less = JSON.parse(await page.inputValue("#json"));
  },

  async stopping() {
    const page = await opened();
    const speaking = () => page.waitForFunction(() => document.getElementById("answer").textContent.length > 30);
    await choose(page, "/chat");
    await words(page, "x");
    await page.keyboard.press("Control+Enter");
    await speaking();
    await page.keyboard.press("Escape");
    await state(page, "stopped");
    report.stopped = await answer(page);
    await choose(page, "/kept/{name}");
    await words(page, "y");
    await page.fill("#extras input >> nth=0", "ann");
    await page.click("#run");
    await speaking();
    await page.click("#leave");
    await state(page, "left");
    report.left = await answer(page);
    await page.click("#resume");
    await state(page, "done");
    await drawn(page);
    report.resumed = await answer(page);
    await page.click("#run");
    await speaking();
    await page.reload();
    await speaking();
    await state(page, "done");
    await drawn(page);
    report.reloaded = await answer(page);
    await page.click("#run");
    await speaking();
    await page.click("#stop");
    await state(page, "stopped");
    report.cancelled = await page.textContent("#error");
    await page.click("#history summary");
    report.runs = await page.$$eval("#runs button small", (items) => items.map((each) => each.textContent.replace(/^.*?([/])/, "$1")));
    await page.click("#runs button >> nth=3");
    report.restored = await page.inputValue("#form textarea:visible >> nth=0");
    await page.click("text=Clear history");
    report.forgotten = await page.$$eval("#runs button", (items) => items.length);
  },

  async sharing() {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await opened();
    await choose(page, "/kept/{name}");
    await words(page, "a & b = <c>");
    await page.fill("#extras input >> nth=0", "ann");
    await page.fill("#extras input >> nth=1", "0.5");
    await page.click("#headers summary");
    await page.click("text=Add header");
    await page.fill("#headers input >> nth=0", "Authorization");
    await page.fill("#headers input >> nth=1", "Bearer ann");
    await page.click("#link");
    report.link = await page.evaluate(() => navigator.clipboard.readText());
    const other = await opened(report.link);
    report.linked = [
      await other.inputValue("#form textarea:visible >> nth=0"),
      await other.inputValue("#extras input >> nth=0"),
      await other.inputValue("#extras input >> nth=1"),
      await other.$$eval("#headers input", (items) => items.length),
    ];
    report.code = {};
    await page.click("#tab-Code");
    for (const path of ["/kept/{name}", "/vercel", "/openai", "/langserve", "/get"]) {
      if (path !== "/kept/{name}") { await choose(page, path); await words(page, "It's \"Hi\"?"); }
      report.code[path] = {};
      for (const name of ["curl", "Python", "JavaScript"]) report.code[path][name] = await page.textContent(`#code-${name}`);
    }
    await ask(page, "/mine", "Hi?");
    await page.click("[aria-label='Remove the header']");
    await page.click("#run");
    await state(page, "failed");
    report.refused = await page.textContent("#error");
  },

  async looks() {
    const page = await opened();
    report.overflow = {};
    for (const [width, height] of [[1400, 900], [820, 1000], [390, 844]]) {
      await page.setViewportSize({ width, height });
      for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme });
        if (await page.isVisible("#picker")) await page.selectOption("#picker", "/agent");
        else await choose(page, "/agent");
        await words(page, "What is the weather in a place with a very long name?");
        await page.click("#run");
        await state(page, "done");
        await drawn(page);
        report.overflow[width] = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        await page.screenshot({ path: `${folder}/${width}-${scheme}.png`, fullPage: true });
      }
    }
    await page.click("#theme");
    report.themes = [await page.evaluate(() => document.documentElement.dataset.theme)];
    await page.click("#theme");
    report.themes.push(await page.evaluate(() => document.documentElement.dataset.theme));
    report.dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.reload();
    await page.waitForSelector("#form textarea");
    report.themes.push(await page.evaluate(() => document.documentElement.dataset.theme));
    await page.click("#theme");
    report.themes.push(await page.evaluate(() => document.documentElement.dataset.theme ?? null));
    // By keyboard alone: the skip link, and the tabs.
    await page.setViewportSize({ width: 1400, height: 900 });
    await page.reload();
    await page.waitForSelector("#form textarea");
    await page.keyboard.press("Tab");
    report.focused = await page.evaluate(() => document.activeElement.textContent);
    await page.focus("#tab-Timeline");
    await page.keyboard.press("ArrowRight");
    report.tab = await page.evaluate(() => document.activeElement.id);
    report.unlabelled = await unlabelled(page);
  },

  async interrupted() {
    const page = await opened();
    report.steps = {};
    const paths = await page.$$eval("[data-path^='/asks/']", (items) => items.map((each) => each.dataset.path));
    for (const path of paths) {
      await ask(page, path, "Hi?", "interrupted");
      report.steps[path] = (await steps(page)).filter(([kind]) => kind === "event");
    }
  },

  async mounted() {
    const page = await opened();
    report.answer = await ask(page, "/chat", "Hi?");
    await choose(page, "/kept/{name}");
    await words(page, "y");
    await page.fill("#extras input >> nth=0", "ann");
    await page.click("#run");
    await page.waitForFunction(() => document.getElementById("answer").textContent.length > 30);
    await page.click("#stop");
    await state(page, "stopped");
    report.stopped = await page.textContent("#error");
  },
};

try {
  await SCENARIOS[scenario]();
  console.log(JSON.stringify(report));
} finally {
  await browser.close();
}
