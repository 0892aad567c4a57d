"""Each example starts as its first line says and does what it shows."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from .asgi import frames, tokens
from .frontends.node import COPILOTKIT, install
from .servers import HERE, Server, free_port, serving, stop

EXAMPLES = HERE.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("[0-9]*.py"))
ASK = {"question": "Hi?"}


@contextmanager
def example(name: str, folder: Path) -> Iterator[Server]:
    """The example, started by its own first line, on a free port."""
    first = (EXAMPLES / f"{name}.py").read_text().splitlines()[0]
    program, app = shlex.split(first.removeprefix("# "))
    assert (program, app) == ("uvicorn", f"examples.{name}:app")
    with serving(app, folder, program) as server:
        yield server


def driven(driver: str, url: str, folder: Path, playwright: Path) -> Any:
    """What a script that drives a browser reports."""
    flags = json.dumps(["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
    script = folder / "drive.mjs"
    script.write_text(driver.format(playwright=playwright, flags=flags, url=url))
    done = subprocess.run(["node", script], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def answer_text(answer: httpx.Response) -> str:
    return "".join(tokens(answer.content))


def test_01_route_table(tmp_path: Path) -> None:
    with example("01_route_table", tmp_path) as server:
        history = [["human", "hello"], ["ai", "hi"]]
        answer = httpx.post(f"{server.url}/chat", json={**ASK, "chat_history": history}, timeout=30)
        assert answer_text(answer).startswith("You asked: Hi? I am a small script")
        assert len(tokens(answer.content)) > 20
        *chunks, _ = frames(httpx.post(f"{server.url}/shopping", json=ASK).content)
        assert chunks[-1] == {"buy": ["bread", "butter"]}
        assert len(chunks) > 2
        assert answer_text(httpx.post(f"{server.url}/shout", json="hey")) == "HEY"


def test_02_fastapi(tmp_path: Path) -> None:
    with example("02_fastapi", tmp_path) as server:
        assert "Hi?" in answer_text(httpx.post(f"{server.url}/ai/chat", json=ASK, timeout=30))
        assert httpx.get(f"{server.url}/hello").json() == "a route of FastAPI's own"


def test_03_middleware(tmp_path: Path) -> None:
    with example("03_middleware", tmp_path) as server:
        assert "Hi?" in answer_text(httpx.post(f"{server.url}/ai/chat", json=ASK, timeout=30))
        assert httpx.get(f"{server.url}/ai/chat").text == "the app behind"


def test_04_events(tmp_path: Path) -> None:
    with example("04_events", tmp_path) as server:
        *events, _ = frames(httpx.post(f"{server.url}/events", json=ASK, timeout=30).content)
        model = {"on_chat_model_start", "on_chat_model_stream", "on_chat_model_end"}
        assert {event["event"] for event in events} == model
        narrowed = httpx.post(f"{server.url}/events?include=*_stream", json=ASK, timeout=30)
        *events, _ = frames(narrowed.content)
        assert {event["event"] for event in events} == {"on_chat_model_stream"}


def test_05_agent(tmp_path: Path) -> None:
    ask = {"messages": [["human", "What is the weather in Paris?"]]}
    with example("05_agent", tmp_path) as server:
        answer = httpx.post(f"{server.url}/answer", json=ask, timeout=30)
        assert answer_text(answer) == "I have looked: It rains in Paris. Take an umbrella."
        *steps, _ = frames(httpx.post(f"{server.url}/steps", json=ask, timeout=30).content)
        assert [next(iter(step["data"])) for step in steps] == ["model", "tools", "model"]
        *events, _ = frames(httpx.post(f"{server.url}/events", json=ask, timeout=30).content)
        assert {"on_tool_start", "on_tool_end"} <= {event["event"] for event in events}


def test_06_per_request(tmp_path: Path) -> None:
    with example("06_per_request", tmp_path) as server:
        refused = httpx.post(f"{server.url}/chat", json=ASK)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unknown_user")
        answer = httpx.post(
            f"{server.url}/chat?thread_id=7", json=ASK, headers={"x-user": "ada"}, timeout=30
        )
        assert "Hi?" in answer_text(answer)
        assert f"run {answer.headers['x-run-id']} for ada in thread 7" in server.log()


DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{
  executablePath: "/usr/bin/chromium", args: {flags},
}});
const page = await browser.newPage();
await page.goto("{url}");
const text = (id) => page.textContent("#" + id);
const report = {{}};
await page.click("text=Ask >> nth=1");
await page.waitForFunction(() => answer.textContent.length > 40);
report.early = await text("answer");
await page.waitForFunction(() => state.textContent === "done", null, {{ timeout: 20000 }});
report.whole = await text("answer");
await page.click("text=Ask >> nth=1");
await page.waitForFunction(() => answer.textContent.length > 40);
await page.click("#stop");
await page.waitForFunction(() => state.textContent === "stopped");
report.stopped = await text("answer");
console.log(JSON.stringify(report));
await browser.close();
"""


def test_07_page_shows_the_tokens_as_they_come_and_stops(tmp_path: Path, playwright: Path) -> None:
    with example("07_page", tmp_path) as server:
        report = driven(DRIVER, server.url, tmp_path, playwright)
        whole = "You asked: What is a stream? I am a small script"
        assert report["whole"].startswith(whole)
        assert len(report["early"]) < len(report["whole"])
        assert report["whole"].startswith(report["early"])
        assert len(report["stopped"]) < len(report["whole"])


def test_08_real_model_reaches_a_server_that_speaks_openai_s_protocol(tmp_path: Path) -> None:
    """Here a stub in the model's place; scripts/real-model starts a real one."""
    with serving("tests.openai_stub:app", tmp_path) as model:
        env = {"OPENAI_BASE_URL": f"{model.url}/v1"}
        with serving("examples.08_real_model:app", tmp_path, env=env) as server:
            answer = httpx.post(f"{server.url}/chat", json=ASK, timeout=30)
            assert tokens(answer.content) == ["Hel", "lo"]


CHAT_DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{
  executablePath: "/usr/bin/chromium", args: {flags},
}});
const page = await browser.newPage();
await page.goto("{url}");
const report = {{}};
const state = (wanted) => page.waitForFunction(
  (wanted) => document.getElementById("state").textContent === wanted, wanted, {{ timeout: 20000 }},
).catch(async () => {{ throw new Error("the page is at: " + await page.textContent("#state")); }});
const paragraphs = () => page.$$eval(
  "#answer p", (items) => items.map((p) => [p.className, p.textContent]),
);
const saying = (n) => page.waitForFunction(
  (n) => document.querySelectorAll(".assistant").length >= n, n, {{ timeout: 20000 }},
);
await state("ready");
await page.click("text=Ask");
await saying(1);
report.early = (await paragraphs()).at(-1)[1];
await state("ready");
report.whole = await paragraphs();
await page.click("text=Ask");
await saying(2);
await page.click("#stop");
await state("ready");
report.stopped = (await paragraphs()).at(-1)[1];
console.log(JSON.stringify(report));
await browser.close();
"""


def chatted(name: str, folder: Path, playwright: Path) -> Any:
    """What a person sees who asks, reads, asks again and stops."""
    with example(name, folder) as server:
        report = driven(CHAT_DRIVER, server.url, folder, playwright)
        answer = "I have looked: It rains in Paris. Take an umbrella, and a hat, and a book."
        assert report["whole"][-1] == ["assistant", answer]
        assert answer.startswith(report["early"])
        assert len(report["early"]) < len(answer)
        assert len(report["stopped"]) < len(answer)
        return report["whole"]


def test_09_vercel(tmp_path: Path, playwright: Path) -> None:
    seen = chatted("09_vercel", tmp_path, playwright)
    assert ["tool", 'weather({"city":"Paris"}) → It rains in Paris.'] in seen


def test_10_openai(tmp_path: Path) -> None:
    with example("10_openai", tmp_path) as server:
        models = httpx.get(f"{server.url}/v1/models").json()["data"]
        assert [model["id"] for model in models] == ["script", "brief"]
        script = EXAMPLES / "ask_openai.py"
        env = {**os.environ, "URL": f"{server.url}/v1"}
        done = subprocess.run([sys.executable, script], capture_output=True, timeout=30, env=env)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.decode().startswith("You asked: What is a stream?")
        assert len([line for line in script.read_text().splitlines()[1:] if line]) <= 10


def test_11_agui(tmp_path: Path, playwright: Path) -> None:
    assert ["tool", "It rains in Paris."] in chatted("11_agui", tmp_path, playwright)


def test_12_langgraph(tmp_path: Path, playwright: Path) -> None:
    assert ["tool", "It rains in Paris."] in chatted("12_langgraph", tmp_path, playwright)


def test_13_langserve(tmp_path: Path) -> None:
    with example("13_langserve", tmp_path) as server:
        answer = httpx.post(f"{server.url}/chat/invoke", json={"input": ASK}, timeout=30)
        assert answer.json()["output"].startswith("You asked: Hi?")


APPROVALS_DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{
  executablePath: "/usr/bin/chromium", args: {flags},
}});
const page = await browser.newPage();
await page.goto("{url}");
const report = {{}};
const shown = () => page.textContent("#answer");
const asks = async (question) => {{
  await page.fill("input", question);
  await page.click("text=Ask");
  await page.waitForSelector(".question", {{ timeout: 40000 }});
}};
await asks("Take me to Paris.");
await page.reload();
await page.waitForSelector(".question");
report.reloaded = await shown();
await page.click("text=Approve");
await page.waitForFunction(
  () => answer.textContent.includes("wish number 1."), null, {{ timeout: 40000 }},
);
report.approved = await shown();
await asks("Take me to Rome.");
await page.click("text=Reject");
await page.waitForFunction(
  () => answer.textContent.includes("wish number 2."), null, {{ timeout: 40000 }},
);
await page.reload();
await page.waitForFunction(() => answer.textContent.includes("wish number 2."));
report.rejected = await shown();
console.log(JSON.stringify(report));
await browser.close();
"""


def test_21_approvals(tmp_path: Path, playwright: Path) -> None:
    with example("21_approvals", tmp_path) as server:
        report = driven(APPROVALS_DRIVER, server.url, tmp_path, playwright)
        assert httpx.get(f"{server.url}/chat/threads").status_code == 401
    assert "Take me to Paris." in report["reloaded"]
    assert "is booked" not in report["reloaded"]
    assert "The train to Paris is booked." in report["approved"]
    assert report["rejected"].count("is booked.") == report["approved"].count("is booked.")
    assert "→ output-denied" in report["rejected"]


THREADS_DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{
  executablePath: "/usr/bin/chromium", args: {flags},
}});
const page = await browser.newPage();
const failed = [];
page.on("pageerror", (error) => failed.push(String(error)));
page.on("dialog", (dialog) => dialog.accept("Take me to Rome."));
await page.goto("{url}");
const report = {{ failed }};
const shown = () => page.textContent("#answer");
const says = (words) => page.waitForFunction(
  (words) => answer.textContent.includes(words), words, {{ timeout: 40000 }},
);
const is = (wanted) => page.waitForFunction(
  (wanted) => state.textContent === wanted, wanted, {{ timeout: 40000 }},
);
const asks = async (question) => {{
  await page.fill("input", question);
  await page.click("text=Ask");
  await is("waiting for you");
}};
await asks("Take me to Paris.");
await page.reload();
await page.click("text=Approve");
await says("wish number 1.");
await page.reload();
await says("wish number 1.");
report.early = await shown();
await is("ready");
report.whole = await shown();
await page.click("text=Edit");
await is("waiting for you");
await page.click("text=Reject");
await says("wish number 1.");
await is("ready");
report.edited = await shown();
await page.click(".user >> text='1'");
await says("is booked");
report.first = await shown();
await page.click("nav >> text=New");
await asks("And then?");
await page.click("text=Approve");
await says("wish number 1.");
await page.click("#stop");
await is("ready");
report.stopped = await shown();
await page.click("nav >> text=Take me to Rome.");
await says("Rome");
report.threads = await page.$$eval("nav button", (all) => all.map((each) => each.textContent));
console.log(JSON.stringify(report));
await browser.close();
"""


def test_22_threads_langgraph(tmp_path: Path, playwright: Path) -> None:
    with example("22_threads_langgraph", tmp_path) as server:
        report = driven(THREADS_DRIVER, server.url, tmp_path, playwright)
        assert httpx.post(f"{server.url}/chat/threads/search", json={}).status_code == 401
    assert report["failed"] == []
    assert len(report["early"]) < len(report["whole"])
    assert report["whole"].startswith(report["early"])
    assert report["whole"].endswith("Look out of the window, too.")
    assert "Take me to Rome." in report["edited"]
    assert "is booked" not in report["edited"]
    assert report["first"] == report["whole"].replace("Edit", "Edit12")
    assert len(report["stopped"]) < len(report["whole"])
    assert report["threads"] == ["And then?", "Take me to Rome.", "New"]


COPILOTKIT_DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{
  executablePath: "/usr/bin/chromium", args: {flags},
}});
const page = await browser.newPage();
const failed = [];
page.on("pageerror", (error) => failed.push(String(error)));
await page.goto("{url}");
const report = {{ failed }};
const says = (words, timeout = 40000) => page.waitForFunction(
  (words) => root.innerText.includes(words), words, {{ timeout }},
);
const asks = async (question) => {{
  for (let sent = false; !sent;) {{  // Enter does nothing until the page knows its agents
    await page.fill("textarea", question);
    await page.keyboard.press("Enter");
    sent = await says(question, 2000).then(() => true, () => false);
  }}
  await page.waitForSelector(".question");
}};
await asks("Take me to Paris.");
await page.reload();
await page.click("text=Approve");
await says("wish number 1.");
await says("Look out of the window, too.");
report.approved = await page.innerText("#root");
await asks("Take me to Rome.");
await page.click("text=Reject");
await says("wish number 2.");
report.rejected = await page.innerText("#root");
console.log(JSON.stringify(report));
await browser.close();
"""


@contextmanager
def copilotkit_page(agent: Server, folder: Path) -> Iterator[str]:
    """The URL of CopilotKit's page, whose server is started as its package says."""
    install(COPILOTKIT)
    port, log = free_port(), folder / "copilotkit.log"
    command = shlex.split(json.loads((COPILOTKIT / "package.json").read_text())["scripts"]["start"])
    env = {"AGENT": f"{agent.url}/chat", "PORT": str(port), "COPILOTKIT_TELEMETRY_DISABLED": "true"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=COPILOTKIT, env={**os.environ, **env}
        )
    try:
        deadline = time.monotonic() + 120
        while "Open http" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def test_23_copilotkit(tmp_path: Path, playwright: Path) -> None:
    with example("23_copilotkit", tmp_path) as server, copilotkit_page(server, tmp_path) as url:
        report = driven(COPILOTKIT_DRIVER, url, tmp_path, playwright)
        assert httpx.get(f"{server.url}/chat/threads").status_code == 401
    assert report["failed"] == []
    assert "The train to Paris is booked. That was wish number 1." in report["approved"]
    assert report["rejected"].count("The train to Paris is booked.") == 1


RESUME_DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{
  executablePath: "/usr/bin/chromium", args: {flags},
}});
const page = await browser.newPage();
await page.goto("{url}");
const report = {{}};
const ended = () => page.waitForFunction(
  () => !["ready", "streaming"].includes(state.textContent), null, {{ timeout: 40000 }},
);
await page.click("text=Ask");
await page.waitForFunction(() => answer.textContent.length > 40);
await page.reload();
report.after = await page.textContent("#answer");
await ended();
report.whole = await page.textContent("#answer");
report.state = await page.textContent("#state");
await page.click("text=Ask");
await page.waitForFunction(
  () => state.textContent === "streaming" && answer.textContent.length > 20,
);
await page.reload();
await page.waitForFunction(() => answer.textContent.length > 20);
await page.click("#stop");
await ended();
report.run = await page.evaluate(() => sessionStorage.getItem("run"));
report.stopped = [await page.textContent("#state"), await page.textContent("#answer")];
console.log(JSON.stringify(report));
await browser.close();
"""


def test_14_resume(tmp_path: Path, playwright: Path) -> None:
    with example("14_resume", tmp_path) as server:
        report = driven(RESUME_DRIVER, server.url, tmp_path, playwright)
        assert len(report["after"]) < len(report["whole"])
        assert report["whole"].startswith("You asked: What is a stream? I am a small script")
        assert report["whole"].endswith("Nobody pays for words that nobody reads.")
        assert report["state"] == "done"
        state, stopped = report["stopped"]
        assert state == "stopped"
        assert 0 < len(stopped) < len(report["whole"])
        run = httpx.get(report["run"], headers={"accept": "application/json"}).json()
        assert run["state"] == "cancelled"


def test_15_table(tmp_path: Path) -> None:
    ask = {"messages": [["human", "What is the weather in Paris?"]]}
    with example("15_table", tmp_path) as server:
        *steps, _ = frames(httpx.post(f"{server.url}/steps", json=ask, timeout=30).content)
        assert [next(iter(step["data"])) for step in steps] == ["model", "tools", "model"]
        answer = httpx.post(f"{server.url}/chat", json={"prompt": "Hi?"}, timeout=30)
        assert b'"type":"tool-output-available"' in answer.content
        answer = httpx.post(f"{server.url}/kept", json=ask, timeout=30)
        assert "content-location" in answer.headers


def test_15_table_as_its_first_line_says() -> None:
    first = (EXAMPLES / "15_table.toml").read_text().splitlines()[0]
    _, *command = shlex.split(first.removeprefix("# ").replace("serve", "check"))
    done = subprocess.run(
        [sys.executable, "-m", "asgi_stream", *command], capture_output=True, cwd=HERE.parent
    )
    assert done.returncode == 0, done.stderr.decode()


def test_16_playground(tmp_path: Path) -> None:
    with example("16_playground", tmp_path) as server:
        assert httpx.get(f"{server.url}/ai/playground").status_code == 200
        paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
        assert {"/ai/chat", "/ai/agent", "/ai/useChat"} <= set(paths)
        assert "Hi?" in answer_text(httpx.post(f"{server.url}/ai/chat", json=ASK, timeout=30))


def test_17_client(tmp_path: Path) -> None:
    with example("17_client", tmp_path) as server:
        assert "Hi? Please." in answer_text(httpx.post(f"{server.url}/chat", json=ASK, timeout=30))
        *events, _ = frames(httpx.post(f"{server.url}/events", json=ASK, timeout=30).content)
        names = {event["name"] for event in events}
        assert {"politely", "inner", "ScriptedModel"} <= names


def test_18_telemetry(tmp_path: Path) -> None:
    with example("18_telemetry", tmp_path) as server:
        answer = httpx.post(f"{server.url}/chat", json=ASK, timeout=30)
        run_id = answer.headers["x-run-id"]
        deadline = time.monotonic() + 20
        while "asgi_stream.run.duration" not in server.log():
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.1)
        assert '"name": "run /chat"' in server.log()
        assert f"run {run_id} of /chat: done after" in server.log()


def test_every_example_is_tested() -> None:
    tests = Path(__file__).read_text()
    assert [name for name in NAMES if f"def test_{name}" not in tests] == []


def test_19_page_tools(tmp_path: Path) -> None:
    with example("19_page_tools", tmp_path) as server:
        messages: list[Any] = [{"id": "1", "role": "user", "content": "Which city?"}]
        body = {"threadId": "t", "runId": "r", "protocolVersion": "1.0", "messages": messages}
        body_with_tools = {
            **body,
            "tools": [{"name": "chosen_city", "description": "What is chosen."}],
        }
        *events, end = frames(
            httpx.post(f"{server.url}/chat", json=body_with_tools, timeout=30).content
        )
        [call] = [event for event in events if event["type"] == "TOOL_CALL_START"]
        assert call["toolCallName"] == "chosen_city"
        assert end["outcome"] == {"type": "success", "pendingToolCallIds": [call["toolCallId"]]}
        assert not [event for event in events if event["type"] == "TOOL_CALL_RESULT"]
        function = {"name": "chosen_city", "arguments": '{"city": "Paris"}'}
        made = {"id": call["toolCallId"], "type": "function", "function": function}
        messages += [
            {"id": call["parentMessageId"], "role": "assistant", "toolCalls": [made]},
            {"id": "3", "role": "tool", "toolCallId": made["id"], "content": "Rome"},
        ]
        events = frames(httpx.post(f"{server.url}/chat", json=body_with_tools, timeout=30).content)
        deltas = [event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT"]
        assert "".join(deltas) == "The page says: Rome"


def test_20_agent_with_memory(tmp_path: Path) -> None:
    text = (EXAMPLES / "20_agent_with_memory.py").read_text().split('"""')[1].replace("\\\\\n", "")
    ask, decide, read, delete = re.findall(r"^    (curl .*)$", text, re.MULTILINE)
    with example("20_agent_with_memory", tmp_path) as server:

        def curl(command: str) -> bytes:
            words = shlex.split(command.replace("localhost:8000", server.url))
            return subprocess.run([*words, "-sS"], capture_output=True, timeout=30).stdout

        for turn in (1, 2):
            *_, end, _ = frames(curl(ask))
            [action] = end["interrupted"][0]["value"]["action_requests"]
            assert action["args"] == {"city": "Paris"}
            answer = "".join(tokens(curl(decide)))
            assert answer == f"The train to Paris is booked. That was wish number {turn}."
        assert json.loads(curl(decide))["error"]["code"] == "not_pending"
        kinds = [each["type"] for each in json.loads(curl(read))["messages"]]
        assert kinds == ["human", "ai", "tool", "ai"] * 2
        assert curl(delete) == b""
        assert json.loads(curl(read))["error"]["code"] == "not_found"


@pytest.mark.alone  # it installs the package again
def test_the_demo_says_what_to_try_and_that_works(tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "demo.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [HERE.parent / "scripts/demo", str(port)],
            stdout=out,
            stderr=out,
            env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(Path.home()),
                 "PYTHON": sys.executable, "VENV": str(Path(sys.prefix).relative_to(HERE.parent))
                 if Path(sys.prefix).is_relative_to(HERE.parent) else ".venv"},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while "Application startup complete" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        command = re.search(r"^  (curl .*)$", log.read_text(), re.MULTILINE)
        assert command is not None
        answer = subprocess.run(shlex.split(command[1]), capture_output=True, timeout=30)
        assert b'"interrupted"' in answer.stdout
        page = re.search(r"http://\S+/playground", log.read_text())
        assert page is not None
        assert httpx.get(page[0]).status_code == 200
    finally:
        stop(process)


def tool_result(url: str, name: str, arguments: dict[str, Any]) -> Any:
    """What a call of a tool of an MCP server brings."""
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": 1}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    *progress, response = frames(httpx.post(url, json=body, timeout=30).content)
    return response["result"], [each["params"]["message"] for each in progress]


def test_24_mcp(tmp_path: Path) -> None:
    with example("24_mcp", tmp_path) as server:
        result, pieces = tool_result(f"{server.url}/mcp", "answer", ASK)
        assert "".join(pieces) == result["content"][0]["text"]
        assert result["structuredContent"]["output"].startswith("You asked: Hi?")
        url, ask = f"{server.url}/travel", {"messages": ["Take me to Paris."]}
        stopped = tool_result(url, "travel", ask)[0]["structuredContent"]
        [question] = stopped["interrupted"]
        assert question["value"]["action_requests"][0]["name"] == "book_train"
        answer = {"decisions": [{"type": "approve"}]}
        again = {"thread_id": stopped["thread_id"], "resume": answer}
        messages = tool_result(url, "travel", again)[0]["structuredContent"]["output"]["messages"]
        assert "The train to Paris is booked." in [each["content"] for each in messages]
