import { HttpAgent } from "@ag-ui/client";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

// --8<-- [start:auth]
const token = async () => "secret-of-ann"; // from your login; called for each request
const withToken = async (url, init) =>
  fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${await token()}` } });

const threadId = (sessionStorage.thread ??= crypto.randomUUID());
const agent = new HttpAgent({ url: new URL("agent", location.href).href, threadId, fetch: withToken });
// --8<-- [end:auth]

// --8<-- [start:run]
function useAgent(agent) {
  const [, render] = useState(0);
  const [error, setError] = useState("");
  const [progress, setProgress] = useState("");
  const changed = () => render((count) => count + 1);
  const run = async (parameters) => {
    setError("");
    let stopped = false;
    let code;
    agent.stop = () => {
      stopped = true;
      agent.abortRun(); // cancels the run on the server
      agent.pendingInterrupts = []; // or the agent refuses the next run after a stopped answer
    };
    const failed = (failure) => {
      code = failure.code ?? failure.payload?.error?.code;
      if (!stopped) setError(failure.message);
    };
    await agent
      .runAgent(parameters, {
        onMessagesChanged: changed,
        onCustomEvent: ({ event }) => setProgress(event.value.text), // adispatch_custom_event
        onRunErrorEvent: ({ event }) => failed(event), // after the stream began
      })
      .catch(failed); // before that: "HTTP 401: {...}"
    if (code === "not_pending") {
      agent.pendingInterrupts = []; // another tab has answered, and the agent would refuse each run
      await agent.runAgent().catch(failed); // what the thread waits for now
    }
    changed();
  };
  const ask = (content) => {
    agent.addMessage({ id: crypto.randomUUID(), role: "user", content });
    return run();
  };
  return { messages: agent.messages, interrupts: agent.pendingInterrupts, error, progress, run, ask };
}
// --8<-- [end:run]

function Agent() {
  const { messages, interrupts, error, progress, run, ask } = useAgent(agent);
  // --8<-- [start:reload]
  useEffect(() => {
    run(); // without a message: the thread's messages and interrupts
  }, []);
  // --8<-- [end:reload]
  // --8<-- [start:interrupts]
  const decide = (type) =>
    run({
      resume: interrupts.map(({ id, metadata }) => ({
        interruptId: id,
        status: "resolved",
        payload: { decisions: metadata.toolCalls.map(() => ({ type })) },
      })),
    });
  // --8<-- [end:interrupts]
  return (
    <section id="agent">
      {messages.map(({ id, role, content, toolCalls = [] }) => (
        <p key={id} className={role}>
          {content} {toolCalls.map(({ function: { name, arguments: args } }) => `${name}(${args})`)}
        </p>
      ))}
      {interrupts.length > 0 && (
        <p>
          {interrupts[0].message}
          <button onClick={() => decide("approve")}>Approve</button>
          <button onClick={() => decide("reject")}>Reject</button>
        </p>
      )}
      <button onClick={() => ask("Take me to Paris.")}>Ask</button>
      <button onClick={() => agent.stop?.()}>Stop</button>
      {error && <p role="alert">{error}</p>}
      <p className="state">{agent.isRunning ? "running" : "ready"} {progress}</p>
    </section>
  );
}

// --8<-- [start:tools]
const tools = [
  {
    name: "chosen_city",
    description: "The city that the user has chosen on the page.",
    parameters: { type: "object", properties: {} },
  },
];
const onThePage = new HttpAgent({ url: new URL("page-tools", location.href).href, fetch: withToken });

async function askWithTools(content) {
  onThePage.addMessage({ id: crypto.randomUUID(), role: "user", content });
  for (;;) {
    const { newMessages } = await onThePage.runAgent({ tools });
    const calls = newMessages.flatMap(({ toolCalls = [] }) => toolCalls);
    const mine = calls.filter((call) => tools.some(({ name }) => name === call.function.name));
    if (!mine.length) return;
    for (const { id } of mine) {
      onThePage.addMessage({ id: crypto.randomUUID(), role: "tool", toolCallId: id, content: "Rome" });
    }
  }
}
// --8<-- [end:tools]

function PageTools() {
  const [messages, setMessages] = useState([]);
  const ask = async () => (await askWithTools("Which city?"), setMessages([...onThePage.messages]));
  return (
    <section id="tools">
      {messages.map(({ id, content }) => <p key={id}>{content}</p>)}
      <button onClick={ask}>Which city?</button>
    </section>
  );
}

createRoot(document.getElementById("root")).render(<><Agent /><PageTools /></>);
