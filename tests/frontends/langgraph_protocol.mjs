// What useStream of @langchain/react shows of a thread on a route of format "langgraph", in jsdom.
import { JSDOM } from "jsdom";

const { how, apiUrl, threadId } = JSON.parse(process.argv[2]);
const page = new JSDOM("<!doctype html>", { url: "http://localhost/", pretendToBeVisual: true });
Object.assign(globalThis, { window: page.window, document: page.window.document });
const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { useStream } = await import("@langchain/react");

function tab(assistantId, threadId) {
  const view = { stream: null, threadId };
  function Chat() {
    const onThreadId = (id) => (view.threadId = id);
    view.stream = useStream({ apiUrl, assistantId, threadId, onThreadId });
    return null;
  }
  const root = createRoot(document.createElement("div"));
  root.render(createElement(Chat));
  view.leave = () => root.unmount();
  view.until = async (condition, milliseconds = 15000) => {
    const last = Date.now() + milliseconds;
    while (!view.stream || !condition(view.stream)) {
      if (Date.now() > last) throw new Error(`never: ${condition}`);
      await new Promise((wake) => setTimeout(wake, 10));
    }
    return view.stream;
  };
  return view;
}

const human = (content) => ({ messages: [{ type: "human", content }] });
const said = (stream) => stream.messages.map((message) => message.text);
const done = (count) => (stream) => !stream.isLoading && stream.messages.length === count;
const asks = (count) => (stream) => !stream.isLoading && stream.interrupts.length === count;
const question = { question: "Shall I?", log: [] };

const scenarios = {
  async talk() {
    const first = tab("chat");
    await (await first.until((stream) => stream)).submit(human("a"));
    await (await first.until(done(2))).submit(human("b"));
    await first.until(done(4));
    first.leave();
    const second = tab("chat", first.threadId);
    await (await second.until(done(4))).submit(human("c"));
    return said(await second.until(done(6)));
  },
  async respond() {
    const first = tab("ask");
    await (await first.until((stream) => stream)).submit(question);
    const [{ value }] = (await first.until(asks(1))).interrupts;
    const second = tab("ask", first.threadId);
    const { interrupt, respond } = await second.until(asks(1));
    await respond("yes", { interruptId: interrupt.id });
    const ended = (stream) => !stream.isLoading && stream.values.log.length === 3;
    await first.until(ended);
    const { values } = await second.until((stream) => ended(stream) && asks(0)(stream));
    return { value, log: values.log };
  },
  async respondAll() {
    const view = tab("several");
    await (await view.until((stream) => stream)).submit(question);
    const { interrupts, respondAll } = await view.until(asks(2));
    await respondAll(Object.fromEntries(interrupts.map(({ id }, n) => [id, `yes ${n}`])));
    const { values } = await view.until((stream) => asks(0)(stream) && stream.values.log.length > 3);
    return values.log.length;
  },
  async stop() {
    const first = tab("slow");
    (await first.until((stream) => stream)).submit(human("a"));
    await first.until((stream) => said(stream)[1]?.length > 20);
    const second = tab("slow", first.threadId);
    const { length } = said(await second.until((stream) => said(stream)[1]?.length > 40))[1];
    await first.stream.stop();
    const { error } = await first.until((stream) => !stream.isLoading);
    const other = await second.until((stream) => !stream.isLoading);
    return { length, errors: [error, other.error].filter(Boolean).map(String) };
  },
  async watch() {
    const view = tab("agent", threadId);
    await view.until((stream) => stream.isLoading && said(stream).at(-1)?.includes("w4"));
    const stream = await view.until((stream) => !stream.isLoading, 30000);
    const reloaded = await tab("agent", threadId).until(done(4));
    const error = stream.error && String(stream.error);
    return { texts: said(stream), reloaded: said(reloaded), error };
  },
  async older() {
    const view = tab("chat");
    await (await view.until((stream) => stream)).submit(human("a"));
    await view.until(done(2));
    const body = { assistant_id: "chat", input: human("b"), stream_mode: ["values", "messages-tuple"] };
    const headers = { "content-type": "application/json" };
    const url = `${apiUrl}/threads/${view.threadId}/runs/stream`;
    await (await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })).text();
    await (await view.until(done(4))).submit(human("c"));
    return said(await view.until(done(6)));
  },
  async fail() {
    const failing = tab("fails");
    await (await failing.until((stream) => stream)).submit(question);
    const refused = tab("nix");
    await (await refused.until((stream) => stream)).submit(question);
    const streams = [failing, refused].map((view) => view.until((stream) => stream.error));
    return (await Promise.all(streams)).map(({ error }) => error.message);
  },
  async fork() {
    const view = tab("chat");
    await (await view.until((stream) => stream)).submit(human("a"));
    await view.until(done(2));
    const url = `${apiUrl}/threads/${view.threadId}/state`;
    const { checkpoint } = await (await fetch(url)).json();
    await view.stream.submit(human("b"));
    await view.until(done(4));
    await view.stream.submit(human("c"), { forkFrom: checkpoint.checkpoint_id });
    return said(await view.until((stream) => done(4)(stream) && said(stream)[3] === "3 c"));
  },
};
console.log(JSON.stringify(await scenarios[how]()));
process.exit(0);
