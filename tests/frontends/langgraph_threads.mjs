// What useStream shows of a thread on a route of format "langgraph", in a page of jsdom.
import { JSDOM } from "jsdom";

const { module, how, apiUrl, assistantId, threadId, runId } = JSON.parse(process.argv[2]);
const page = new JSDOM("<div id=root></div>", { url: "http://localhost/", pretendToBeVisual: true });
Object.assign(globalThis, { window: page.window, document: page.window.document });
const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { useStream } = await import(`${module}/react`);
const { Client } = await import(module);
const client = new Client({ apiUrl, callerOptions: { maxRetries: 0 } });
const seen = { errors: [], threads: [], runs: [] };
process.on("unhandledRejection", (error) => seen.errors.push(`unhandled: ${error?.message ?? error}`));

function mount(options) {
  const view = { stream: null, wake: () => {} };
  function Chat() {
    view.stream = useStream({
      apiUrl,
      assistantId,
      callerOptions: { maxRetries: 0 },
      onError: (error) => view.left || seen.errors.push(error?.message ?? String(error)),
      onThreadId: (id) => seen.threads.push(id),
      onCreated: (run) => seen.runs.push(run),
      ...options,
    });
    queueMicrotask(() => view.wake());
    return null;
  }
  const root = createRoot(document.getElementById("root"));
  root.render(createElement(Chat));
  view.until = async (condition) => {
    const last = Date.now() + 15000;
    while (!view.stream || !condition(view.stream)) {
      if (Date.now() > last) throw new Error(`never: ${condition}`);
      await new Promise((wake) => {
        view.wake = wake;
        setTimeout(wake, 200);
      });
    }
    return view.stream;
  };
  view.leave = () => {
    view.left = true;
    root.unmount();
  };
  return view;
}

const human = (content, id) => ({ messages: [{ type: "human", content, ...(id && { id }) }] });
const said = (stream) => stream.messages.map((message) => message.content);
const done = (count) => (stream) => !stream.isLoading && stream.messages.length === count;
const status = async () => {
  const [run] = await client.runs.list(seen.threads[0] ?? threadId);
  return (await client.runs.get(run.thread_id, run.run_id)).status;
};

const scenarios = {
  async talk() {
    const view = mount({});
    (await view.until((stream) => stream)).submit(human("a"));
    (await view.until(done(2))).submit(human("b"));
    seen.messages = said(await view.until(done(4)));
  },
  async events() {
    const events = (seen.events = []);
    const view = mount({ onLangChainEvent: ({ event, name }) => events.push(`${event} ${name}`) });
    (await view.until((stream) => stream)).submit(human("a"));
    seen.messages = said(await view.until(done(2)));
  },
  async interrupt() {
    const view = mount({});
    (await view.until((stream) => stream)).submit({ question: "Shall I?", log: [] });
    const asking = await view.until((stream) => !stream.isLoading && stream.interrupt);
    seen.interrupt = asking.interrupt;
    asking.submit(undefined, { command: { resume: "yes" } });
    const end = (stream) => !stream.isLoading && stream.values.log?.includes("concluded");
    const ended = await view.until(end);
    seen.values = ended.values;
    seen.after = ended.interrupt ?? null;
  },
  async branches() {
    const view = mount({ fetchStateHistory: true });
    (await view.until((stream) => stream)).submit(human("a"));
    (await view.until(done(2))).submit(human("b"));
    const first = (stream) => stream.messages[0] && stream.getMessagesMetadata(stream.messages[0]);
    let stream = await view.until((each) => done(4)(each) && first(each)?.firstSeenState);
    const checkpoint = first(stream).firstSeenState.parent_checkpoint;
    stream.submit(human("c"), { checkpoint });
    stream = await view.until((each) => done(2)(each) && first(each)?.branchOptions?.length === 2);
    seen.edited = said(stream);
    const { branch, branchOptions } = first(stream);
    stream.setBranch(branchOptions.find((each) => each !== branch));
    seen.original = said(await view.until(done(4)));
  },
  async reconnect() {
    const view = mount({ threadId, reconnectOnMount: true });
    (await view.until((stream) => stream)).submit(human("a"));
    await view.until((stream) => String(stream.messages[1]?.content).includes("w3 "));
    view.leave();
    document.body.innerHTML = "<div id=root></div>";
    const again = mount({ threadId, reconnectOnMount: true });
    const grown = (stream) => String(stream.messages[1]?.content).includes("w20 ");
    const stream = await again.until(grown);
    seen.start = stream.messages[1].content.slice(0, 9);
    seen.loading = stream.isLoading;
    await stream.stop();
    await again.until((each) => !each.isLoading);
    while ((seen.status = await status()) === "running");
  },
  async return() {
    window.sessionStorage.setItem(`lg:stream:${threadId}`, runId);
    const view = mount({ threadId, reconnectOnMount: true });
    await view.until((stream) => stream.messages.length);
    await view.until((stream) => !stream.isLoading && !window.sessionStorage.length);
    seen.messages = said(view.stream);
    view.stream.submit(human("more"));
    await view.until(done(seen.messages.length + 2));
  },
  async stop() {
    const view = mount({});
    (await view.until((stream) => stream)).submit(human("a"));
    await view.until((stream) => String(stream.messages[1]?.content).includes("w3 "));
    await view.stream.stop();
    await view.until((stream) => !stream.isLoading);
    while ((seen.status = await status()) === "running");
    seen.error = view.stream.error ?? null;
  },
  async join() {
    const input = human("a");
    const run = await client.runs.create(threadId, assistantId, { input, streamMode: "values" });
    const view = mount({ threadId });
    (await view.until((stream) => stream)).joinStream(run.run_id);
    seen.messages = said(await view.until(done(2)));
  },
  async fail() {
    const view = mount({});
    (await view.until((stream) => stream)).submit({ question: "x", log: [] });
    const failed = await view.until((stream) => !stream.isLoading && stream.error);
    seen.error = failed.error.message ?? String(failed.error);
  },
};

try {
  await scenarios[how]();
} catch (error) {
  seen.thrown = error.stack;
}
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
