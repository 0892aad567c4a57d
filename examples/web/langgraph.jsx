import { FetchStreamTransport, useStream } from "@langchain/langgraph-sdk/react";
import { Chat, show } from "./chat.jsx";

const transport = new FetchStreamTransport({ apiUrl: new URL("chat", location.href).href });
const ROLES = { human: "user", ai: "assistant", tool: "tool" };

function Page() {
  const { messages, isLoading, error, submit, stop } = useStream({ transport });
  return (
    <Chat
      title="useStream of LangGraph"
      state={isLoading ? "streaming" : "ready"}
      error={error?.message}
      lines={messages.filter((m) => m.content).map((m) => [ROLES[m.type], m.content])}
      busy={isLoading}
      ask={(content) => submit({ messages: [...messages, { type: "human", content }] })}
      stop={stop}
    />
  );
}

show(<Page />);
