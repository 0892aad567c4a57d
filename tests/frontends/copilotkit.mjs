// A page of jsdom with CopilotKit's useInterrupt, whose runtime talks to a route of format "agui".
import { createServer } from "node:http";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { JSDOM } from "jsdom";
const { packages, url, thread, steps } = JSON.parse(process.argv[2]);

process.env.COPILOTKIT_TELEMETRY_DISABLED = "true";
const printed = [];
const note = (...words) => printed.push(words.join(" "));
Object.assign(console, { warn: note, error: note, log: note });

const styles = { format: "module", source: "", shortCircuit: true };
const there = pathToFileURL(`${packages}/package.json`).href;
registerHooks({
  // Its packages are many, so they are installed once, with those of the example.
  resolve: (name, context, next) =>
    next(name, context.parentURL === import.meta.url ? { ...context, parentURL: there } : context),
  load: (at, context, next) => (at.endsWith(".css") ? styles : next(at, context)),
});
const { CopilotRuntime, InMemoryAgentRunner } = await import("@copilotkit/runtime/v2");
const { createCopilotNodeListener } = await import("@copilotkit/runtime/v2/node");
const { HttpAgent } = await import("@ag-ui/client");
const runtime = new CopilotRuntime({
  agents: { default: new HttpAgent({ url }) },
  runner: new InMemoryAgentRunner(),
});
const basePath = "/api/copilotkit";
const server = createServer(createCopilotNodeListener({ runtime, basePath, cors: true }));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const runtimeUrl = `http://127.0.0.1:${server.address().port}${basePath}`;

const page = "<!DOCTYPE html><div id=root></div>";
const { window } = new JSDOM(page, { url: "http://localhost/", pretendToBeVisual: true });
window.matchMedia = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
for (const name of Object.getOwnPropertyNames(window)) {
  if (!(name in globalThis)) globalThis[name] = window[name];
}
Object.assign(globalThis, { window, document: window.document });
const { createElement, useEffect } = await import("react");
const { createRoot } = await import("react-dom/client");
const { CopilotKitProvider, useAgent, useCopilotKit, useInterrupt } = await import(
  "@copilotkit/react-core/v2"
);

let kit, question, changed;
const until = async (condition) => {
  for (let value; !(value = condition()); ) await new Promise((again) => (changed = again));
  return condition();
};

function Page() {
  const { copilotkit } = useCopilotKit();
  const { agent } = useAgent();
  question = undefined;
  const element = useInterrupt({
    renderInChat: false,
    render: (open) => createElement("p", null, void (question = open)),
  });
  useEffect(() => {
    kit = { copilotkit, agent };
    changed?.();
  });
  return element;
}

createRoot(document.getElementById("root")).render(
  createElement(CopilotKitProvider, { runtimeUrl }, createElement(Page)),
);
const connected = () => kit?.copilotkit.runtimeConnectionStatus === "connected" && kit;
const { agent, copilotkit } = await until(connected);
agent.threadId = thread;
const waiting = [];
for (const { say, answers } of steps) {
  if (say) {
    agent.addMessage({ id: crypto.randomUUID(), role: "user", content: say });
    await copilotkit.runAgent({ agent });
    continue;
  }
  const { interrupts, resolve, cancel } = await until(() => question);
  waiting.push(interrupts);
  for (const [n, { cancelled, payload }] of answers.entries()) {
    // The last one starts the run.
    await (cancelled ? cancel(interrupts[n].id) : resolve(payload, interrupts[n].id));
  }
}
const { messages, pendingInterrupts } = agent;
const result = JSON.stringify({ waiting, messages, pendingInterrupts, printed });
process.stdout.write(result, () => process.exit(0));
