import { useChat, useCompletion } from "@ai-sdk/react";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } from "ai";
import { useState } from "react";
import { createRoot } from "react-dom/client";

// --8<-- [start:auth]
const token = async () => "secret-of-ann"; // from your login; called for each request
const headers = async () => ({ authorization: `Bearer ${await token()}` });
const transport = new DefaultChatTransport({ api: "chat", headers });
// --8<-- [end:auth]

// --8<-- [start:reload]
const id = (sessionStorage.chat ??= crypto.randomUUID());

async function stored() {
  const response = await fetch(`chat/${id}`, { headers: await headers() });
  if (response.status === 404) return []; // a new chat
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()).messages;
}
// --8<-- [end:reload]

// --8<-- [start:parts]
function Part({ part }) {
  switch (part.type) {
    case "text":
      return <span>{part.text}</span>;
    case "reasoning":
      return <em>{part.text}</em>;
    case "dynamic-tool": // a tool of the agent; its input grows while the model writes it
      return <code>{part.toolName}({JSON.stringify(part.input)}): {part.output ?? part.errorText ?? part.state}</code>;
    case "source-url":
      return <a href={part.url}>{part.title ?? part.url}</a>;
    case "file":
      return <img src={part.url} alt={part.filename ?? "file"} />;
    case "data-progress": // adispatch_custom_event("progress", {"id": ..., "text": ...})
      return <progress aria-label={part.data.text} />;
  }
}
// --8<-- [end:parts]

function Chat({ messages: before }) {
  // --8<-- [start:chat]
  const chat = useChat({ id, messages: before, transport, resume: true });
  const { messages, status, error, sendMessage, regenerate, clearError } = chat;
  // --8<-- [end:chat]
  // --8<-- [start:stop]
  const stop = async () => {
    const request = { method: "DELETE", headers: await headers() };
    await fetch(`chat/${id}/stream`, request).finally(() => chat.stop());
  };
  // --8<-- [end:stop]
  // --8<-- [start:edit]
  const edit = ({ id: messageId }, text) => sendMessage({ text, messageId });
  // --8<-- [end:edit]
  // --8<-- [start:files]
  const ask = (form) => {
    const files = form.elements.files.files; // a FileList; images become data URLs
    sendMessage({ text: form.elements.text.value, files });
    form.reset();
  };
  // --8<-- [end:files]
  const lastQuestion = messages.findLast(({ role }) => role === "user");
  return (
    <section id="chat">
      {messages.map((message) => (
        <p key={message.id} className={message.role}>
          {message.parts.map((part, n) => <Part key={n} part={part} />)}
        </p>
      ))}
      <form onSubmit={(event) => { event.preventDefault(); ask(event.target); }}>
        <input name="text" defaultValue="What is the weather?" /> <input name="files" type="file" multiple />
        <button>Ask</button>
        <button type="button" onClick={stop}>Stop</button>
        <button type="button" onClick={() => regenerate()}>Again</button>
        <button type="button" onClick={() => edit(lastQuestion, "And tomorrow?")}>Edit</button>
      </form>
      {/* --8<-- [start:errors] */}
      {error && <p role="alert">{error.message} <button onClick={clearError}>Close</button></p>}
      {/* --8<-- [end:errors] */}
      <p className="state">{status}</p>
    </section>
  );
}

// --8<-- [start:completion]
function Completion() {
  const { completion, complete, error, isLoading, stop } = useCompletion({
    api: "complete",
    fetch: async (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...(await headers()) } }),
  });
  return (
    <section id="completion">
      <button onClick={() => complete("a sentence to finish")}>Complete</button>
      <button onClick={stop} disabled={!isLoading}>Stop</button>
      <p>{error?.message ?? completion}</p>
    </section>
  );
}
// --8<-- [end:completion]

// --8<-- [start:tools]
function PageTools() {
  const [city] = useState("Rome");
  const { messages, sendMessage, addToolOutput } = useChat({
    transport: new DefaultChatTransport({ api: "page-tools", headers }),
    onToolCall({ toolCall: { toolName: tool, toolCallId } }) {
      if (tool === "chosen_city") addToolOutput({ tool, toolCallId, output: city }); // not awaited
    },
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  });
  return (
    <section id="tools">
      <button onClick={() => sendMessage({ text: "Which city?" })}>Which city?</button>
      {messages.flatMap(({ id, parts }) => parts.map((part, n) => <Part key={id + n} part={part} />))}
    </section>
  );
}
// --8<-- [end:tools]

createRoot(document.getElementById("root")).render(
  <><Chat messages={await stored()} /><Completion /><PageTools /></>,
);
