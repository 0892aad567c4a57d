// The parts that all pages share: the messages, an input, a stop button.
import { createRoot } from "react-dom/client";
import { useState } from "react";

export function Chat({ title, state, error, lines, busy, ask, stop, children }) {
  const [question, setQuestion] = useState("What is the weather in Paris?");
  const submit = (event) => {
    event.preventDefault();
    ask(question);
  };
  return (
    <>
      <h1>{title}</h1>
      <div id="answer" aria-live="polite">
        {lines.map(([kind, text], n) => (
          <p key={n} className={kind}>{text}</p>
        ))}
      </div>
      {children}
      <form onSubmit={submit}>
        <input value={question} onChange={(e) => setQuestion(e.target.value)} aria-label="Question" />
        <button disabled={busy}>Ask</button>
        <button type="button" id="stop" disabled={!busy} onClick={stop}>Stop</button>
      </form>
      <p id="state">{error ? `error: ${error}` : state}</p>
    </>
  );
}

export function show(page) {
  createRoot(document.getElementById("root")).render(page);
}
