// A conversation on one thread of a route of format "agui", by HttpAgent with its verifier on.
const { module, url, thread, steps, tools } = JSON.parse(process.argv[2]);
const { HttpAgent } = await import(module);

const runs = [];
let warnings = [];
const warn = (...words) => warnings.push(words.join(" "));
Object.assign(console, { warn, error: warn });
const started = () => new HttpAgent({ url, threadId: thread });
let agent = started();
for (const [n, { say, resume, reload, repeat, keep, edit, result }] of steps.entries()) {
  const events = [];
  warnings = [];
  const entries = resume?.map(({ payload, cancelled }, n) => ({
    interruptId: agent.pendingInterrupts[n].id,
    ...(cancelled ? { status: "cancelled" } : { status: "resolved", payload }),
  }));
  if (reload) agent = started();
  if (keep !== undefined) agent.messages = agent.messages.slice(0, keep);
  if (edit) agent.messages.at(-1).content = edit;
  if (say) agent.addMessage({ id: `user-${n}`, role: "user", content: say });
  if (result) {
    const toolCallId = runs.at(-1).pending?.[0] ?? agent.messages.findLast(({ toolCalls }) => toolCalls).toolCalls[0].id;
    agent.addMessage({ id: `result-${n}`, role: "tool", toolCallId, ...result });
  }
  // As CopilotKit does for an interrupt of a tool call, before it resumes.
  if (repeat) {
    const toolCallId = agent.pendingInterrupts[0].toolCallId;
    agent.addMessage({ id: "local", role: "tool", toolCallId, content: "{}" });
  }
  const run = { events, warnings };
  try {
    const { newMessages } = await agent.runAgent(
      { runId: `run-${n}`, tools: tools ?? [], ...(entries && { resume: entries }) },
      {
        onEvent({ event }) {
          events.push(event.type);
        },
        onRunErrorEvent({ event }) {
          run.error = event;
        },
        onRunFinishedEvent({ pendingToolCallIds }) {
          run.pending = pendingToolCallIds;
        },
      },
    );
    run.called = newMessages.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id }) => id));
  } catch (error) {
    run.thrown = error.message;
  }
  const { messages, state, pendingInterrupts: interrupts } = agent;
  runs.push(structuredClone({ ...run, messages, state, interrupts }));
}
process.stdout.write(JSON.stringify(runs), () => process.exit(0));
