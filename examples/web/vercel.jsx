import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { Chat, show } from "./chat.jsx";

const transport = new DefaultChatTransport({ api: "chat" });

function line(role, part) {
  if (part.type === "text") return [role, part.text];
  if (part.type === "dynamic-tool") {
    return ["tool", `${part.toolName}(${JSON.stringify(part.input)}) → ${part.output ?? part.state}`];
  }
  return null;
}

function Page() {
  const { messages, status, error, sendMessage, stop } = useChat({ transport });
  const lines = messages.flatMap(({ role, parts }) => parts.map((part) => line(role, part)));
  return (
    <Chat
      title="useChat of the AI SDK"
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
