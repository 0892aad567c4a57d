// A page with useChat that asks for approvals, and gets its messages from the server when it is
// loaded. The chat is in the page's address.
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { createRoot } from "react-dom/client";

const [, api, id] = location.hash.split("~");

function Part({ part, decide }) {
  if (part.type === "text") return <span>{part.text}</span>;
  if (part.type !== "dynamic-tool") return null;
  const call = `${part.toolName} ${part.input?.amount}`;
  return (
    <span>
      [{call}: {part.state} {part.output ?? part.approval?.requestReason?.split("\n")[0]}]
      {part.state === "approval-requested" && (
        <>
          <button id={`yes-${part.toolCallId}`} onClick={() => decide(part, true)}>Approve</button>
          <button id={`no-${part.toolCallId}`} onClick={() => decide(part, false)}>Reject</button>
        </>
      )}
    </span>
  );
}

function Page({ initial }) {
  const chat = useChat({
    id,
    messages: initial,
    resume: initial.length > 0 && api.includes("kept"),
    transport: new DefaultChatTransport({ api }),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  window.chat = chat;
  const decide = (part, approved) =>
    chat.addToolApprovalResponse({ id: part.approval.id, approved, ...(approved || { reason: "too much" }) });
  return (
    <>
      {chat.messages.map((message) => (
        <p key={message.id} className={message.role}>
          {message.parts.map((part, n) => <Part key={n} part={part} decide={decide} />)}
        </p>
      ))}
      <p id="state">{chat.error?.message ?? chat.status}</p>
    </>
  );
}

const response = await fetch(`${api}/${encodeURIComponent(id)}`);
const { messages } = response.ok ? await response.json() : { messages: [] };
createRoot(document.getElementById("root")).render(<Page initial={messages} />);
