// Reads every run of the corpus as a front end does; prints what its reader or verifier objects to.
const { modules, urls } = JSON.parse(process.argv[2]);
const report = [];
const quiet = () => {};

async function readByAISDK(ai, api) {
  const seen = { parts: [], errors: [] };
  const messages = [{ id: "1", role: "user", parts: [{ type: "text", text: "Hi" }] }];
  const request = { chatId: "chat", messages, trigger: "submit-message" };
  const stream = await new ai.DefaultChatTransport({ api }).sendMessages(request);
  const onError = (error) => seen.errors.push(error.message);
  for await (const message of ai.readUIMessageStream({ stream, onError })) {
    seen.parts = message.parts.map((part) => part.type);
  }
  return seen;
}

async function readByAGUI(agui, url) {
  const seen = { events: [], errors: [] };
  const agent = new agui.HttpAgent({ url });
  agent.addMessage({ id: "1", role: "user", content: "Hi" });
  await agent.runAgent(
    { tools: [] },
    {
      onEvent: ({ event }) => void seen.events.push(event.type),
      onRunErrorEvent: ({ event }) => void seen.errors.push(event.message),
    },
  );
  return seen;
}

const { log } = console;
Object.assign(console, { log: quiet, warn: (...words) => report.push({ warned: words.join(" ") }), error: quiet });
for (const module of modules) {
  const client = await import(module);
  const read = client.HttpAgent ? readByAGUI : readByAISDK;
  for (const url of urls) {
    try {
      report.push({ module, url, ...(await read(client, url)) });
    } catch (error) {
      report.push({ module, url, thrown: error.message });
    }
  }
}
process.stdout.write(JSON.stringify(report), () => process.exit(0));
