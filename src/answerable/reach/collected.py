"""What a snapshot collected, and where: one account says nothing of another."""

from collections.abc import Iterable

from answerable.model.coverage import Held

ANY = "*"  # a region, or a service, that a question leaves open


class Collected:
    """The words of coverage that hold, each in its places."""

    def __init__(self, held: Iterable[Held] = ()) -> None:
        self._held: dict[str, dict[str, list[Held]]] = {}
        for each in held:
            of_word = self._held.setdefault(each.word, {})
            of_word.setdefault(each.account, []).append(each)

    def holds(self, word: str, account: str) -> bool:
        """Tell whether a word holds of an account, in some region and service."""
        return account in self._held.get(word, {})

    def lacking(
        self, word: str, account: str, region: str = "", service: str = ""
    ) -> str:
        """Name what was not collected, empty where it was.

        The word stands alone where it holds nowhere, or whose the thing is cannot be
        told; else with the place of which it is missing: `scp (account 111122223333)`,
        `running-code (account 111122223333, other regions)`.

        Args:
            word: A word of coverage.
            account: Whose things the question is about; empty where not known.
            region: Where they lie; `ANY` for anywhere, empty for what has no region.
            service: Whose resources they are, or the kind of code where some kinds
                are collected apart; `ANY` for every service's.
        """
        of_word = self._held.get(word, {})
        if not of_word or not account:
            return word
        held = of_word.get(account)
        if held is None:
            return f"{word} (account {account})"
        missing = list(_missing(held, region, service))
        if not missing:
            return ""
        return f"{word} ({', '.join((f'account {account}', *missing))})"


def _of_services(held: list[Held]) -> list[Held]:
    """Leave out kinds of code (`ecs:task`), which say nothing of other code."""
    return [each for each in held if ":" not in each.service]


def _missing(held: list[Held], region: str, service: str) -> Iterable[str]:
    """Say which services and regions of an account are missing.

    No source lists every service or every region: what is open stays so.
    """
    if service == ANY:
        yield "other services"
    elif service:
        held = [each for each in held if each.service == service]
        if not held:
            yield service
            return
    else:
        held = [each for each in held if not each.service] or _of_services(held)
    if region == ANY:
        yield "other regions"
    elif region not in {each.region for each in held}:
        yield region
