// A run of OpenAI's Agents SDK, against POST /responses of a route of format "openai".
import { Agent, hostedMcpTool, OpenAIResponsesModel, Runner, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

const { base, model, turns, tools, how } = JSON.parse(process.argv[2]);
const report = { turns: [], ran: [] };

setTracingDisabled(true);
const served = new OpenAIResponsesModel(
  new OpenAI({ baseURL: base, apiKey: "x", maxRetries: 0 }),
  model,
);
const own = {
  add: tool({
    name: "add",
    description: "Add two numbers.",
    parameters: z.object({ a: z.number(), b: z.number() }),
    execute: ({ a, b }) => (report.ran.push("add"), String(a + b)),
  }),
  weather: tool({
    name: "weather",
    description: "The weather.",
    parameters: z.object({ city: z.string() }),
    execute: () => (report.ran.push("weather"), "It is dry."),
  }),
  server: hostedMcpTool({
    serverLabel: "asgi_stream",
    serverUrl: "http://localhost",
    requireApproval: "always",
  }),
};
const agent = new Agent({
  name: "first",
  instructions: "Be brief.",
  model: served,
  tools: tools.map((name) => own[name]),
  ...(how === "parse"
    ? { outputType: z.object({ city: z.string() }) }
    : { handoffs: how === "approve" ? [] : [new Agent({ name: "second", model: served })] }),
});

let items = [];
try {
  for (const content of turns) {
    if (how === "approve") {
      const run = await new Runner().run(agent, content);
      const questions = run.interruptions.length;
      for (const each of run.interruptions) run.state.approve(each);
      report.turns.push({ questions, output: (await new Runner().run(agent, run.state)).finalOutput });
      continue;
    }
    items = [...items, { role: "user", content }];
    const controller = new AbortController();
    const run = await new Runner().run(agent, items, { stream: true, signal: controller.signal });
    let text = "";
    for await (const event of run) {
      if (event.type !== "raw_model_stream_event" || event.data.type !== "output_text_delta") continue;
      text += event.data.delta;
      if (how === "leave") controller.abort();
    }
    await run.completed;
    report.turns.push({
      text,
      output: run.finalOutput,
      items: run.newItems.map((item) => item.rawItem.type ?? "message"),
      agent: run.lastAgent.name,
      tokens: run.state.usage.totalTokens,
    });
    items = run.history;
  }
} catch (error) {
  report.turns.push({ error: error.message, status: error.status, code: error.code });
}
console.log(JSON.stringify(report));
process.exit(0);
