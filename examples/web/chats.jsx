import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const api = "ai/chats";
let askForLogin = () => {}; // also when the session ends later

async function call(url, init) {
  const response = await fetch(url, init);
  if (response.status === 401) askForLogin();
  return response;
}

async function read(url) {
  const response = await call(url);
  if (!response.ok) throw new Error(response.status === 401 ? "" : await response.text());
  return response.json();
}

const post = (url, data) =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(data) });

const transport = new DefaultChatTransport({ api, fetch: call });

function Tool({ part, answer }) {
  const decide = (approved) => answer({ id: part.approval.id, approved });
  const asks = answer && part.state === "approval-requested";
  return (
    <p className={asks ? "question" : "tool"}>
      {part.toolName}({JSON.stringify(part.input)}) {asks ? "?" : `→ ${part.output ?? part.state}`}
      {asks && <button onClick={() => decide(true)}>Approve</button>}
      {asks && <button onClick={() => decide(false)}>Reject</button>}
    </p>
  );
}

function Chat({ id, known, messages: before, changed }) {
  const { messages, status, error, sendMessage, stop, addToolApprovalResponse } = useChat({
    id,
    messages: before,
    transport,
    resume: known, // reads the answer that is being made
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    onFinish: changed,
  });
  const running = status === "submitted" || status === "streaming";
  const end = () => call(`${api}/${id}/stream`, { method: "DELETE" }).finally(stop); // it would go on without its reader
  return (
    <>
      <div id="messages" aria-live="polite">
        {messages.flatMap(({ id, role, parts }, index) => parts.map((part, n) => {
          const answer = index === messages.length - 1 ? addToolApprovalResponse : null;
          if (part.type === "text") return <p key={id + n} className={role}>{part.text}</p>;
          return part.type === "dynamic-tool" && <Tool key={id + n} part={part} answer={answer} />;
        }))}
      </div>
      <form action={(form) => void sendMessage({ text: form.get("question") })}>
        <input name="question" aria-label="Message" placeholder="Message" required />
        <button disabled={running}>Send</button>
        <button type="button" onClick={end} disabled={!running}>Stop</button>
      </form>
      <p role="alert">{error?.message}</p>
    </>
  );
}

function Login({ done }) {
  const [error, setError] = useState("");
  const logIn = async (form) => {
    const response = await post("login", Object.fromEntries(form));
    if (response.ok) await done();
    else setError(await response.text());
  };
  return (
    <>
      <form action={logIn}>
        <input name="name" aria-label="Name" placeholder="Name" autoComplete="username" required />
        <input name="password" type="password" aria-label="Password" placeholder="Password" required />
        <button>Log in</button>
      </form>
      <p role="alert">{error}</p>
    </>
  );
}

function Page() {
  const [{ view, id, known, messages, chats = [], error }, set] = useState({ view: "loading" });
  const change = (more) => set((state) => ({ ...state, ...more }));
  const fail = ({ message }) => change({ error: message });
  const list = async () => (await read(`${api}/threads?limit=100`)).threads;
  const open = async (id) => {
    const chats = await list();
    const known = chats.some((each) => each.id === id);
    const { messages } = known ? await read(`${api}/${id}`) : { messages: [] };
    sessionStorage.chat = id;
    set({ view: "chat", id, known, messages, chats });
  };
  const begin = () => open(sessionStorage.chat ?? crypto.randomUUID()).catch(fail);
  const logOut = async () => {
    await post("logout");
    sessionStorage.removeItem("chat");
    askForLogin();
  };
  useEffect(() => {
    askForLogin = () => set({ view: "login" });
    begin();
  }, []);
  if (view === "login") return <Login done={begin} />;
  return (
    <>
      <nav>
        <button onClick={() => open(crypto.randomUUID()).catch(fail)}>New chat</button>
        {chats.map((chat) => (
          <button key={chat.id} disabled={chat.id === id} onClick={() => open(chat.id).catch(fail)}>
            {chat.title} {chat.status === "interrupted" && "(asks you)"}
          </button>
        ))}
        <button onClick={logOut}>Log out</button>
      </nav>
      {view === "chat" && (
        <Chat
          key={id}
          {...{ id, known, messages }}
          changed={() => list().then((chats) => change({ chats }), fail)}
        />
      )}
      <p role="alert">{error}</p>
    </>
  );
}

createRoot(document.getElementById("root")).render(<Page />);
