"""The playground in a real Chromium, with clicks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..guarantees.test_proxies import proxy
from ..servers import HERE, Server, serving
from .app import ASKS

ANSWER = "You asked: {} I am a small script"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("playground")
    with serving("tests.playground.app:root", folder) as server:
        yield server


@pytest.fixture
def drive(playwright: Path, tmp_path: Path) -> Any:
    def driven(scenario: str, url: str) -> Any:
        command: list[Any] = [
            "node",
            HERE / "playground/drive.mjs",
            playwright,
            tmp_path,
            scenario,
            url,
        ]
        done = subprocess.run(command, capture_output=True, timeout=180)
        assert done.returncode == 0, done.stderr.decode()
        report = json.loads(done.stdout)
        assert report["problems"] == []
        assert report["elsewhere"] == []
        return report

    return driven


def test_it_shows_an_answer_its_steps_and_its_frames(server: Server, drive: Any) -> None:
    report = drive("first", f"{server.url}/playground")
    assert report["title"] == "All <img src=x onerror=alert(1)>"
    assert report["answer"].startswith(ANSWER.format("What is a stream?"))
    assert report["steps"] == [["prompt", "ChatPromptTemplate"], ["model", "ScriptedModel"]]
    assert {"time", "first token", "tokens/s", "pieces", "frames"} == set(report["figures"])
    assert json.loads(report["frames"][0])["event"] == "on_chain_start"
    assert "token" in json.loads(report["plain"][0])
    assert report["plain"][-1] == "[DONE]"


def test_it_reads_every_format(server: Server, drive: Any) -> None:
    report = drive("formats", f"{server.url}/playground")
    looked = "I have looked: It rains in Paris. Take an umbrella, and a hat, and a book."
    answers, steps = report["answer"], report["steps"]
    for path in ("/agent", "/vercel", "/agui", "/langgraph"):
        assert answers[path] == looked
    for path in ("/langserve", "/mcp", "/openai", "/get"):
        assert answers[path].startswith(ANSWER.format("Hi?"))
    assert answers["deep"].startswith("Title")
    assert ["tool", "weather (tools)"] in steps["/agent"]
    assert ["tool", "calls weather"] in steps["/agent"]
    assert ["tool", "weather"] in steps["/vercel"]
    assert ["tool", "weather"] in steps["/agui"]
    assert ["tool", "weather (model)"] in steps["/langgraph"]
    assert ["model", "ScriptedModel"] in steps["/langserve"]
    assert ["retrieval", "Finds"] in steps["/steps"]
    assert ["tool", "broken"] in steps["/steps"]
    assert ["event", "progress"] in steps["/steps"]


def test_a_run_that_stops_to_ask_is_shown_as_interrupted(server: Server, drive: Any) -> None:
    report = drive("interrupted", f"{server.url}/playground")
    assert set(report["steps"]) == {f"/asks/{name}" for name in ASKS}
    for path, events in report["steps"].items():
        assert events.count(["event", "interrupt"]) == 1, path


ONE, TWO = ["human", "one"], ["human", "two"]


def turn(number: int, text: str) -> list[str]:
    return ["ai", f"Turn {number}: you said {text}{' word' * 20}"]


def test_turns_of_a_thread_in_every_format_and_a_list_of_threads(
    server: Server, drive: Any
) -> None:
    report = drive("turns", f"{server.url}/playground")
    for path, talk in report["talk"].items():
        assert talk == [ONE, turn(1, "one"), TWO, turn(2, "two")], path
    assert len(report["talk"]) == 5
    assert "This thread is new" in report["empty"]
    assert report["titles"] == [["other", "true"], ["one", "false"]]
    assert report["again"] == report["linked"] == report["talk"]["/talk"]
    assert "This thread is new" in report["deleted"]
    assert report["model"] == [["human", "to b"], turn(1, "to b")]
    for path, code in report["code"].items():
        curl = code["curl"].replace("\\\n", "")
        done = subprocess.run(["bash", "-c", curl], capture_output=True, timeout=60, check=True)
        assert b"Turn" in done.stdout, (path, done)
        _python(code["Python"])
    assert "thread_id=" in report["code"]["/talk"]["Python"]


def test_each_tool_call_of_an_interrupted_run_is_decided(server: Server, drive: Any) -> None:
    report = drive("approvals", f"{server.url}/playground")
    calls = ["done", "done", "failed", "done"]
    for talk in report["talk"].values():
        assert talk[:2] == [
            ["human", "refund a b c d"],
            ["ai", " | ".join(f"refund {each}" for each in calls)],
        ]
        assert talk[-1] == ["ai", "done"]
    assert [json.loads(each) for each in report["asked"]] == [{"order": each} for each in "abcd"]
    assert not report["error"]
    assert (report["overflow"], report["unlabelled"]) == ([0, 0, 0], 0)
    assert report["undecided"] == "input choose what to do with refund"
    assert report["silent"] == "input Result of the tool: text is missing"
    results = report["results"]
    assert results[0] == "refunded 10 for a"
    assert "refunded 10 for bb" in results[1]
    assert "too much" in results[2]
    assert "not needed" in results[3]
    assert report["focus"] == "Message"
    assert report["reloaded"] == [["ai", "refund done"], ["ai", "done"]]


def test_a_question_is_answered_by_a_form_text_or_json(server: Server, drive: Any) -> None:
    report = drive("answers", f"{server.url}/playground")
    assert report["question"] == "How long do you stay?"
    assert report["booked"] == ["ai", "booked Booking(nights=3, breakfast=True)"]
    assert report["yes, of course"] == ["ai", "You said: yes, of course"]
    assert report['{"sure": true}'] == ["ai", "You said: {'sure': True}"]
    assert report["instead"][-2:] == [["human", "Again!"], ["human", "Never mind"]]


def test_answers_are_regenerated_and_messages_edited_on_branches(
    server: Server, drive: Any
) -> None:
    report = drive("branches", f"{server.url}/playground")
    whole = [ONE, ["ai", "re: one"], TWO, ["ai", "re: two"]]
    assert report["regenerated"] == [whole, ["2/2"]]
    assert report["edited"] == [[["human", "uno"], ["ai", "re: uno"]], ["2/2"]]
    assert report["before"] == [whole, ["1/2", "2/2"]]
    more = [*whole, ["human", "three"], ["ai", "re: three"]]
    assert report["goneOn"] == [more, ["1/2", "2/2"]]
    assert report["other"] == [whole, ["1/2", "1/2"]]
    assert report["kept"] == whole
    assert "nothing: it is at its end" in report["next"]
    assert report["values"] == ["messages 4 items"]
    assert report["earlier"] == [ONE]
    assert report["again"] == whole[:2]


def test_enter_sends_a_stop_is_no_error_and_the_input_keeps_the_focus(
    server: Server, drive: Any
) -> None:
    report = drive("typing", f"{server.url}/playground")
    message = report["placeholder"]
    assert message == "Message. Enter sends, Shift+Enter begins a new line"
    assert report["nothing"] == "input messages: type a message"
    assert report["cleared"] == ""
    assert report["kept"] == report["clicked"] == message
    assert report["stopped"] == [False, "next", message, True]
    assert "stopped before model" in report["open"]
    assert report["after"][0] == ["human", "two\nlines"]
    assert report["after"][-1] == turn(2, "next")
    assert report["copied"] == turn(2, "next")[1]
    for path in ("/chat", "/more", "/vercel", "/talk/agui"):
        assert report[path] == [False, True], path
    assert report["json"] == ["a\n", "ready"]


def test_a_conversation_with_any_graph(server: Server, drive: Any) -> None:
    report = drive("graphs", f"{server.url}/playground")
    assert report["failed"] == ["run_failed", "The last run failed at notes.Try again"]
    assert report["state"] == {"topic": "tea", "note": "tea, noted"}
    assert report["typed"] == "tea"
    assert report["unnamed"] == "name is missing: it is part of the path"
    assert report["made"] == [["human", "Hi"], turn(1, "Hi")]
    assert report["streaming"] == ["streaming /made/{name}", True, True]
    assert report["untouched"] == []
    assert report["then"] == [["human", "Hello"], turn(1, "Hello")]
    assert report["plain"] == [False, True, "Run"]


def test_a_run_on_a_thread_is_left_and_found_again(server: Server, drive: Any) -> None:
    report = drive("rejoining", f"{server.url}/playground")
    assert report["left"] == [True, False, True]
    assert report["talk"] == report["found"] == [ONE, turn(1, "one"), TWO, turn(2, "two")]


def test_threads_are_listed_for_their_owner(server: Server, drive: Any) -> None:
    report = drive("owners", f"{server.url}/playground")
    assert report["bob"] == []
    assert report["eve"] == [["mine", "false"]]
    assert report["refused"] == ["unknown_user", "Hi", []]


def test_markdown_is_shown_and_html_stays_text(server: Server, drive: Any) -> None:
    report = drive("markdown", f"{server.url}/playground")
    html = report["html"]
    for piece in ("<h1>Title</h1>", "<li>one</li>", "<strong>bold</strong>", "<code>code</code>"):
        assert piece in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert 'href="javascript' not in html
    assert 'href="https://example.com" target="_blank" rel="noopener noreferrer"' in html
    assert '<a href="https://example.com/x.png"' in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in report["question"]
    assert report["hint"] == "Where to <img src=x onerror=alert(1)>"
    assert report["images"] == 0
    assert '<td class="at-right">2</td>' in html


def test_a_form_is_made_of_the_schema(server: Server, drive: Any) -> None:
    report = drive("form", f"{server.url}/playground")
    assert report["json"] == {
        "to": "Paris",
        "days": 5,
        "budget": 9.5,
        "luxury": True,
        "season": "spring",
        "stops": [{"town": "Lyon", "nights": 1}],
        "words": ["a"],
    }
    assert report["planned"] == {"plan": {**report["json"], "days": 7, "extra": {"a": [1]}}}
    assert "extra: invalid JSON" in report["wrong"]
    assert "question: Field required" in report["refused"]
    assert json.loads(report["any"]) == {"plan": "plain words"}
    assert "run_failed" in report["error"]
    assert "secret" not in report["error"]


def test_a_form_loses_nothing_and_shows_what_clients_get(server: Server, drive: Any) -> None:
    report = drive("asking", f"{server.url}/playground")
    assert report["without"] == {
        "plan": {"question": "Where?", "age": None, "home": None, "pet": None, "around": None}
    }
    assert report["soFar"] == {"question": "Where?", "age": None, "home": {"street": ""}}
    assert report["stays"] == ""
    deep = {"question": "deep", "age": None, "home": None, "pet": None, "around": None}
    assert report["whole"]["plan"] == {
        "question": "W",
        "age": 3,
        "home": {"street": "Main", "number": 1},
        "pet": {"kind": "dog", "name": "Rex"},
        "around": deep,
    }
    assert {"home optional", "Age optional", "Street", "Name"} <= {*report["labels"]}
    assert report["less"]["plan"]["home"] is None
    assert set(report["unsent"].values()) == {"input messages: expected a list of {role, content}"}
    assert report["kept"][1]["role"] == "tool"
    assert report["answer"]["/final"] == "FINAL."
    assert report["answer"]["/thought"] == "SAID."
    assert json.loads(report["answer"]["/parsed"]) == {"a": [1, 2]}
    assert (report["resumable"], report["other"]) == (True, False)
    assert report["path"] == "input name is missing: it is part of the path"


def test_files_go_where_the_format_takes_them(server: Server, drive: Any) -> None:
    report = drive("files", f"{server.url}/playground")
    assert report["listed"].startswith("dot.png")
    assert report["seen"] == "['text', 'image']"
    first, second = report["json"]
    assert [block["type"] for block in first["content"]] == ["text", "image"]
    assert second == {"role": "assistant", "content": "A dot."}
    assert report["less"] == [{"role": "user", "content": "What is this?"}]


def test_a_run_is_stopped_left_resumed_and_found_again(server: Server, drive: Any) -> None:
    report = drive("stopping", f"{server.url}/playground")
    whole = ANSWER.format("y")
    assert ANSWER.format("x").startswith(report["stopped"][:20])
    assert len(report["stopped"]) < 200
    assert len(report["left"]) < len(report["resumed"])
    assert report["resumed"] == report["reloaded"]
    assert report["resumed"].startswith(whole)
    assert report["resumed"].endswith("Nobody pays for words that nobody reads.")
    assert report["cancelled"] == ""
    assert (
        report["runs"]
        == [
            "/kept/{name} stopped",
            "/kept/{name} done",
            "/kept/{name} done",
            "/chat stopped",
        ]
        or report["runs"][-1] == "/chat stopped"
    )
    assert report["forgotten"] == 0


def test_a_link_and_code_carry_the_call(server: Server, drive: Any) -> None:
    report = drive("sharing", f"{server.url}/playground")
    assert "Bearer" not in report["link"]
    assert report["linked"] == ["a & b = <c>", "ann", "0.5", 0]
    code = report["code"]
    kept = f"{server.url}/kept/ann?temperature=0.5"
    assert f"curl -N '{kept}'" in code["/kept/{name}"]["curl"]
    assert "-H 'Authorization: Bearer ann'" in code["/kept/{name}"]["curl"]
    assert "RemoteRunnable(" in code["/kept/{name}"]["Python"]
    assert "base_url=" in code["/openai"]["Python"]
    assert 'format="langserve"' in code["/langserve"]["Python"]
    assert "connect_sse" in code["/vercel"]["Python"]
    assert "unknown_user" in report["refused"]
    for path in ("/kept/{name}", "/vercel", "/langserve", "/get"):
        curl = code[path]["curl"].replace("\\\n", "")
        answer = subprocess.run(["bash", "-c", curl], capture_output=True, timeout=60, check=True)
        assert b"small script" in _letters(answer.stdout) or b"umbrella" in _letters(answer.stdout)
    for path in ("/kept/{name}", "/langserve", "/vercel", "/get", "/openai"):
        _python(code[path]["Python"])
        done = subprocess.run(
            ["node", "--input-type=module", "-e", code[path]["JavaScript"]],
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout


def _letters(body: bytes) -> bytes:
    """The text of a stream, whatever its frames."""
    pieces = []
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            frame = json.loads(line.removeprefix(b"data: "))
            data = frame.get("data")
            chunk = data.get("chunk") if isinstance(data, dict) else None
            is_token = frame.get("event") == "on_chat_model_stream"
            content = chunk.get("content") if is_token and isinstance(chunk, dict) else None
            pieces.append(frame.get("token") or frame.get("delta") or content or "")
    return "".join(pieces).encode()


def _python(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout


def test_it_fits_three_widths_light_and_dark_and_the_keyboard(
    server: Server, drive: Any, tmp_path: Path
) -> None:
    report = drive("looks", f"{server.url}/playground")
    assert report["overflow"] == {"1400": 0, "820": 0, "390": 0}
    assert len(list(tmp_path.glob("*.png"))) == 6
    assert report["themes"] == ["light", "dark", "dark", None]
    assert report["dark"] == "rgb(17, 20, 25)"
    assert report["focused"] == "Skip to the input"
    assert report["tab"] == "tab-Frames"
    assert report["unlabelled"] == 0


@pytest.mark.parametrize(
    ("app", "path", "options"),
    [
        ("nested", "/a/b/playground", ()),
        ("nested", "/a/b/playground/", ()),
        ("litestar", "/ai/playground", ()),
        ("root", "/playground", ("--root-path=/outside",)),
    ],
)
def test_it_works_wherever_it_is_mounted(
    tmp_path: Path, drive: Any, app: str, path: str, options: tuple[str, ...]
) -> None:
    with serving(f"tests.playground.app:{app}", tmp_path, options=options) as server:
        report = drive("mounted", f"{server.url}{path}")
    assert report["answer"].startswith(ANSWER.format("Hi?"))
    assert report["stopped"] == ""


def test_it_works_behind_a_proxy_that_takes_its_prefix_off(
    server: Server, tmp_path: Path, drive: Any
) -> None:
    with proxy("nginx", server, tmp_path, "/far/away/") as port:
        report = drive("mounted", f"http://127.0.0.1:{port}/far/away/playground")
    assert report["answer"].startswith(ANSWER.format("Hi?"))
