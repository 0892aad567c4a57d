// Reads one run as a task says, and prints what came of it.
import { readFileSync } from "node:fs";

const task = JSON.parse(readFileSync(0, "utf8"));
const { stream, join } = await import(task.module);
const { url, input, options = {}, lastEventId, joins, abortAfter, abortAt, breakAfter, tokens } = task;
const controller = new AbortController();
options.signal = controller.signal;
const outcome = { events: [], opened: [] };
options.onOpen = (run) => outcome.opened.push(run);
if (tokens) options.headers = async () => ({ Authorization: `Bearer ${tokens.shift()}` });
if (lastEventId) options.lastEventId = lastEventId;
if (abortAfter === 0) controller.abort();
if (abortAt !== undefined) setTimeout(() => controller.abort(), abortAt);
const begun = performance.now();
try {
  for await (const event of joins ? join(url, options) : stream(url, input, options)) {
    outcome.events.push(event);
    if (outcome.events.length === abortAfter) controller.abort();
    if (outcome.events.length === breakAfter) break;
  }
  outcome.end = "end";
} catch (error) {
  const { name, code, message, id, status, fields, retryAfter } = error;
  outcome.error = { name, code, message, id, status, fields, retryAfter, cause: error.cause?.name };
}
outcome.seconds = (performance.now() - begun) / 1000;
console.log(JSON.stringify(outcome));
