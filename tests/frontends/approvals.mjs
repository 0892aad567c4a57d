// Opens approvals.jsx in a real Chromium, and does there what it is given to do.
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
page.on("request", (request) => {
  if (request.method() === "POST") sent.push(request.postDataJSON());
});
page.on("pageerror", (error) => errors.push(String(error)));
await page.goto(url);
const shown = [];
for (const [what, value] of steps) {
  if (what === "send") {
    await page.waitForFunction(() => window.chat?.status === "ready");
    await page.evaluate((text) => void window.chat.sendMessage({ text }), value);
  }
  if (what === "wait") await page.waitForFunction((text) => root.innerText.includes(text), value);
  if (what === "ready") await page.waitForFunction(() => window.chat.status === "ready");
  if (what === "click") await page.click(`#${value}`);
  if (what === "reload") await page.reload();
  if (what === "stop") await page.evaluate(() => window.chat.stop());
  if (what === "show") shown.push(await page.innerText("#root"));
}
const messages = await page.evaluate(() => window.chat.messages);
console.log(JSON.stringify({ shown, messages, sent, errors }));
await browser.close();
