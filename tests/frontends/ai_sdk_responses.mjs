// Questions to POST /responses of a route of format "openai", by @ai-sdk/openai without storing.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";

const { how, baseURL, model, turns, schema, image, abortAfter } = JSON.parse(process.argv[2]);
const provider = createOpenAI({ baseURL, apiKey: "x" });
const report = { turns: [] };
const weather = tool({
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }),
  execute: ({ city }) => `It rains in ${city}.`,
});
const options = {
  model: provider(model),
  maxRetries: 0,
  providerOptions: { openai: { store: false } },
  stopWhen: stepCountIs(3),
  ...(schema ? { output: Output.object({ schema: jsonSchema(schema) }) } : { tools: { weather } }),
  ...(abortAfter ? { abortSignal: AbortSignal.timeout(abortAfter) } : {}),
};
const messages = [];

try {
  for (const text of turns) {
    const content = [{ type: "text", text }];
    if (image) content.push({ type: "file", mediaType: "image/png", data: image });
    messages.push({ role: "user", content });
    let result;
    if (how === "generate") {
      result = await generateText({ ...options, messages });
    } else {
      result = streamText({ ...options, messages, onError: ({ error }) => (report.failed = String(error)) });
      await result.consumeStream();
    }
    messages.push(...(await result.response).messages);
    report.turns.push({
      text: await result.text,
      output: schema ? await result.output : undefined,
      reasoning: await result.reasoningText,
      steps: (await result.steps).length,
      results: (await result.steps).flatMap((step) => step.toolResults.map((each) => each.output)),
      finish: await result.finishReason,
    });
  }
} catch (error) {
  report.thrown = { name: error.name, message: error.message, status: error.statusCode };
}
console.log(JSON.stringify(report));
process.exit(0);
