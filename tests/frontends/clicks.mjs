// Opens a page in a real Chromium, and does there what it is told to do.
import { readFileSync } from "node:fs";
const { playwright, url, steps } = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = await import(playwright);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const page = await browser.newPage();
page.setDefaultTimeout(15000);
const sent = [];
const errors = [];
const shown = [];
page.on("request", (request) => {
  const path = new URL(request.url()).pathname;
  if (request.method() === "POST") sent.push([path, request.postDataJSON()]);
});
page.on("response", (response) => {
  if (response.status() >= 400 && !response.url().endsWith("favicon.ico")) {
    errors.push(`${response.status()} ${response.url()}`);
  }
});
page.on("pageerror", (error) => errors.push(String(error)));
page.on("console", (message) => {
  const about = message.text();
  if (["error", "warning"].includes(message.type()) && !about.includes("404")) errors.push(about);
});
await page.goto(url);
for (const [what, at, value] of steps) {
  try {
    if (what === "fill") await page.fill(at, value);
    if (what === "click") await page.click(at);
    if (what === "reload") await page.reload();
    if (what === "show") shown.push(await page.innerText(at));
    if (what === "wait") await page.waitForSelector(at);
    if (what === "do") await page.evaluate(at);
    if (what === "is") await page.waitForFunction(at);
    if (what === "gone") await page.waitForSelector(at, { state: "detached" });
    if (what === "text") {
      await page.waitForFunction((part) => document.body.innerText.includes(part), at);
    }
  } catch (error) {
    const text = await page.innerText("body");
    throw new Error(`${what} ${at}: ${error}\n${text}\n${errors.join("\n")}`);
  }
}
const messages = await page.evaluate("window.chat?.messages");
console.log(JSON.stringify({ shown, messages, sent, errors }));
await browser.close();
