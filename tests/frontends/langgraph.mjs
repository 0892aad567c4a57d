// A run of a route of format "langgraph", by the SDK's client or by useStream in a page of jsdom.
const { module, how, apiUrl, assistant, streamMode, content, stopAtMessage } = JSON.parse(process.argv[2]);
const input = { messages: [{ type: "human", content }] };
const report = { events: [] };

function finish(more) {
  process.stdout.write(JSON.stringify({ ...report, ...more }), () => process.exit(0));
}

async function withClient() {
  const { Client } = await import(module);
  const client = new Client({ apiUrl, callerOptions: { maxRetries: 0 } });
  const controller = new AbortController();
  try {
    if (how === "wait") {
      report.values = await client.runs.wait(null, assistant, { input });
    } else {
      const options = {
        input,
        streamMode,
        signal: controller.signal,
        onRunCreated: (run) => (report.created = run.run_id),
      };
      for await (const event of client.runs.stream(null, assistant, options)) {
        report.events.push(event);
        if (stopAtMessage && event.event === "messages") controller.abort();
      }
    }
  } catch (error) {
    report.thrown = { name: error.name, message: error.message };
  }
  finish();
}

async function withHook() {
  const { JSDOM } = await import("jsdom");
  const page = new JSDOM("<div id=root></div>", { url: "http://localhost/", pretendToBeVisual: true });
  Object.assign(globalThis, { window: page.window, document: page.window.document });
  const { createElement, useEffect } = await import("react");
  const { createRoot } = await import("react-dom/client");
  const { useStream, FetchStreamTransport } = await import(`${module}/react`);
  const transport = new FetchStreamTransport({ apiUrl });
  let began = false;
  let stopped = false;

  function Chat() {
    const stream = useStream({
      transport,
      onError: (error) => (report.onError = error.message ?? String(error)),
      onCustomEvent: (event) => (report.custom ??= []).push(event),
    });
    useEffect(() => void stream.submit(input), []);
    useEffect(() => {
      began ||= stream.isLoading;
      const answers = stream.messages.filter((message) => message.type === "ai");
      if (stopAtMessage && answers.length && !stopped) {
        stopped = true;
        stream.stop();
      }
      if (began && !stream.isLoading) {
        const error = stream.error?.message;
        setTimeout(() => finish({ messages: stream.messages, error }), 50);
      }
    });
    return null;
  }
  createRoot(document.getElementById("root")).render(createElement(Chat));
}

await (how === "useStream" ? withHook() : withClient());
