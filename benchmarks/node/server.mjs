// The AI SDK's own server: streamText, sent as a stream of UI messages.
//   node server.mjs PORT

import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";
import { convertToModelMessages, streamText } from "ai";

/** Says `t0 t1 t2 ...`; how many and how fast is what it is asked. */
const model = {
  specificationVersion: "v4",
  provider: "benchmark",
  modelId: "counting",
  supportedUrls: {},
  async doStream({ prompt, abortSignal }) {
    const order = JSON.parse(prompt.at(-1).content[0].text);
    return { stream: ReadableStream.from(parts(order, abortSignal)) };
  },
};

async function* parts({ tokens, per_second: perSecond }, signal) {
  yield { type: "stream-start", warnings: [] };
  yield { type: "text-start", id: "1" };
  const begun = performance.now();
  for (let n = 0; n < tokens; n++) {
    if (perSecond) {
      const wait = begun + (n * 1000) / perSecond - performance.now();
      if (wait > 0) await setTimeout(wait, undefined, { signal });
    }
    yield { type: "text-delta", id: "1", delta: `t${n} ` };
  }
  yield { type: "text-end", id: "1" };
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: tokens } };
  yield { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage };
}

const server = createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  const messages = await convertToModelMessages(JSON.parse(body).messages);
  await streamText({ model, messages }).pipeUIMessageStreamToResponse(response);
});
// The SDK asks for a connection that is kept; the reader waits for its end.
server.keepAliveTimeout = 1;
server.listen(Number(process.argv[2]), "127.0.0.1");
