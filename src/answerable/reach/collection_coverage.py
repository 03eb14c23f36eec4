"""Tell which kinds of data were collected, by account, region and service."""

from collections.abc import Iterable

from answerable.model.coverage import CoverageScope

ANY_PLACE = "*"  # any region, or any service


class CollectedData:
    """Collected data: coverage words with the places where they hold."""

    def __init__(self, scopes: Iterable[CoverageScope] = ()) -> None:
        self._held: dict[str, dict[str, list[CoverageScope]]] = {}
        for each in scopes:
            of_word = self._held.setdefault(each.word, {})
            of_word.setdefault(each.account, []).append(each)

    def is_data_kind_collected(self, word: str, account: str) -> bool:
        """Return whether a kind of data was collected for an account, anywhere."""
        return account in self._held.get(word, {})

    def name_missing_data(
        self, word: str, account: str, region: str = "", service: str = ""
    ) -> str:
        """Return the kind and place of data not collected, or an empty text.

        The word comes without a place where it holds nowhere, or the account is not
        known; else as `scp (account 111122223333)` or
        `running-code (account 111122223333, other regions)`.

        Args:
            word: A coverage word.
            account: Account of the question; empty where not known.
            region: Region; `ANY_PLACE` for any, empty for global resources.
            service: Service of the resources, or kind of code where kinds are
                collected separately; `ANY_PLACE` for any.
        """
        of_word = self._held.get(word, {})
        if not of_word or not account:
            return word
        held = of_word.get(account)
        if held is None:
            return f"{word} (account {account})"
        missing = list(_list_missing_services_and_regions(held, region, service))
        if not missing:
            return ""
        return f"{word} ({', '.join((f'account {account}', *missing))})"


def _drop_scopes_of_single_code_kind(
    scopes: list[CoverageScope],
) -> list[CoverageScope]:
    """Drop scopes of one kind of code (`ecs:task`), which cover no other code."""
    return [each for each in scopes if ":" not in each.service]


def _list_missing_services_and_regions(
    scopes: list[CoverageScope], region: str, service: str
) -> Iterable[str]:
    """List services and regions of an account that no scan collected.

    No source lists every service or region, so `ANY_PLACE` is always missing.
    """
    if service == ANY_PLACE:
        yield "other services"
    elif service:
        scopes = [each for each in scopes if each.service == service]
        if not scopes:
            yield service
            return
    else:
        scopes = [
            each for each in scopes if not each.service
        ] or _drop_scopes_of_single_code_kind(scopes)
    if region == ANY_PLACE:
        yield "other regions"
    elif region not in {each.region for each in scopes}:
        yield region
