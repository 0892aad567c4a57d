// Shows a block of the documentation in Chromium and takes the steps that a check names.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const task = JSON.parse(readFileSync(0));
const { chromium } = await import(task.playwright);
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
const errors = [];
const requests = [];
try {
  let page = await browser.newPage();
  const tabs = [page];
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("request", (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`));
  // The page has the origin of the app, as if the app served it.
  const own = join(task.folder, "page.html");
  const body = existsSync(own)
    ? readFileSync(own, "utf8")
    : '<!doctype html><meta charset="utf-8"><div id="root"></div><script type="module" src="/docs-page.js"></script>';
  await page.route("**/docs-page", (route) => route.fulfill({ contentType: "text/html", body }));
  await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
  await page.route("**/docs-page.js", (route) =>
    route.fulfill({ contentType: "text/javascript", body: readFileSync(join(task.folder, "page.js")) }));
  await page.goto(task.page);
  for (const [step, target, value] of task.steps) {
    if (step === "fill") await page.fill(target, value);
    else if (step === "click") await page.click(target);
    else if (step === "press") await page.press(target, value);
    else if (step === "upload") await page.setInputFiles(target, value);
    else if (step === "reload") await page.reload();
    else if (step === "tab") page = tabs[target] ??= await another(page);
    else if (step === "wait") await waitFor(page, value === undefined ? "body" : target, value ?? target);
    else throw new Error(`no such step: ${step}`);
  }
  const text = await page.innerText("body");
  console.log(JSON.stringify({ text, errors, requests }));
} finally {
  await browser.close();
}

// Another tab, with a copy of the session's storage.
async function another(page) {
  const opened = page.waitForEvent("popup");
  await page.evaluate(() => void open(location.href));
  return opened;
}

async function waitFor(page, selector, text) {
  await page.waitForFunction(
    ([where, words]) => document.querySelector(where)?.innerText.includes(words),
    [selector, text],
  ).catch(async () => {
    throw new Error(`no "${text}" in ${selector}: ${await page.innerText("body")}`);
  });
}
