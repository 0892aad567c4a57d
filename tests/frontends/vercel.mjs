// A chat with a route of format "vercel" or "text", by the AI SDK's own transport and reader.
// Prints what its user would have in the end.
const { module, api, messages, transport, stopAtText } = JSON.parse(process.argv[2]);
const ai = await import(module);

const controller = new AbortController();
const report = { errors: [] };
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
  const onError = (error) => report.errors.push(String(error.message ?? error));
  for await (const message of ai.readUIMessageStream({ stream: seen, onError })) {
    report.message = message;
    if (stopAtText && message.parts.some((part) => part.type === "text")) controller.abort();
  }
  report.parts = parts;
} catch (error) {
  report.thrown = { name: error.name, message: error.message, status: error.statusCode };
}
console.log(JSON.stringify(report));
process.exit(0);
