// Talks to the page of each project that `asgi-stream new` writes, reloads it, and talks again;
// where the route resumes, it also reloads it in the middle of an answer.
import { readFileSync } from "node:fs";

const { playwright, visits } = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = await import(playwright);
const flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });

async function visit([url, resumes]) {
  const page = await (await browser.newContext()).newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (line) => line.type() === "error" && errors.push(line.text()));
  const text = () => page.locator("#conversation").innerText();
  const waitFor = (words) => page.waitForFunction(
    (wanted) => document.querySelector("#conversation")?.innerText.includes(wanted), words, { timeout: 20_000 });
  const say = async (words) => {
    await page.locator("input").fill(words);
    await page.locator("form button").first().click();
  };
  await page.goto(url);
  await say("Hi there");
  await waitFor("This is your message number 1, and your first one was: Hi there");
  await page.waitForFunction(() => document.querySelector("#stop").disabled);
  await page.reload();
  await waitFor("This is your message number 1");
  await say("And again");
  await waitFor("This is your message number 2, and your first one was: Hi there");
  if (resumes) {
    await page.waitForFunction(() => document.querySelector("#stop").disabled);
    await say("A third");
    await page.waitForFunction(() => document.querySelector("#conversation").innerText.split("Hello!").length === 4);
    await page.reload();
    await waitFor("This is your message number 3, and your first one was: Hi there");
  }
  return { errors, text: await text() };
}

const outcomes = await Promise.allSettled(visits.map(visit));
await browser.close();
console.log(JSON.stringify(outcomes.map(({ value, reason }) => value ?? { errors: [String(reason.stack)] })));
