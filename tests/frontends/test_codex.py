"""OpenAI's Codex CLI, which speaks the Responses API only, against format ``openai``."""

from __future__ import annotations

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from ..clients import Notes, new_key, until
from ..servers import Server
from .node import install
from .served import served

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parent / "codex"
CONFIG = """
model = "caller"
model_provider = "ours"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.ours]
name = "ours"
base_url = "{base}"
wire_api = "responses"
env_key = "OUR_KEY"
request_max_retries = 0
stream_max_retries = 0
"""
PATCH = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch\n"


server = served("responses_app")


class Codex:
    """``codex exec`` in a folder and with a configuration of its own."""

    def __init__(self, folder: Path, base: str) -> None:
        self.work, self._home = folder / "work", folder / "home"
        self.work.mkdir()
        self._home.mkdir()
        (self._home / "config.toml").write_text(CONFIG.format(base=base))

    async def start(self, *arguments: str) -> Process:
        await asyncio.to_thread(install, FOLDER)
        [program] = FOLDER.glob("node_modules/@openai/codex-*/vendor/*/bin/codex")
        command = [str(program), "exec", "--skip-git-repo-check", "--json", *arguments]
        variables = {"CODEX_HOME": str(self._home), "HOME": str(self._home), "OUR_KEY": "x"}
        env = {"PATH": os.environ["PATH"], **variables}
        return await asyncio.create_subprocess_exec(
            *command, cwd=self.work, env=env, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )

    async def __call__(self, *arguments: str) -> list[Any]:
        """The events that it prints."""
        process = await self.start(*arguments)
        async with asyncio.timeout(60):
            printed, errors = await process.communicate()
        assert printed, errors.decode()
        return [json.loads(line) for line in printed.splitlines()]


@pytest.fixture
def codex(server: Server, tmp_path: Path) -> Codex:
    return Codex(tmp_path, f"{server.url}/v1")


def items_in(events: list[Any], kind: str) -> list[Any]:
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    return [item for item in items if item["type"] == kind]


def answer_in(events: list[Any]) -> str:
    assert events[-1]["type"] == "turn.completed", events
    return str(items_in(events, "agent_message")[-1]["text"])


def failure_in(events: list[Any]) -> str:
    assert events[-1]["type"] == "turn.failed", events
    return str(events[-1]["error"]["message"])


def call(name: str, **arguments: Any) -> str:
    return f"call {name} {json.dumps(arguments)}"


async def test_an_answer_and_its_reasoning(codex: Codex) -> None:
    events = await codex("-m", "agent", "Hi")
    assert answer_in(events).startswith("It rains.")
    assert [item["text"] for item in items_in(events, "reasoning")] == ["Let me think."] * 2
    assert events[-1]["usage"]["input_tokens"] == 10


async def test_commands_of_two_turns(codex: Codex) -> None:
    events = await codex(call("exec_command", cmd="echo $((6 * 7))"))
    [command] = items_in(events, "command_execution")
    assert (command["aggregated_output"], command["exit_code"]) == ("42\n", 0)
    assert "Output:\n42\n" in answer_in(events)
    events = await codex("resume", "--last", call("exec_command", cmd="echo again"))
    assert "Output:\nagain\n" in answer_in(events)


async def test_a_patch_as_free_text(codex: Codex) -> None:
    # It has this tool for models whose names it knows.
    events = await codex("-m", "gpt-5.5", call("apply_patch", input=PATCH))
    assert "Success" in answer_in(events)
    assert (codex.work / "new.txt").read_text() == "hello\n"


async def test_tools_in_a_namespace(codex: Codex) -> None:
    events = await codex(call("multi_agent_v1__close_agent", target="nobody"))
    assert "invalid agent id nobody" in answer_in(events)


async def test_tools_that_an_item_of_the_input_brings(codex: Codex) -> None:
    events = await codex("-m", "gpt-5.6-sol", call("functions__exec", input="text(6 * 7)"))
    assert answer_in(events).endswith("Output:\n42")


async def test_the_form_of_the_answer(codex: Codex) -> None:
    schema = codex.work / "schema.json"
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    schema.write_text(json.dumps({**city, "additionalProperties": False}))
    events = await codex("-m", "fills", "--output-schema", str(schema), "Hi")
    assert json.loads(answer_in(events)) == {"city": "Paris"}
    events = await codex("-m", "chain", "--output-schema", str(schema), "Hi")
    assert "omit text.format" in failure_in(events)


@pytest.mark.parametrize(
    ("model", "message"),
    [("nope", "Unknown model 'nope'"), ("fails", "The run failed."), ("first", "high demand")],
)
async def test_failures(codex: Codex, model: str, message: str) -> None:
    assert message in failure_in(await codex("-m", model, "Hi"))


async def test_a_limit(server: Server, tmp_path: Path) -> None:
    codex = Codex(tmp_path, f"{server.url}/busy/v1")
    assert "429" in failure_in(await codex("Hi"))


async def test_a_run_stops_with_it(codex: Codex, folder: Path) -> None:
    key, notes = new_key(), Notes(folder / "notes")
    process = await codex.start("-m", "slow", key)
    try:
        assert await until(lambda: notes.of(key, "start"), 30)
    finally:
        process.terminate()
        await process.communicate()
    assert await until(lambda: notes.of(key, "cancel"), 5)
