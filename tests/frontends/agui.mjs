// A run of a route of format "agui", by HttpAgent with its verifier on.
const { module, url, content, tools, answers, stopAtText, state } = JSON.parse(process.argv[2]);
const { HttpAgent } = await import(module);

const agent = new HttpAgent({ url, initialState: state });
agent.addMessage({ id: "1", role: "user", content });
const report = { events: [], text: "" };
const warn = (...words) => (report.warnings ??= []).push(words.join(" "));
Object.assign(console, { warn, error: warn });
const run = (runId) =>
  agent.runAgent(
    { runId, tools: tools ?? [] },
    {
      onEvent({ event }) {
        report.events.push(event);
      },
      onTextMessageContentEvent({ event }) {
        report.text += event.delta;
        if (stopAtText) agent.abortRun();
      },
      onRunErrorEvent({ event }) {
        report.runError = event;
      },
      onRunFailed({ error }) {
        report.failed = error.message;
      },
    },
  );
try {
  await run("run-1");
  // As CopilotKit does: run what has been called and has no result, then go on.
  const called = agent.messages.flatMap((message) => message.toolCalls ?? []);
  const done = new Set(agent.messages.map((message) => message.toolCallId));
  const open = called.filter((call) => !done.has(call.id));
  if (answers && open.length) {
    report.ran = open.map((call) => call.function.name);
    for (const { id, function: { name } } of open) {
      agent.addMessage({ id: `result-${id}`, role: "tool", toolCallId: id, content: answers[name] });
    }
    await run("run-2");
  }
} catch (error) {
  report.thrown = error.message;
}
Object.assign(report, { messages: agent.messages, state: agent.state });
process.stdout.write(JSON.stringify(report), () => process.exit(0));
