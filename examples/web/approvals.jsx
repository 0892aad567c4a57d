import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { Chat, show } from "./chat.jsx";

const id = (localStorage.chat ??= crypto.randomUUID());
const headers = { authorization: "Bearer secret-of-ann" };
const transport = new DefaultChatTransport({ api: "chat", headers });

async function stored() {
  const response = await fetch(`chat/${id}`, { headers });
  if (response.status === 404) return []; // a new chat
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()).messages;
}

function line(role, part) {
  if (part.type === "text") return [role, part.text];
  if (part.type !== "dynamic-tool") return null;
  return ["tool", `${part.toolName}(${JSON.stringify(part.input)}) → ${part.output ?? part.state}`];
}

function Question({ part, answer }) {
  const decide = (approved) => answer({ id: part.approval.id, approved });
  return (
    <p className="question">
      {part.toolName} {JSON.stringify(part.input)}?
      <button type="button" onClick={() => decide(true)}>Approve</button>
      <button type="button" onClick={() => decide(false)}>Reject</button>
    </p>
  );
}

function Page({ messages: before }) {
  const { messages, status, error, sendMessage, stop, addToolApprovalResponse } = useChat({
    id,
    messages: before,
    transport,
    resume: true,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  const parts = messages.flatMap(({ role, parts }) => parts.map((part) => [role, part]));
  const last = messages.at(-1)?.parts ?? []; // who writes another message instead has not answered
  const waiting = last.filter((part) => part.state === "approval-requested");
  const end = async () => {
    const url = `chat/${id}/stream`; // the run would go on without its reader
    await fetch(url, { method: "DELETE", headers }).finally(() => stop());
  };
  return (
    <Chat
      title="useChat with approvals"
      state={waiting.length ? "waiting for you" : status}
      error={error?.message}
      lines={parts.map(([role, part]) => line(role, part)).filter(Boolean)}
      busy={status === "submitted" || status === "streaming"}
      ask={(text) => sendMessage({ text })}
      stop={end}
    >
      {waiting.map((part) => (
        <Question key={part.toolCallId} part={part} answer={addToolApprovalResponse} />
      ))}
    </Chat>
  );
}

show(<Page messages={await stored()} />);
