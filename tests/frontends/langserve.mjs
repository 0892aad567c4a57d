// The RemoteRunnable of @langchain/core 0.3, against a route of format "langserve".
const { url, input, stopAtChunk } = JSON.parse(process.argv[2]);
const { RemoteRunnable } = await import("@langchain/core-0/runnables/remote");
const remote = new RemoteRunnable({ url });
const report = {};

async function attempt(name, call) {
  try {
    report[name] = await call();
  } catch (error) {
    report[name] = `${error.name}: ${error.message}`;
  }
}

async function streamed() {
  const chunks = [];
  for await (const chunk of await remote.stream(input)) {
    chunks.push(chunk);
    if (stopAtChunk) break;
  }
  return chunks;
}

await attempt("stream", streamed);
if (!stopAtChunk) {
  await attempt("invoke", () => remote.invoke(input));
  await attempt("batch", () => remote.batch([input, input]));
  await attempt("events", async () => {
    const names = [];
    for await (const event of remote.streamEvents(input, { version: "v2" })) names.push(event.event);
    return names;
  });
}
process.stdout.write(JSON.stringify(report), () => process.exit(0));
