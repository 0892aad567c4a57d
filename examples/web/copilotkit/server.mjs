// Serves the page, and CopilotKit's runtime, which is between the page and the agent.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { HttpAgent } from "@ag-ui/client";
import { CopilotRuntime, InMemoryAgentRunner } from "@copilotkit/runtime/v2";
import { createCopilotNodeListener } from "@copilotkit/runtime/v2/node";
import { build } from "esbuild";

const { AGENT = "http://localhost:8000/chat", PORT = 3000 } = process.env;
const runtime = new CopilotRuntime({
  agents: { default: new HttpAgent({ url: AGENT }) },
  runner: new InMemoryAgentRunner(), // has what the page shows after a reload
});
const answer = createCopilotNodeListener({ runtime, basePath: "/api/copilotkit" });

await build({
  entryPoints: ["page.jsx"],
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  jsx: "automatic",
  loader: { ".ttf": "empty", ".woff": "empty", ".woff2": "empty" }, // fonts of formulas
});
const files = {
  "/": ["page.html", "text/html"],
  "/page.js": ["dist/page.js", "text/javascript"],
  "/page.css": ["dist/page.css", "text/css"],
};
createServer((request, response) => {
  const [file, type] = files[request.url] ?? [];
  if (!file) return answer(request, response);
  response.setHeader("content-type", type);
  createReadStream(file).pipe(response);
}).listen(PORT, () => console.log(`Open http://localhost:${PORT} in a browser.`));
