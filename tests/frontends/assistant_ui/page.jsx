// A page of assistant-ui, whose LangGraph runtime talks to the route at lg/. Threads are in its list.
import {
  ActionBarPrimitive,
  AssistantRuntimeProvider,
  ComposerPrimitive,
  MessagePrimitive,
  ThreadListItemPrimitive,
  ThreadListPrimitive,
  ThreadPrimitive,
} from "@assistant-ui/react";
import {
  unstable_createLangGraphStream,
  useLangGraphInterruptState,
  useLangGraphRuntime,
  useLangGraphSendCommand,
} from "@assistant-ui/react-langgraph";
import { Client } from "@langchain/langgraph-sdk";
import { createRoot } from "react-dom/client";

const client = new Client({ apiUrl: new URL("lg", location.href).href });
const threads = {
  async list() {
    const found = await client.threads.search({ limit: 50 });
    return {
      threads: found.map(({ thread_id, values }) => ({
        status: "regular",
        remoteId: thread_id,
        externalId: thread_id,
        title: values?.messages?.[0]?.content,
      })),
    };
  },
  async initialize() {
    const { thread_id } = await client.threads.create();
    return { remoteId: thread_id, externalId: thread_id };
  },
  async fetch(remoteId) {
    const { thread_id } = await client.threads.get(remoteId);
    return { status: "regular", remoteId: thread_id, externalId: thread_id };
  },
  delete: (remoteId) => client.threads.delete(remoteId),
  generateTitle: async () => new ReadableStream({ start: (made) => made.close() }),
};
const options = {
  stream: unstable_createLangGraphStream({ client, assistantId: "bank" }),
  eventHandlers: { onCustomEvent: () => null },
  async load(id) {
    const { values, tasks } = await client.threads.getState(id);
    return { messages: values.messages, interrupts: tasks[0]?.interrupts };
  },
  async getCheckpointId(id, parents) {
    const ids = (messages) => messages.map((message) => message.id).join();
    const history = await client.threads.getHistory(id, { limit: 100 });
    const parent = history.find(({ values }) => ids(values.messages ?? []) === ids(parents));
    return parent?.checkpoint.checkpoint_id ?? null;
  },
};

function Call({ toolName, args, result }) {
  return <i>[{toolName} {args.amount}: {result ?? "open"}]</i>;
}

function Message() {
  return (
    <MessagePrimitive.Root className="message">
      <MessagePrimitive.Parts components={{ tools: { Fallback: Call } }} />
      <ActionBarPrimitive.Edit aria-label="Edit" />
      <ActionBarPrimitive.Reload aria-label="Again" />
    </MessagePrimitive.Root>
  );
}

function Edited() {
  return (
    <ComposerPrimitive.Root>
      <ComposerPrimitive.Input id="edited" />
      <ComposerPrimitive.Send id="resend">Send</ComposerPrimitive.Send>
    </ComposerPrimitive.Root>
  );
}

function Question() {
  const { value } = useLangGraphInterruptState() ?? {};
  const send = useLangGraphSendCommand();
  const answer = (type) => send({ resume: { decisions: value.action_requests.map(() => ({ type })) } });
  return value && (
    <p>
      May I {value.action_requests.map((each) => each.name).join()}?
      <button id="yes" onClick={() => answer("approve")}>Yes</button>
      <button id="no" onClick={() => answer("reject")}>No</button>
    </p>
  );
}

function Item() {
  return (
    <ThreadListItemPrimitive.Root>
      <ThreadListItemPrimitive.Trigger><ThreadListItemPrimitive.Title /></ThreadListItemPrimitive.Trigger>
      <ThreadListItemPrimitive.Delete>Delete</ThreadListItemPrimitive.Delete>
    </ThreadListItemPrimitive.Root>
  );
}

function Page() {
  const runtime = useLangGraphRuntime({
    ...options,
    unstable_threadListAdapter: threads,
    unstable_allowCancellation: true,
  });
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <div id="threads"><ThreadListPrimitive.Items components={{ ThreadListItem: Item }} /></div>
      <div id="thread">
        <ThreadPrimitive.Messages components={{ Message, EditComposer: Edited }} />
        <Question />
      </div>
      <ComposerPrimitive.Root>
        <ComposerPrimitive.Input id="input" />
        <ThreadPrimitive.If running={false}><ComposerPrimitive.Send id="send">Send</ComposerPrimitive.Send></ThreadPrimitive.If>
        <ThreadPrimitive.If running><ComposerPrimitive.Cancel id="cancel">Stop</ComposerPrimitive.Cancel></ThreadPrimitive.If>
      </ComposerPrimitive.Root>
    </AssistantRuntimeProvider>
  );
}

createRoot(document.getElementById("root")).render(<Page />);
