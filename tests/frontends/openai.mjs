// A question to a route of format "openai", by npm openai or by @ai-sdk/openai-compatible.
const { client, baseURL, model, content, stream, stopAtText, schema, maxRetries = 0 } = JSON.parse(process.argv[2]);
const messages = [{ role: "user", content }];
const report = { text: "", chunks: 0 };

async function withOpenAI() {
  const { default: OpenAI } = await import("openai");
  const openai = new OpenAI({ baseURL, apiKey: "x", maxRetries });
  if (schema) {
    const json_schema = { name: "answer", strict: true, schema };
    const response_format = { type: "json_schema", json_schema };
    const request = { model, messages, response_format };
    const parsed = await openai.chat.completions.parse(request);
    const streamed = await openai.chat.completions.stream(request).finalChatCompletion();
    report.parsed = [parsed, streamed].map((each) => each.choices[0].message.parsed);
    return;
  }
  if (!stream) {
    report.completion = await openai.chat.completions.create({ model, messages });
    return;
  }
  const runner = openai.chat.completions.stream({
    model,
    messages,
    stream_options: { include_usage: true },
  });
  for await (const chunk of runner) {
    report.chunks += 1;
    report.text += chunk.choices[0]?.delta.content ?? "";
    if (stopAtText && report.text) runner.controller.abort();
  }
  report.completion = await runner.finalChatCompletion();
}

async function withAISDK() {
  const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
  const { Output, generateText, jsonSchema, streamText } = await import("ai-6");
  const provider = createOpenAICompatible({
    name: "ours",
    baseURL,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  if (schema) {
    const output = Output.object({ schema: jsonSchema(schema) });
    const request = { model: provider(model), messages, maxRetries: 0, output };
    report.parsed = [(await generateText(request)).output, await streamText(request).output];
    return;
  }
  const controller = new AbortController();
  const result = streamText({
    model: provider(model),
    messages,
    maxRetries: 0,
    abortSignal: controller.signal,
    onError: () => {},
  });
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") report.text += part.text;
    if (part.type === "reasoning-delta") report.reasoning = (report.reasoning ?? "") + part.text;
    if (part.type === "finish") Object.assign(report, { reason: part.finishReason, usage: part.totalUsage });
    if (part.type === "error") throw part.error;
    if (stopAtText && report.text) controller.abort();
  }
}

try {
  await (client === "openai" ? withOpenAI() : withAISDK());
} catch (error) {
  report.thrown = { name: error.name, message: error.message, status: error.status ?? error.statusCode };
}
console.log(JSON.stringify(report));
process.exit(0);
