# SPDX-License-Identifier: Apache-2.0
"""Input records: `native` in its three framings, and the few shapes of KumoMTA that the tests write.

decode() is the checker's reading of an input record, encode_*() the feed's writing of one. Both know events
as the model does: dicts in the words of format native.
"""

import json
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# Replies that leave no doubt of their category: (kind, category) -> code, enhanced code, text.
KUMOMTA_REPLIES = {
    ("delivered", None): (250, (2, 0, 0), "Ok: queued as 00000000"),
    ("bounced", "invalid_recipient"): (550, (5, 1, 1), "User unknown"),
    ("bounced", "mailbox_full"): (552, (5, 2, 2), "Mailbox full"),
    ("deferred", "mailbox_full"): (452, (4, 2, 2), "Mailbox full"),
}
KUMOMTA_TYPES = {"delivered": "Delivery", "bounced": "Bounce", "deferred": "TransientFailure"}


def encode_ndjson(events):
    return "".join(json.dumps(event) + "\n" for event in events).encode()


def encode_array(events):
    return json.dumps(events).encode()


def encode_one(events):
    (event,) = events
    return json.dumps(event).encode()


def fits_kumomta(event):
    """Can the feed say it in KumoMTA's words without a change of meaning?"""
    return (
        event.get("origin") != "local"
        and (event["kind"], event.get("category")) in KUMOMTA_REPLIES
    )


def kumomta_record(event):
    code, enhanced, text = KUMOMTA_REPLIES[event["kind"], event.get("category")]
    names = {field: event[field] for field in ("tenant", "campaign") if field in event}
    return {
        "type": KUMOMTA_TYPES[event["kind"]],
        "id": event.get("message_id"),
        "sender": "news@bounce.example.net",
        "recipient": event["recipient"],
        "queue": event["recipient"].partition("@")[2],
        "site": "",
        "size": 1000,
        "response": {
            "code": code,
            "enhanced_code": dict(zip(("class", "subject", "detail"), enhanced)),
            "content": text,
            "command": None,
        },
        "peer_address": {"name": "mx1.example.com.", "addr": "192.0.2.25"},
        "timestamp": event["ts_ms"] // 1000,
        "event_time": (EPOCH + timedelta(milliseconds=event["ts_ms"])).isoformat().replace("+00:00", "Z"),
        "num_attempts": 0,
        "bounce_classification": "Uncategorized",
        "meta": names,
        "headers": {},
    }


def kumomta_event(record):
    """What kumomta_record() was made of."""
    kind = next((kind for kind, name in KUMOMTA_TYPES.items() if name == record["type"]), None)
    if kind is None:
        return {"kind": "ignored", "ts_ms": 0, "recipient": record["recipient"]}
    code = record["response"]["code"]
    (category,) = (c for (k, c), reply in KUMOMTA_REPLIES.items() if k == kind and reply[0] == code)
    time = datetime.fromisoformat(record["event_time"].replace("Z", "+00:00"))
    event = {"kind": kind, "ts_ms": (time - EPOCH) // timedelta(milliseconds=1), "recipient": record["recipient"]}
    event.update(record["meta"])
    event.update({name: word for name, word in (("message_id", record["id"]), ("category", category)) if word})
    return event


def parts(value):
    """The JSON values of a record, whatever its framing; None for a part that is no JSON."""
    text = value.decode("utf-8", errors="replace")
    try:
        whole = json.loads(text)
        return whole if isinstance(whole, list) else [whole]
    except ValueError:
        return [json_or_none(line) for line in text.splitlines() if line.strip()]


def json_or_none(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def decode(value, name):
    """The events of a record as (index, event), without what is no event."""
    read = {"native": dict, "kumomta": kumomta_event}[name]
    return [(index, read(part)) for index, part in enumerate(parts(value)) if isinstance(part, dict)]
