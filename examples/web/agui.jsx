import { HttpAgent } from "@ag-ui/client";
import { useState } from "react";
import { Chat, show } from "./chat.jsx";

const agent = new HttpAgent({ url: new URL("chat", location.href).href });
let stopped = false;

function lines({ role, content, toolCalls = [] }) {
  const calls = toolCalls.map((call) => [
    "tool",
    `${call.function.name}(${call.function.arguments})`,
  ]);
  return [...(content ? [[role, content]] : []), ...calls];
}

function Page() {
  const [messages, setMessages] = useState([]);
  const [state, setState] = useState("ready");
  const [error, setError] = useState();
  const seen = () => setMessages([...agent.messages]);
  const ask = async (content) => {
    agent.addMessage({ id: crypto.randomUUID(), role: "user", content });
    setState("streaming");
    setError(undefined);
    stopped = false;
    seen();
    const failed = ({ message }) => stopped || setError(message);
    await agent
      .runAgent({}, { onMessagesChanged: seen, onRunErrorEvent: ({ event }) => failed(event) })
      .catch(failed);
    setState("ready");
  };
  return (
    <Chat
      title="HttpAgent of AG-UI"
      state={state}
      error={error}
      lines={messages.flatMap(lines)}
      busy={state === "streaming"}
      ask={ask}
      stop={() => {
        stopped = true;
        agent.abortRun();
      }}
    />
  );
}

show(<Page />);
