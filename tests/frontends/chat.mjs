// A chat with a route of format "vercel", by the AI SDK's own Chat: a message, or an answer, after
// the other, or a stream that goes on. Prints the messages that its user has in the end, and what the chat has sent.
const { module, api, id, messages, steps, headers } = JSON.parse(process.argv[2]);
const ai = await import(module);

const sent = [];
const errors = [];
class State {
  status = "ready";
  error = undefined;
  messages = messages ?? [];
  pushMessage = (message) => (this.messages = [...this.messages, message]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (n, message) => (this.messages = this.messages.with(n, message));
  snapshot = (value) => structuredClone(value);
}
class Chat extends ai.AbstractChat {
  constructor(options) {
    super({ ...options, state: new State() });
  }
}
const chat = new Chat({
  id,
  transport: new ai.DefaultChatTransport({
    api,
    headers,
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      const status = response.status;
      sent.push({ url: String(url), body: init.body && JSON.parse(init.body), status });
      return response;
    },
  }),
  sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithApprovalResponses,
  onError: (error) => errors.push(error.message),
});
const open = () =>
  chat.messages.at(-1).parts.filter((part) => part.state === "approval-requested");
const idle = async () => {
  do await new Promise((done) => setTimeout(done, 20));
  while (["submitted", "streaming"].includes(chat.status));
};
const seen = [];
for (const step of steps) {
  const [[what, value]] = Object.entries(step);
  if (what === "send") await chat.sendMessage(value.text ? { text: value.text } : undefined, value.options);
  if (what === "edit") await chat.sendMessage({ text: value.text, messageId: chat.messages[value.message].id });
  if (what === "resume") await chat.resumeStream();
  if (what === "regenerate") await chat.regenerate();
  if (what === "decide") {
    open().forEach((part, n) => {
      const decision = value[n];
      chat.addToolApprovalResponse({ id: part.approval.id, ...decision });
    });
  }
  await idle();
  seen.push(structuredClone(chat.messages.at(-1)));
}
console.log(JSON.stringify({ messages: chat.messages, seen, sent, errors, status: chat.status }));
process.exit(0);
