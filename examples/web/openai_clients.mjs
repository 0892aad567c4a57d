// URL=http://localhost:8000/v1 node openai_clients.mjs
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";
import OpenAI from "openai";

const baseURL = process.env.URL ?? "http://localhost:8000/v1";

// --8<-- [start:openai]
const token = async () => "secret-of-ann"; // from your login; called for each request
const openai = new OpenAI({ baseURL, apiKey: token });

const stream = await openai.chat.completions.create({
  model: "script",
  messages: [{ role: "user", content: "What is a stream?" }],
  stream: true,
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? "");
  // stream.controller.abort() cancels the run.
}
// --8<-- [end:openai]
console.log();

// --8<-- [start:errors]
try {
  await openai.chat.completions.create({ model: "gpt-5", messages: [] });
} catch (error) {
  console.log(error.status, error.code, error.message); // 404 model_not_found ...
}
// --8<-- [end:errors]

// --8<-- [start:ai]
const provider = createOpenAICompatible({
  name: "ours",
  baseURL,
  fetch: async (url, init) =>
    fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${await token()}` } }),
});
const { textStream } = streamText({ model: provider("agent"), prompt: "What is the weather?" });
for await (const text of textStream) process.stdout.write(text);
// --8<-- [end:ai]
console.log();
