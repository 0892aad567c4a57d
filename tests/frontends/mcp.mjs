// The client of @modelcontextprotocol/sdk, against a route of format "mcp".
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const { url, calls, abort } = JSON.parse(process.argv[2]);
const client = new Client({ name: "tests", version: "1" }, { capabilities: { elicitation: {} } });
const transport = new StreamableHTTPClientTransport(new URL(url));
await client.connect(transport);
const report = { version: transport.protocolVersion, server: client.getServerVersion().name };
await client.ping();
const { tools } = await client.listTools();
report.tools = tools.map(({ name }) => name);
report.calls = [];
for (const call of calls) {
  const progress = [];
  const controller = new AbortController();
  const onprogress = ({ message }) => {
    progress.push(message);
    if (abort) controller.abort("stopped");
  };
  try {
    const result = await client.callTool(call, undefined, { onprogress, signal: controller.signal });
    report.calls.push({ progress, ...result });
  } catch (error) {
    report.calls.push({ progress, code: error.code, message: error.message });
  }
}
// The session goes on after a call that was cancelled.
await client.ping();
await client.close();
process.stdout.write(JSON.stringify(report), () => process.exit(0));
