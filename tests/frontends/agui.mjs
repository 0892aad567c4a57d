// A run of a route of format "agui", by HttpAgent with its verifier on.
const { module, url, content, tools, stopAtText, state } = JSON.parse(process.argv[2]);
const { HttpAgent } = await import(module);

const agent = new HttpAgent({ url, initialState: state });
agent.addMessage({ id: "1", role: "user", content });
const told = { events: [], text: "" };
const warn = (...said) => (told.warnings ??= []).push(said.join(" "));
Object.assign(console, { warn, error: warn });
try {
  await agent.runAgent(
    { runId: "run-1", tools: tools ?? [] },
    {
      onEvent({ event }) {
        told.events.push(event);
      },
      onTextMessageContentEvent({ event }) {
        told.text += event.delta;
        if (stopAtText) agent.abortRun();
      },
      onRunErrorEvent({ event }) {
        told.runError = event;
      },
      onRunFailed({ error }) {
        told.failed = error.message;
      },
    },
  );
} catch (error) {
  told.thrown = error.message;
}
Object.assign(told, { messages: agent.messages, state: agent.state });
process.stdout.write(JSON.stringify(told), () => process.exit(0));
