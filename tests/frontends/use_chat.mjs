// The hooks of @ai-sdk/react in a page of jsdom: sends one message, prints where the hook ends up.
import { JSDOM } from "jsdom";
const { api, hook, text, stopAtText, streamProtocol, id, leaveAt } = JSON.parse(process.argv[2]);

const page = new JSDOM("<div id=root></div>", { url: "http://localhost/", pretendToBeVisual: true });
Object.assign(globalThis, { window: page.window, document: page.window.document });
const { createElement, useEffect } = await import("react");
const { createRoot } = await import("react-dom/client");
const { useChat, useCompletion } = await import("@ai-sdk/react");
const { DefaultChatTransport } = await import("ai");

const report = { statuses: [], data: [], toolCalls: [] };
let ended = false;

function finish(more) {
  if (ended) return;
  ended = true;
  console.log(JSON.stringify({ ...report, ...more }));
  process.exit(0);
}

// What the page does before it is loaded again: it sends the message, and goes in mid-answer.
async function leave() {
  const messages = [{ id: "1", role: "user", parts: [{ type: "text", text }] }];
  const body = JSON.stringify({ id, messages });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(api, { method: "POST", headers, body });
  let received = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    received += piece;
    if (received.includes(leaveAt)) return;
  }
  throw new Error(`the answer ended without ${leaveAt}: ${received}`);
}

function Chat() {
  const chat = useChat({
    transport: new DefaultChatTransport({ api }),
    // A page that is loaded again asks for the rest of its chat's answer, and sends nothing.
    ...(id && { id, resume: true }),
    onData: (part) => report.data.push(part),
    onToolCall: ({ toolCall }) => report.toolCalls.push(toolCall.toolName),
  });
  const { status, messages, error } = chat;
  useEffect(() => void (id || chat.sendMessage({ text })), []);
  useEffect(() => {
    if (report.statuses.at(-1) !== status) report.statuses.push(status);
    const last = messages.at(-1);
    if (stopAtText && last?.parts.some((part) => part.type === "text" && part.text)) {
      if (last.role === "assistant") chat.stop();
    }
    if (status === "error" || (status === "ready" && report.statuses.length > 1)) {
      finish({ messages, error: error?.message });
    }
  });
  return null;
}

function Completion() {
  const { completion, error, isLoading, complete } = useCompletion({ api, streamProtocol });
  useEffect(() => void complete(text), []);
  useEffect(() => {
    if (report.statuses.at(-1) !== isLoading) report.statuses.push(isLoading);
    if (!isLoading && report.statuses.length > 2) finish({ completion, error: error?.message });
  });
  return null;
}

if (leaveAt) await leave();
createRoot(document.getElementById("root")).render(
  createElement(hook === "useChat" ? Chat : Completion),
);
