import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { Chat, show } from "./chat.jsx";

// The chat's id is in the page's address, so that it is the same after a reload.
if (!location.hash) location.hash = crypto.randomUUID();
const id = location.hash.slice(1);
const saved = await fetch(`chat/${id}`);
const messages = saved.ok ? (await saved.json()).messages : [];

function Call({ part, decide }) {
  return (
    <>
      {part.toolName}({JSON.stringify(part.input)}) → {part.output ?? part.state}
      {part.state === "approval-requested" && (
        <>
          {" "}
          <button id="approve" onClick={() => decide(part, true)}>Approve</button>
          <button id="reject" onClick={() => decide(part, false, "Not today.")}>Reject</button>
        </>
      )}
    </>
  );
}

function Page() {
  const { messages: all, status, error, sendMessage, stop, addToolApprovalResponse } = useChat({
    id,
    messages,
    transport: new DefaultChatTransport({ api: "chat" }),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  const decide = (part, approved, reason) =>
    addToolApprovalResponse({ id: part.approval.id, approved, reason });
  const line = (role, part) => {
    if (part.type === "text") return [role, part.text];
    if (part.type === "dynamic-tool") return ["tool", <Call part={part} decide={decide} />];
    return null;
  };
  const lines = all.flatMap(({ role, parts }) => parts.map((part) => line(role, part)));
  return (
    <Chat
      title="useChat with approvals"
      state={status}
      error={error?.message}
      lines={lines.filter(Boolean)}
      busy={status === "submitted" || status === "streaming"}
      ask={(text) => sendMessage({ text })}
      stop={stop}
    />
  );
}

show(<Page />);
