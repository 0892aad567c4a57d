// Version 1 of the SDK: see package.json.
import { Client } from "@langchain/langgraph-sdk-1";
import { useStream } from "@langchain/langgraph-sdk-1/react";
import { useEffect, useState } from "react";
import { Chat, show } from "./chat.jsx";

const apiUrl = new URL("chat", location.href).href;
const defaultHeaders = { authorization: "Bearer secret-of-ann" };
const client = new Client({ apiUrl, defaultHeaders });
const human = (content) => ({ messages: [{ type: "human", content }] });

function line(stream, { type, content, ...message }) {
  if (type === "human") return ["user", <Question stream={stream} message={{ content, ...message }} />];
  if (type === "tool") return ["tool", content];
  return content && ["assistant", content];
}

function Question({ stream, message }) {
  const { branch, branchOptions, firstSeenState } = stream.getMessagesMetadata(message) ?? {};
  const edit = () => {
    const content = prompt("Ask instead:", message.content);
    const checkpoint = firstSeenState.parent_checkpoint;
    if (content) stream.submit(human(content), { checkpoint });
  };
  return (
    <>
      <span>{message.content}</span>
      {firstSeenState && <button onClick={edit}>Edit</button>}
      {branchOptions?.map((each, n) => (
        <button key={each} disabled={each === branch} onClick={() => stream.setBranch(each)}>
          {n + 1}
        </button>
      ))}
    </>
  );
}

function Approval({ stream, question: { action_requests } }) {
  const decide = (type) => {
    const decisions = action_requests.map(() => ({ type }));
    stream.submit(undefined, { command: { resume: { decisions } } });
  };
  return (
    <p className="question">
      {action_requests.map(({ name, args }) => `${name} ${JSON.stringify(args)}`).join(", ")}?
      <button onClick={() => decide("approve")}>Approve</button>
      <button onClick={() => decide("reject")}>Reject</button>
    </p>
  );
}

function Threads({ current, choose, changed }) {
  const [threads, setThreads] = useState([]);
  useEffect(() => {
    client.threads.search({ sortBy: "created_at" }).then(setThreads);
  }, [changed]);
  return (
    <nav>
      {threads.map(({ thread_id, values }) => (
        <button key={thread_id} disabled={thread_id === current} onClick={() => choose(thread_id)}>
          {values?.messages?.[0]?.content ?? "…"}
        </button>
      ))}
      <button disabled={!current} onClick={() => choose(null)}>New</button>
    </nav>
  );
}

function Page() {
  const [threadId, setThreadId] = useState(location.hash.slice(1) || null);
  const choose = (id) => {
    history.replaceState(null, "", id ? `#${id}` : ".");
    setThreadId(id);
  };
  const stream = useStream({
    apiUrl,
    defaultHeaders,
    assistantId: "travel",
    threadId,
    onThreadId: choose,
    fetchStateHistory: { limit: 100 }, // for the branches
    reconnectOnMount: true,
  });
  const { messages, isLoading, interrupt, error } = stream;
  // A thread that was stopped has an interrupt without a value.
  const question = !isLoading && interrupt?.value;
  return (
    <Chat
      title="useStream with threads"
      state={isLoading ? "streaming" : question ? "waiting for you" : "ready"}
      error={error?.message}
      lines={messages.map((message) => line(stream, message)).filter(Boolean)}
      busy={isLoading}
      ask={(content) => stream.submit(human(content))}
      stop={() => stream.stop()}
    >
      {question && <Approval stream={stream} question={question} />}
      <Threads current={threadId} choose={choose} changed={isLoading} />
    </Chat>
  );
}

show(<Page />);
