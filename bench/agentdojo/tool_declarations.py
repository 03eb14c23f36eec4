"""Tool declarations of each suite, as pins and inventory would hold them.

Told from what the tools are for, before any run: which write, which arguments name
something that matters, and which fields of an answer no outsider writes. Nothing here
knows an injection.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.agentdojo.scenario import JsonLeaf, ScriptedCall, iterate_leaves


@dataclass(frozen=True, slots=True)
class ToolDeclarations:
    """Declarations for one suite.

    Attributes:
        writes: Tools that change something.
        sensitive: By tool and path of an argument, the kind of what it names: who is
            paid, who is written to, what is deleted, which host is called.
        named: The same of arguments that only say where to look.
        trusted: By tool, the paths of an answer that no outsider writes; one that ends
            in `*` stands for all that begin like it.
        summed: By tool, the path of an argument that adds up.
    """

    writes: frozenset[str]
    sensitive: Mapping[str, Mapping[str, str]]
    named: Mapping[str, Mapping[str, str]]
    trusted: Mapping[str, tuple[str, ...]]
    summed: Mapping[str, str]

    def sensitive_leaves(self, call: ScriptedCall) -> list[tuple[JsonLeaf, str]]:
        """Return the sensitive leaves of a call, each with its kind."""
        kinds = self.sensitive.get(call.tool, {})
        return [
            (leaf, kinds[leaf.path])
            for leaf in iterate_leaves(dict(call.arguments))
            if leaf.path in kinds and leaf.value not in (None, "")
        ]

    def is_harmful(self, call: ScriptedCall) -> bool:
        """Return whether executing the call can do harm."""
        return call.tool in self.writes or call.tool in self.sensitive

    def is_untrusted_text(self, tool: str, path: str) -> bool:
        """Return whether an outsider may have written the value at this place."""
        return not any(
            path.startswith(held[:-1]) if held.endswith("*") else path == held
            for held in self.trusted.get(tool, ())
        )


def _member_paths(*names: str) -> tuple[str, ...]:
    return tuple(f"[].{name}" for name in names)


_PAYEE = {"recipient": "payee"}
_PAYMENT = _member_paths("id", "sender", "recipient", "amount", "date", "recurring")

BANKING = ToolDeclarations(
    writes=frozenset(
        {
            *("send_money", "schedule_transaction", "update_scheduled_transaction"),
            *("update_password", "update_user_info"),
        }
    ),
    sensitive={
        "send_money": _PAYEE,
        "schedule_transaction": _PAYEE,
        "update_scheduled_transaction": _PAYEE,
        "update_password": {"password": "secret"},
    },
    named={},
    trusted={
        **dict.fromkeys(("get_iban", "get_balance", "get_user_info"), ("*",)),
        "get_most_recent_transactions": _PAYMENT,
        "get_scheduled_transactions": _PAYMENT,
    },
    summed=dict.fromkeys(
        ("send_money", "schedule_transaction", "update_scheduled_transaction"), "amount"
    ),
)
SLACK = ToolDeclarations(
    writes=frozenset(
        {
            *("add_user_to_channel", "send_direct_message", "send_channel_message"),
            *("invite_user_to_slack", "remove_user_from_slack", "post_webpage"),
        }
    ),
    sensitive={
        "add_user_to_channel": {"user": "member", "channel": "channel"},
        "send_direct_message": {"recipient": "member"},
        "send_channel_message": {"channel": "channel"},
        "invite_user_to_slack": {"user_email": "email"},
        "remove_user_from_slack": {"user": "member"},
        "post_webpage": {"url": "host"},
        "get_webpage": {"url": "host"},
    },
    named={
        "read_channel_messages": {"channel": "channel"},
        "read_inbox": {"user": "member"},
        "get_users_in_channel": {"channel": "channel"},
    },
    trusted={
        **dict.fromkeys(("get_channels", "get_users_in_channel"), ("[]",)),
        **dict.fromkeys(
            ("read_channel_messages", "read_inbox"),
            _member_paths("sender", "recipient"),
        ),
    },
    summed={},
)
_MAIL = (
    *_member_paths("id_", "sender", "recipients[]", "cc[]", "bcc[]", "status", "read"),
    *_member_paths("timestamp", "attachments[]"),
)
_EVENT = ("id_", "start_time", "end_time", "participants[]", "all_day", "status")
_FILE = ("id_", "owner", "last_modified", "size", "shared_with*")

WORKSPACE = ToolDeclarations(
    writes=frozenset(
        {
            *("send_email", "delete_email", "create_calendar_event"),
            *("cancel_calendar_event", "reschedule_calendar_event"),
            *("add_calendar_event_participants", "append_to_file", "create_file"),
            *("delete_file", "share_file"),
        }
    ),
    sensitive={
        "send_email": {
            **dict.fromkeys(("recipients[]", "cc[]", "bcc[]"), "email"),
            **dict.fromkeys(("attachments[]", "attachments[].file_id"), "file"),
        },
        "delete_email": {"email_id": "message"},
        "create_calendar_event": {"participants[]": "email"},
        "cancel_calendar_event": {"event_id": "event"},
        "reschedule_calendar_event": {"event_id": "event"},
        "add_calendar_event_participants": {
            "participants[]": "email",
            "event_id": "event",
        },
        "append_to_file": {"file_id": "file"},
        "delete_file": {"file_id": "file"},
        "share_file": {"file_id": "file", "email": "email"},
    },
    named={"search_emails": {"sender": "email"}},
    trusted={
        **dict.fromkeys(
            (
                *("get_unread_emails", "get_sent_emails", "get_received_emails"),
                *("get_draft_emails", "search_emails"),
            ),
            _MAIL,
        ),
        **dict.fromkeys(
            ("search_contacts_by_name", "search_contacts_by_email"),
            _member_paths("email", "name"),
        ),
        **dict.fromkeys(
            ("search_calendar_events", "get_day_calendar_events"),
            _member_paths(*_EVENT),
        ),
        **dict.fromkeys(
            ("search_files_by_filename", "list_files", "search_files"),
            _member_paths(*_FILE),
        ),
        **dict.fromkeys(("create_file", "get_file_by_id", "append_to_file"), _FILE),
        "create_calendar_event": _EVENT,
        "get_current_day": ("*",),
    },
    summed={},
)
# Written from the names of its tools alone, before any of its runs was played.
TRAVEL = ToolDeclarations(
    writes=frozenset(
        {
            *("create_calendar_event", "cancel_calendar_event", "send_email"),
            *("reserve_hotel", "reserve_car_rental", "reserve_restaurant"),
        }
    ),
    sensitive={
        "send_email": WORKSPACE.sensitive["send_email"],
        "create_calendar_event": {"participants[]": "email"},
        "cancel_calendar_event": {"event_id": "event"},
        "reserve_hotel": {"hotel": "vendor"},
        "reserve_car_rental": {"company": "vendor"},
        "reserve_restaurant": {"restaurant": "vendor"},
    },
    named={},
    trusted={
        **dict.fromkeys(
            (
                *("get_user_information", "get_flight_information"),
                *("get_all_hotels_in_city", "get_hotels_prices", "get_hotels_address"),
                *("get_all_restaurants_in_city", "get_cuisine_type_for_restaurants"),
                *("get_restaurants_address", "get_price_for_restaurants"),
                "get_dietary_restrictions_for_all_restaurants",
                "get_contact_information_for_restaurants",
                *("check_restaurant_opening_hours", "get_car_types_available"),
                *("get_all_car_rental_companies_in_city", "get_car_fuel_options"),
                *("get_car_rental_address", "get_car_price_per_day"),
            ),
            ("*",),
        ),
        **dict.fromkeys(
            ("search_calendar_events", "get_day_calendar_events"),
            _member_paths(*_EVENT),
        ),
        "create_calendar_event": _EVENT,
    },
    summed={},
)
DECLARATIONS = {
    "banking": BANKING,
    "slack": SLACK,
    "travel": TRAVEL,
    "workspace": WORKSPACE,
}
