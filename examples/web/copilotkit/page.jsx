// CopilotKit's chat, which asks before the agent books a train.
import "@copilotkit/react-core/v2/styles.css";
import {
  CopilotChat,
  CopilotKitProvider,
  useDefaultRenderTool,
  useInterrupt,
} from "@copilotkit/react-core/v2";
import { createRoot } from "react-dom/client";

const threadId = (localStorage.thread ??= crypto.randomUUID());
const headers = { authorization: "Bearer secret-of-ann" };
const runtimeUrl = new URL("api/copilotkit", location.href).href;

function Page() {
  useDefaultRenderTool();
  useInterrupt({
    render: ({ interrupts, resolve, cancel }) => interrupts.map(({ id, message }) => (
      <p key={id} className="question">
        {message}
        <button onClick={() => resolve({ approved: true }, id)}>Approve</button>
        <button onClick={() => cancel(id)}>Reject</button>
      </p>
    )),
  });
  return <CopilotChat threadId={threadId} />;
}

createRoot(document.getElementById("root")).render(
  <CopilotKitProvider runtimeUrl={runtimeUrl} headers={headers}>
    <Page />
  </CopilotKitProvider>,
);
