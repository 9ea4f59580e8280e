# SPDX-License-Identifier: Apache-2.0
"""What suppressd writes in bytes, read in Python: blocks, changelog records, progress records.

Written from the comments of state/block.h, state/record.c and state/shard.c, none of their code. All
numbers are little-endian. BadLayout says what did not fit.
"""

from typing import NamedTuple, Optional

# In the order of classify/event.def, which is part of the format.
KINDS = (
    "received", "delivered", "deferred", "bounced", "expired", "late_bounce", "complaint", "unsubscribe",
    "suppress", "release", "dropped", "admin", "ignored",
)  # fmt: skip
CATEGORIES = (
    None, "invalid_recipient", "bad_address", "bad_domain", "inactive_mailbox", "moved", "mailbox_full",
    "recipient_refused", "relay_denied", "expired", "soft_other", "greylisted", "rate_limited",
    "recipient_rate_limited", "too_many_recipients", "server_busy", "connection_failed", "dns_failure",
    "routing_error", "tls_failure", "protocol_error", "spam_content", "reputation_block", "auth_failed",
    "policy_block", "sender_rejected", "virus", "prohibited_content", "message_too_large", "complaint",
    "unsubscribe", "auto_reply", "internal", "unknown_permanent", "unknown_transient", "manual",
)  # fmt: skip
KNOWN_BY = ("campaign", "message", "day")
SOURCES = ("bounce", "late_bounce", "operator")
WISHES = (None, "unsubscribe", "complaint")
FORMAT_VERSION = 1  # of all three
PROGRESS_KEY = b"progress"
KEY_SIZE = 16
FAILURES_MAX = 8


class BadLayout(Exception):
    pass


class Reader:
    """Takes bytes from the front."""

    def __init__(self, data):
        self.data = data
        self.place = 0

    def take(self, size):
        if len(self.data) - self.place < size:
            raise BadLayout(f"ends within a field of {size} bytes at {self.place} of {len(self.data)}")
        self.place += size
        return self.data[self.place - size : self.place]

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self):
        """A string; None if it is empty, which means that there is none."""
        return self.take(self.varint()).decode("utf-8", errors="replace") or None

    def name(self, names):
        number = self.number(1)
        if number >= len(names):
            raise BadLayout(f"{number} is none of {names}")
        return names[number]

    def end(self):
        if self.place != len(self.data):
            raise BadLayout(f"{len(self.data) - self.place} bytes too many")


def check_version(version):
    if version != FORMAT_VERSION:
        raise BadLayout(f"format version {version}, not {FORMAT_VERSION}")


# --- blocks: topic events


class Place(NamedTuple):
    """Where an event stood in the input."""

    topic: str
    partition: int
    offset: int
    index: int  # of the event's line or element in its record, from 0


class Words(NamedTuple):
    """What all observations but deliveries carry."""

    category: Optional[str]
    recipient: str
    tenant: Optional[str]
    message_id: Optional[str]
    campaign: Optional[str]
    traceparent: Optional[str]
    place: Place

    def key_text(self, scope_tenant):
        return f"{self.tenant}:{self.recipient}" if scope_tenant else self.recipient


class Observation(NamedTuple):
    kind: str
    local: bool
    scope_tenant: bool
    has_tenant: bool
    names_message: bool
    known_by: str
    ts_ms: int
    key: bytes  # as in the changelog
    send: int
    words: Optional[Words]

    @property
    def address_hash(self):
        return int.from_bytes(self.key[:8], "little")


def read_block(data):
    """The observations of a block, and the check value of the secret that it was made with."""
    r = Reader(data)
    if r.take(4) != b"SUPB":
        raise BadLayout("no block")
    check_version(r.number(1))
    r.number(1)
    secret_check = r.number(8)
    observations = [read_observation(r) for _ in range(r.number(4))]
    r.end()
    return observations, secret_check


def read_observation(r):
    kind = r.name(KINDS)
    flags = r.number(1)
    ts_ms = r.number(6)
    key = r.take(KEY_SIZE)
    send = r.number(5)
    has_words = bool(flags & 0x10)
    if has_words != (kind != "delivered"):
        raise BadLayout(f"{kind} with{'' if has_words else 'out'} words")
    return Observation(
        kind=kind,
        local=bool(flags & 1),
        scope_tenant=bool(flags & 2),
        has_tenant=bool(flags & 4),
        names_message=bool(flags & 8),
        known_by=KNOWN_BY[flags >> 5 & 3],
        ts_ms=ts_ms,
        key=key,
        send=send,
        words=read_words(r) if has_words else None,
    )


def read_words(r):
    category = r.name(CATEGORIES)
    r.take(2 + 1)  # reply code, enhanced class
    r.varint()  # subject
    r.varint()  # detail
    recipient, tenant = r.text(), r.text()
    for _text in ("reply", "rule", "mx", "provider"):
        r.text()
    message_id, campaign = r.text(), r.text()
    r.text()  # sender
    traceparent, topic = r.text(), r.text()
    place = Place(topic, r.varint(), r.varint(), r.varint())
    return Words(category, recipient, tenant, message_id, campaign, traceparent, place)


# --- changelog


class Failure(NamedTuple):
    ts_ms: int
    final: bool
    category: str
    send: int


class Delivery(NamedTuple):
    ts_ms: int
    send: int
    known_by: str
    has_tenant: bool
    came_back: bool


class Mailbox(NamedTuple):
    rule: str
    category: str
    mild: bool
    all_mail: bool
    source: str
    start_ms: int
    end_ms: Optional[int]


class Wish(NamedTuple):
    kind: Optional[str]
    ts_ms: int
    floor_ms: int


class Record(NamedTuple):
    """What the changelog holds of a key."""

    failures: tuple
    delivery: Optional[Delivery]
    floor_ms: int
    touched_ms: int
    mailbox: Optional[Mailbox]
    repeats: int
    wish: Wish
    seq: int
    key_text: Optional[str]


def read_record(value):
    r = Reader(value)
    check_version(r.number(1))
    flags = r.number(2)
    failures = read_failures(r, flags & 0x0F)
    newest_ms = max((failure.ts_ms for failure in failures), default=0)
    record = Record(
        failures=failures,
        delivery=read_delivery(r, flags) if flags & 0x10 else None,
        floor_ms=r.number(6) if flags & 0x0200 else 0,
        touched_ms=r.number(6) if flags & 0x0400 else newest_ms,
        mailbox=read_mailbox(r) if flags & 0x0800 else None,
        repeats=r.number(1) if flags & 0x1000 else 0,
        wish=Wish(r.name(WISHES), r.number(6), r.number(6)) if flags & 0x2000 else Wish(None, 0, 0),
        seq=r.number(6) if flags & 0x4000 else 0,
        key_text=r.text() if flags & 0x8000 else None,
    )
    r.end()
    return record


def read_failures(r, count):
    if count > FAILURES_MAX:
        raise BadLayout(f"{count} failures")
    newest_ms = r.number(6) if count else 0
    return tuple(read_failure(r, newest_ms) for _ in range(count))


def read_failure(r, newest_ms):
    send = r.number(5)
    ts_ms = newest_ms - r.number(4)
    byte = r.number(1)
    return Failure(ts_ms, bool(byte & 0x80), CATEGORIES[byte & 0x7F], send)


def read_delivery(r, flags):
    return Delivery(
        ts_ms=r.number(6),
        send=r.number(5),
        known_by=KNOWN_BY[flags >> 6 & 3],
        has_tenant=bool(flags & 0x0100),
        came_back=bool(flags & 0x20),
    )


def read_mailbox(r):
    flags = r.number(1)
    category = r.name(CATEGORIES)
    start_ms = r.number(6)
    end_ms = r.number(6) if flags & 4 else None
    return Mailbox(r.text(), category, bool(flags & 1), bool(flags & 2), SOURCES[flags >> 4], start_ms, end_ms)


class Progress(NamedTuple):
    next_offset: int
    sequence: int
    record_count: int
    newest_event_ms: int
    secret_check: int
    shard_count: int


def read_progress(value):
    r = Reader(value)
    check_version(r.number(1))
    progress = Progress(r.number(8), r.number(8), r.number(4), r.number(8), r.number(8), r.number(4))
    r.end()
    return progress
