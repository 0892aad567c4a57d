import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { Chat, show } from "./chat.jsx";

const transport = new DefaultChatTransport({ api: "chat" });

function Source({ title, url }) {
  return url ? <a href={url} target="_blank" rel="noreferrer">{title}</a> : title;
}

function Page() {
  const { messages, status, error, sendMessage, stop } = useChat({ transport });
  const text = ({ role, parts }) =>
    parts.filter(({ type }) => type === "text").map((part) => [role, part.text]);
  const answer = messages.findLast(({ role }) => role === "assistant");
  const sources = answer?.parts.filter(({ type }) => type.startsWith("source-")) ?? [];
  return (
    <Chat
      title="Answers with sources"
      state={status}
      error={error?.message}
      lines={messages.flatMap(text)}
      busy={status === "submitted" || status === "streaming"}
      ask={(text) => sendMessage({ text })}
      stop={stop}
    >
      <ol id="sources">
        {sources.map((source) => (
          <li key={source.sourceId}><Source {...source} /></li>
        ))}
      </ol>
    </Chat>
  );
}

show(<Page />);
