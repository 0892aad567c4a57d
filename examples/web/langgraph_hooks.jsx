import { Client } from "@langchain/langgraph-sdk";
import { FetchStreamTransport, useStream } from "@langchain/langgraph-sdk/react";
import { useStream as useThread } from "@langchain/react";
import { useState } from "react";
import { createRoot } from "react-dom/client";

// --8<-- [start:auth]
const apiUrl = new URL("api", location.href).href; // the route, with its host
const token = async () => "secret-of-ann"; // from your login; called for each request
const withToken = async (url, init) => {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${await token()}`);
  return { ...init, headers };
};
const client = new Client({ apiUrl, apiKey: null, onRequest: withToken });
// --8<-- [end:auth]

const human = (content) => ({ messages: [{ type: "human", content }] });

function Question({ value, answer }) {
  const decide = (type) => answer({ decisions: value.action_requests.map(() => ({ type })) });
  return (
    <p>
      {value.action_requests.map(({ name, args }) => `${name}(${JSON.stringify(args)})?`)}{" "}
      <button onClick={() => decide("approve")}>Approve</button>
      <button onClick={() => decide("reject")}>Reject</button>
    </p>
  );
}

// --8<-- [start:sdk]
function Agent() {
  const [threadId, setThreadId] = useState(() => sessionStorage.getItem("thread"));
  const [progress, setProgress] = useState("");
  const stream = useStream({
    client,
    assistantId: "agent",
    threadId, // null: the first submit creates a thread
    onThreadId: (id) => (sessionStorage.setItem("thread", id), setThreadId(id)),
    reconnectOnMount: true, // needs `resume` on the route
    fetchStateHistory: true, // or an answered interrupt stays after a reload
    onCustomEvent: ({ progress }) => setProgress(progress), // get_stream_writer()({"progress": ...})
  });
  const resume = (value) => stream.submit(undefined, { command: { resume: value } });
  return (
    <section id="sdk">
      {stream.messages.map(({ id, type, content }) => <p key={id} className={type}>{content}</p>)}
      {stream.interrupt && <Question value={stream.interrupt.value} answer={resume} />}
      <button onClick={() => stream.submit(human("Take me to Paris."))}>Ask</button>
      <button onClick={() => stream.stop()}>Stop</button>
      <p className="state">{stream.error?.message ?? (stream.isLoading ? "streaming" : "ready")} {progress}</p>
    </section>
  );
}
// --8<-- [end:sdk]

// --8<-- [start:branches]
function Branches() {
  const stream = useStream({ client, assistantId: "chat", fetchStateHistory: true });
  const edit = (message, content) => {
    const { firstSeenState } = stream.getMessagesMetadata(message);
    stream.submit(human(content), { checkpoint: firstSeenState.parent_checkpoint });
  };
  const question = stream.messages.findLast(({ type }) => type === "human");
  const { branch, branchOptions = [] } = (question && stream.getMessagesMetadata(question)) ?? {};
  return (
    <section id="branches">
      {stream.messages.map(({ id, content }) => <p key={id}>{content}</p>)}
      <button onClick={() => stream.submit(human("Hello"))}>Ask</button>
      <button onClick={() => edit(question, "Good morning")}>Edit</button>
      {branchOptions.map((each, n) => (
        <button key={each} disabled={each === branch} onClick={() => stream.setBranch(each)}>
          Branch {n + 1}
        </button>
      ))}
      <p className="state">{stream.isLoading ? "streaming" : "ready"}</p>
    </section>
  );
}
// --8<-- [end:branches]

// --8<-- [start:react]
const fetchWithToken = async (url, init) => fetch(url, await withToken(url, init));
const options = { apiUrl, fetch: fetchWithToken, callerOptions: { fetch: fetchWithToken } };

function Thread() {
  const { messages, interrupt, respond, submit, stop, isLoading, error } = useThread({
    ...options, // the same objects each time: new ones are a new client
    assistantId: "agent",
  });
  return (
    <section id="react">
      {messages.map((message) => <p key={message.id}>{message.text}</p>)}
      {interrupt && <Question value={interrupt.value} answer={respond} />}
      <button onClick={() => submit(human("Take me to Paris."))}>Ask</button>
      <button onClick={() => stop()}>Stop</button>
      <p className="state">{error?.message ?? (isLoading ? "streaming" : "ready")}</p>
    </section>
  );
}
// --8<-- [end:react]

// --8<-- [start:transport]
const transport = new FetchStreamTransport({
  apiUrl: new URL("stateless", location.href).href,
  onRequest: withToken,
});

function Stateless() {
  const { messages, isLoading, error, submit, stop } = useStream({ transport });
  const ask = (content) => submit({ messages: [...messages, { type: "human", content }] });
  return (
    <section id="stateless">
      {messages.map(({ id, content }, n) => <p key={id ?? n}>{content}</p>)}
      <button onClick={() => ask("What is the weather?")}>Ask</button>
      <button onClick={stop}>Stop</button>
      <p className="state">{error?.message ?? (isLoading ? "streaming" : "ready")}</p>
    </section>
  );
}
// --8<-- [end:transport]

createRoot(document.getElementById("root")).render(<><Agent /><Branches /><Thread /><Stateless /></>);
