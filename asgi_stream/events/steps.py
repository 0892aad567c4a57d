"""The steps of a run, which events are about and filters go by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: a model, a tool, a chain or the whole run itself.

    Attributes:
        run_id: LangChain's id of the step.
        name: Its name, as in the events of ``astream_events``.
        type: ``chat_model``, ``llm``, ``tool``, ``retriever``, ``prompt``, ``parser`` or ``chain``.
        tags: Its tags, inherited ones too.
        node: The LangGraph node that it runs in.
        agent: The agent that it is a part of: the ``lc_agent_name`` of LangChain's agents, or the
            name of the innermost graph, if that has one.
        namespace: LangGraph's checkpoint namespace, ``outer:<task>|inner:<task>``.
    """

    run_id: str
    name: str
    type: str
    tags: Sequence[str] = ()
    node: str | None = None
    agent: str | None = None
    namespace: str = ""

    @property
    def nodes(self) -> list[str]:
        """The nodes that it runs in, the outermost first."""
        return [part.partition(":")[0] for part in self.namespace.split("|") if part]

    @property
    def graph(self) -> str:
        """The run of a graph that it is a part of: where that is, in the form of `namespace`."""
        return self.namespace.rpartition("|")[0]

    def is_in(self, node: Step) -> bool:
        """Whether it is a part of a node, or of a graph in that."""
        return f"{self.namespace}|".startswith(f"{node.namespace}|")

    @property
    def is_node(self) -> bool:
        """Whether it is a node of a LangGraph graph itself, and not something in one."""
        return self.node is not None and any(tag.startswith("graph:step:") for tag in self.tags)
