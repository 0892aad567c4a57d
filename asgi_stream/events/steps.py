"""The steps of a run: what events refer to, and what filters match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: a model, a tool, a chain or the whole run.

    Attributes:
        run_id: LangChain's run id of the step.
        name: The step's name, as in the events of ``astream_events``.
        type: ``chat_model``, ``llm``, ``tool``, ``retriever``, ``prompt``, ``parser`` or ``chain``.
        tags: The step's tags, including inherited ones.
        node: The LangGraph node that the step runs in.
        agent: The agent that the step belongs to: the ``lc_agent_name`` of LangChain's agents, or
            the name of the innermost graph that has one.
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
        """Return the names of the nodes that the step runs in, outermost first."""
        return [part.partition(":")[0] for part in self.namespace.split("|") if part]

    @property
    def graph(self) -> str:
        """Return the namespace of the graph run that the step belongs to."""
        return self.namespace.rpartition("|")[0]

    def is_in(self, node: Step) -> bool:
        """Return whether the step is `node`, or runs in it or in one of its subgraphs."""
        return f"{self.namespace}|".startswith(f"{node.namespace}|")

    @property
    def is_node(self) -> bool:
        """Return whether the step is a LangGraph node itself, not a step inside one."""
        return self.node is not None and any(tag.startswith("graph:step:") for tag in self.tags)
