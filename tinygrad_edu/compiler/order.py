"""Which steps must run before which.

A program is a list, but most of its order means nothing: of two steps that have nothing to do with each other, either
may come first. What counts is a graph: a step comes after those that make what it reads, and after those that read what
it overwrites (a *write-after-read hazard*). Whoever moves or joins steps asks this graph.

Source: A. Aho, M. Lam, R. Sethi, J. Ullman, Compilers, 2nd edition, 2006, chapter 10 (data dependence).
"""

from __future__ import annotations

from typing import Any

from .program import Call, Program, Step, Value


class Order:
    """Which steps must run before which: they make what is read, or read what is overwritten.

    `before` has the steps that each one needs directly. Steps are also bits of whole numbers, so that all that one
    needs, directly or not, is one number: `above`. `users` has the steps that need a value, as it is or to change it.
    """

    def __init__(self, program: Program) -> None:
        self.before: dict[Step, set[Step]] = {}
        readers: dict[Value, list[Step]] = {}
        latest: dict[Any, Value] = {}  # what each memory from outside holds
        last_act: Step | None = None
        for step in program.steps:
            needs = {v.step for v in step.reads() if v.step is not None}
            for v in step.reads():
                readers.setdefault(v, []).append(step)
                if v.memory is not None:
                    latest.setdefault(v.memory, v)
            for v in step.made:
                for old in (v.before, latest.get(v.memory) if v.memory is not None else None):
                    if old is not None:
                        needs.update(readers.get(old, ()))
                        if old.step is not None:
                            needs.add(old.step)
                if v.memory is not None:
                    latest[v.memory] = v
            if isinstance(step, Call) and not step.pure:
                if last_act is not None:
                    needs.add(last_act)
                last_act = step
            needs.discard(step)
            self.before[step] = needs
        self.bit: dict[Step, int] = {step: 1 << k for k, step in enumerate(program.steps)}
        self.above: dict[Step, int] = {}
        for step, needs in self.before.items():
            self.above[step] = self.all_above(needs)
        self.users: dict[Value, set[Step]] = {}
        for step in program.steps:
            self.note_users(step)
        self.ask_first(program)

    def note_users(self, step: Step) -> None:
        for v in used_by(step):
            self.users.setdefault(v, set()).add(step)

    def needed_elsewhere(self, v: Value, user: Step) -> bool:
        """Does any other step need a value?"""
        return not self.users.get(v, set()) <= {user}

    def ask_first(self, program: Program) -> None:
        """What is outside is changed only after all questions have been asked whose answer may stop the program."""
        questions = [s for s in program.steps if isinstance(s, Call) and s.checks]
        writers = [s for s in program.steps if any(v.memory is not None for v in s.made)]
        for writer in writers if questions else []:
            for question in questions:
                if question is not writer and not self.above[question] & self.bit[writer]:
                    self.before[writer].add(question)
                    more = self.bit[question] | self.above[question]
                    for step, found in self.above.items():
                        if step is writer or found & self.bit[writer]:
                            self.above[step] = found | more

    def late_questions(self) -> bool:
        """Does a question depend on a change of what is outside?"""
        writers = [s for s in self.before if any(v.memory is not None for v in s.made)]
        late = sum(self.bit[s] for s in writers)
        return any(isinstance(s, Call) and s.checks and self.above[s] & late for s in self.before)

    def all_above(self, needs: set[Step]) -> int:
        found = 0
        for step in needs:
            found |= self.bit[step] | self.above[step]
        return found

    def apart(self, first: Step, second: Step) -> bool:
        """Must they stay two? Yes if a third step needs the first and is needed by the second, or the other way."""
        bit = self.bit[first]
        if self.above[first] & self.bit[second]:
            return True
        return any(self.above[s] & bit for s in self.before[second] if s is not first)

    def join(self, first: Step, second: Step, both: Step) -> None:
        """The two steps have become one."""
        for step in (first, second):
            for v in used_by(step):
                self.users[v].discard(step)
        self.note_users(both)
        needs = (self.before.pop(first) | self.before.pop(second)) - {first, second}
        for others in self.before.values():
            if first in others or second in others:
                others -= {first, second}
                others.add(both)
        self.before[both] = needs
        above = self.above[both] = self.above.pop(first) | self.above.pop(second)
        bit = self.bit[both] = self.bit.pop(first) | self.bit.pop(second)
        above &= ~bit
        self.above[both] = above
        for step, found in self.above.items():
            if found & bit:
                self.above[step] = found | bit | above

    def sorted(self, position: dict[Step, int]) -> list[Step]:
        """The steps, each after those that it needs; the rest as it was."""
        done: set[Step] = set()
        found: list[Step] = []
        for step in sorted(self.before, key=lambda s: position[s]):
            stack = [step]
            while stack:
                top = stack[-1]
                missing = sorted(
                    (s for s in self.before[top] if s not in done), key=lambda s: position[s], reverse=True
                )
                if missing:
                    stack.extend(missing)
                    continue
                stack.pop()
                if top not in done:
                    done.add(top)
                    found.append(top)
        return found


def used_by(step: Step) -> set[Value]:
    """The values that a step reads, or changes a part of."""
    return {*step.reads(), *(v.before for v in step.made if v.before is not None)}
