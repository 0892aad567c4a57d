// URL=http://localhost:8000/api node langgraph_client.mjs
import { Client } from "@langchain/langgraph-sdk";

const apiUrl = process.env.URL ?? "http://localhost:8000/api";

// --8<-- [start:sdk]
const client = new Client({
  apiUrl,
  apiKey: null,
  defaultHeaders: { authorization: "Bearer secret-of-ann" },
});
const { thread_id } = await client.threads.create();
const input = { messages: [{ type: "human", content: "Hello" }] };
for await (const { event, data } of client.runs.stream(thread_id, "chat", {
  input,
  streamMode: "messages-tuple",
})) {
  if (event === "messages") process.stdout.write(data[0].content);
}
// --8<-- [end:sdk]
console.log();

// --8<-- [start:errors]
try {
  await client.runs.wait(thread_id, "no such graph", { input });
} catch (error) {
  console.log(error.status, error.message); // 404, and the names of the graphs
}
// --8<-- [end:errors]
