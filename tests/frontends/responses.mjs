// A question to POST /responses of a route of format "openai", by npm openai or by @ai-sdk/openai.
const { client, baseURL, model, input, tools, stopAtText, stored, approve, previous } = JSON.parse(process.argv[2]);
const report = { text: "", types: [] };

async function withOpenAI() {
  const { default: OpenAI } = await import("openai");
  const openai = new OpenAI({ baseURL, apiKey: "x", maxRetries: 0 });
  const runner = openai.responses.stream({ model, input, tools });
  for await (const event of runner) {
    report.types.push(event.type);
    if (event.type === "response.output_text.delta") report.text += event.delta;
  }
  const response = await runner.finalResponse();
  report.output = response.output.map((item) => item.type);
  report.status = response.status;
  if (previous) {
    const next = { model, input: "And then?", previous_response_id: response.id };
    report.next = (await openai.responses.create(next)).output_text;
  }
  if (!stored) return;
  report.retrieved = (await openai.responses.retrieve(response.id)).output_text;
  report.after = [];
  const options = { stream: true, starting_after: 1 };
  for await (const event of await openai.responses.retrieve(response.id, options)) {
    report.after.push(event.sequence_number);
  }
  const started = await openai.responses.create({ model: "slow", input, background: true });
  report.background = started.status;
  report.cancelled = (await openai.responses.cancel(started.id)).status;
  await openai.responses.delete(started.id);
  report.deleted = await openai.responses.retrieve(started.id).catch((error) => error.status);
}

async function withAISDK() {
  const { createOpenAI } = await import("@ai-sdk/openai");
  const { jsonSchema, streamText, tool } = await import("ai");
  const provider = createOpenAI({ baseURL, apiKey: "x" });
  const controller = new AbortController();
  const own = Object.fromEntries(
    (tools ?? []).map(({ name, parameters }) => [
      name,
      tool({ inputSchema: jsonSchema(parameters), execute: () => "It rains." }),
    ]),
  );
  const messages = [{ role: "user", content: input }];
  const turn = async () => {
    const result = streamText({
      model: provider(model),
      messages,
      tools: own,
      maxRetries: 0,
      ...(stored ? {} : { providerOptions: { openai: { store: false } } }),
      abortSignal: controller.signal,
      onError: ({ error }) => (report.error = String(error)),
      stopWhen: ({ steps }) => steps.length >= 2,
    });
    for await (const part of result.fullStream) {
      report.types.push(part.type);
      if (part.type === "text-delta") report.text += part.text;
      if (part.type === "tool-approval-request") report.approval = part;
      if (part.type === "tool-result") report.result = { name: part.toolName, output: part.output };
      if (stopAtText && report.text) controller.abort();
    }
    if (stopAtText) return;
    messages.push(...(await result.response).messages);
    report.usage = await result.usage;
  };
  await turn();
  if (stopAtText) return;
  if (approve !== undefined) {
    // As `useChat` sends it for a tool that the server executes.
    const answer = { type: "tool-approval-response", providerExecuted: true, approved: approve };
    const approvalId = report.approval?.approvalId;
    messages.push({ role: "tool", content: [{ ...answer, approvalId }] });
    await turn();
  }
  messages.push({ role: "user", content: "And then?" });
  report.first = report.text;
  report.text = "";
  await turn();
}

try {
  await { openai: withOpenAI, aisdk: withAISDK }[client]();
} catch (error) {
  report.error = error.message;
  report.code = error.code;
}
console.log(JSON.stringify(report));
