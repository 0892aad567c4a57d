// A question to a route of format "openai", by npm openai or by @ai-sdk/openai-compatible.
const { client, baseURL, model, content, stream, stopAtText, schema } = JSON.parse(process.argv[2]);
const messages = [{ role: "user", content }];
const told = { text: "", chunks: 0 };

async function withOpenAI() {
  const { default: OpenAI } = await import("openai");
  const openai = new OpenAI({ baseURL, apiKey: "x", maxRetries: 0 });
  if (schema) {
    const json_schema = { name: "answer", strict: true, schema };
    const response_format = { type: "json_schema", json_schema };
    const asked = { model, messages, response_format };
    const parsed = await openai.chat.completions.parse(asked);
    const streamed = await openai.chat.completions.stream(asked).finalChatCompletion();
    told.parsed = [parsed, streamed].map((each) => each.choices[0].message.parsed);
    return;
  }
  if (!stream) {
    told.completion = await openai.chat.completions.create({ model, messages });
    return;
  }
  const runner = openai.chat.completions.stream({
    model,
    messages,
    stream_options: { include_usage: true },
  });
  for await (const chunk of runner) {
    told.chunks += 1;
    told.text += chunk.choices[0]?.delta.content ?? "";
    if (stopAtText && told.text) runner.controller.abort();
  }
  told.completion = await runner.finalChatCompletion();
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
    const asked = { model: provider(model), messages, maxRetries: 0, output };
    told.parsed = [(await generateText(asked)).output, await streamText(asked).output];
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
    if (part.type === "text-delta") told.text += part.text;
    if (part.type === "reasoning-delta") told.reasoning = (told.reasoning ?? "") + part.text;
    if (part.type === "finish") Object.assign(told, { reason: part.finishReason, usage: part.totalUsage });
    if (part.type === "error") throw part.error;
    if (stopAtText && told.text) controller.abort();
  }
}

try {
  await (client === "openai" ? withOpenAI() : withAISDK());
} catch (error) {
  told.thrown = { name: error.name, message: error.message, status: error.status ?? error.statusCode };
}
console.log(JSON.stringify(told));
process.exit(0);
