// A chat with a route of format "vercel" or "text", by the AI SDK's own transport and reader.
// Prints what its user would have in the end.
const { module, api, messages, transport, stopAtText } = JSON.parse(process.argv[2]);
const ai = await import(module);

const controller = new AbortController();
const told = { errors: [] };
try {
  const stream = await new ai[transport]({ api }).sendMessages({
    chatId: "chat",
    messages,
    trigger: "submit-message",
    abortSignal: controller.signal,
  });
  const parts = [];
  const seen = stream.pipeThrough(
    new TransformStream({
      transform(part, out) {
        parts.push(part.type);
        out.enqueue(part);
      },
    }),
  );
  const onError = (error) => told.errors.push(String(error.message ?? error));
  for await (const message of ai.readUIMessageStream({ stream: seen, onError })) {
    told.message = message;
    if (stopAtText && message.parts.some((part) => part.type === "text")) controller.abort();
  }
  told.parts = parts;
} catch (error) {
  told.thrown = { name: error.name, message: error.message, status: error.statusCode };
}
console.log(JSON.stringify(told));
process.exit(0);
