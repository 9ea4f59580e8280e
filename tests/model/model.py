# SPDX-License-Identifier: Apache-2.0
"""The policy, written to be read beside section 5 of the design.

One Model is the memory of one replay. apply() takes one classified event of format `native` (a dict) and
returns the decisions it leads to, in order; end() is what time alone does at the end of the input. Speed,
packing and Kafka are no concern here: where the text has a sentence, this file has a line.

Numbers in comments are the steps of section 5.
"""

from typing import NamedTuple, Optional

DAY = 86_400_000
M = 30 * DAY  # the window of every rule and the length of the memory
SENDS_MAX = 8
MILD_FIRST = 30 * DAY
MILD_MAX = 180 * DAY

# Section 4.
CLASSES = {
    "hard": ("invalid_recipient", "bad_address", "bad_domain", "inactive_mailbox", "moved"),
    "full": ("mailbox_full",),
    "soft": ("recipient_refused", "relay_denied", "expired", "soft_other"),
    "technical": (
        "greylisted", "rate_limited", "recipient_rate_limited", "too_many_recipients", "server_busy",
        "connection_failed", "dns_failure", "routing_error", "tls_failure", "protocol_error",
    ),
    "block": (
        "spam_content", "reputation_block", "auth_failed", "policy_block", "sender_rejected", "virus",
        "prohibited_content", "message_too_large",
    ),
    "feedback": ("complaint", "unsubscribe"),
    "internal": ("auto_reply", "internal"),
    "unknown": ("unknown_permanent", "unknown_transient"),
}  # fmt: skip
CLASS_OF = {category: name for name, categories in CLASSES.items() for category in categories}

WISHES = ("complaint", "unsubscribe")
FAILURES = ("deferred", "bounced", "expired", "late_bounce")
OPERATOR_WORDS = ("suppress", "release")
SILENT = ("received", "dropped", "admin", "ignored")

# What nobody may hold against a recipient: a deferral of it is not heard, an expiry of it is `expired`.
NOT_THE_RECIPIENT = frozenset(CLASSES["technical"] + CLASSES["feedback"] + ("unknown_transient",))


class Rule(NamedTuple):
    """One row of the policy."""

    name: str
    mild: bool
    final: frozenset  # categories of final failures that it takes
    deferred: frozenset  # categories of deferrals that it takes
    sends: int
    apart_ms: int  # between the oldest and the newest send

    def takes(self, failure):
        """Does the row list the failure's category for its kind?"""
        return failure.category in (self.final if failure.final else self.deferred)


NOTHING = frozenset()
HARD = frozenset(CLASSES["hard"])
FULL = frozenset(CLASSES["full"])
SOFT = frozenset(CLASSES["full"] + CLASSES["soft"] + ("unknown_permanent",))

PRESETS = {
    "default": (
        Rule("hard", False, HARD, NOTHING, 1, 0),
        Rule("full", True, FULL, FULL, 2, 7 * DAY),
        Rule("soft", True, SOFT, SOFT | HARD, 3, 0),
    ),
    "careful": (
        Rule("hard", False, HARD, NOTHING, 1, 0),
        Rule("full", True, FULL, NOTHING, 2, 7 * DAY),
        Rule("soft", True, SOFT, NOTHING, 3, 3 * DAY),
    ),
    "handshake": (
        Rule("hard", False, HARD, NOTHING, 1, 0),
        Rule("soft", True, SOFT, NOTHING, 3, 14 * DAY),
    ),
}


class Event(NamedTuple):
    """One event with its identity worked out."""

    kind: str
    local: bool
    t: int
    recipient: str
    category: Optional[str]
    tenant: Optional[str]
    campaign: Optional[str]
    message: Optional[str]

    @property
    def final(self):
        return self.kind != "deferred"

    @property
    def send(self):
        """Tenant + campaign; else tenant + message id; else tenant + UTC day."""
        if self.campaign:
            return Send(self.tenant, "campaign", self.campaign)
        if self.message:
            return Send(self.tenant, "message", self.message)
        return Send(self.tenant, "day", self.t // DAY)


class Send(NamedTuple):
    tenant: Optional[str]
    known_by: str  # campaign, message or day
    name: object


class Failure(NamedTuple):
    """The word that counts of a send."""

    time: int
    final: bool
    category: str
    send: Send

    @property
    def is_our_own_deferral(self):
        return self.category == "internal" and not self.final


class Delivery(NamedTuple):
    time: int
    send: Send
    came_back: bool


class Suppression(NamedTuple):
    """Of the mailbox, by a rule or by an operator."""

    rule: str
    mild: bool
    category: str
    start: int
    end: Optional[int]  # None: for good

    @property
    def strength(self):
        """5: for good > other > mild > none (0)."""
        if self.end is None:
            return 3
        return 1 if self.mild else 2


class Decision(NamedTuple):
    action: str
    key: str
    rule: str
    category: str
    expires_ms: Optional[int]
    seq: int
    ts_ms: int


class Record:
    """What is remembered of a key, and what the steps do to it."""

    def __init__(self, key):
        self.key = key
        self.seq = 0
        self.decisions = []
        self.forget()

    def forget(self):
        """Empty, but for seq."""
        self.failures = []  # one per send, oldest first; at one time the first to come first
        self.delivery = None
        self.floor = 0
        self.touched = 0
        self.mailbox = None
        self.repeats = 0
        self.wish = None
        self.wish_time = 0
        self.wish_floor = 0

    # Words of section 5.

    def stands(self, failure):
        """Unless it is as old as or older than the delivery; one that came back makes nothing fall."""
        delivery = self.delivery
        return delivery is None or delivery.came_back or failure.time > delivery.time

    def word_of(self, send):
        return next((failure for failure in self.failures if failure.send == send), None)

    def raise_floor(self, time):
        self.floor = max(self.floor, time)
        self.failures = [failure for failure in self.failures if failure.time > self.floor]
        if self.delivery and self.delivery.time <= self.floor:
            self.delivery = None

    def decide(self, action, rule, category, expires_ms, time):
        """11."""
        self.seq = max(self.seq + 1, time)
        self.decisions.append(Decision(action, self.key, rule, category, expires_ms, self.seq, time))

    # 3. What time has done.

    def lapse(self, t):
        if self.mailbox and self.mailbox.end is not None and self.mailbox.end <= t:
            self.release_mailbox("lapse", self.mailbox.end)

    def let_time_pass(self, t):
        self.lapse(t)
        if self.mailbox is None and self.wish is None and t - self.touched >= M:
            self.forget()

    # 4. Delivered.

    def delivered(self, event, _rules):
        t = event.t
        if t <= self.floor:
            return
        if self.mailbox:
            if self.mailbox.mild and self.mailbox.start < t:
                self.release_mailbox("delivery", t)
                self.delivery = Delivery(t, event.send, False)
            return
        older = self.delivery
        if older and t <= older.time:
            return
        if older and not older.came_back:
            self.raise_floor(older.time)
            self.repeats = 0
        self.delivery = Delivery(t, event.send, False)

    # 5. Failure.

    def failed(self, event, rules):
        t = event.t
        if t <= self.floor:
            return
        if self.mailbox and self.mailbox.end is None:
            return
        if event.kind == "late_bounce":
            self.take_delivery_back(event)
        failure = Failure(t, event.final, self.category_of(event), event.send)
        word = self.word_of(failure.send)
        if (
            failure.is_our_own_deferral
            and word
            and self.stands(word)
            and not word.is_our_own_deferral
        ):
            return
        self.touched = max(self.touched, t)
        self.remember(failure, word)
        self.judge(failure, rules)

    def take_delivery_back(self, event):
        """A late bounce, not older than the delivery, of the delivery's send."""
        delivery = self.delivery
        if delivery and event.t >= delivery.time and is_of_send(event, delivery.send):
            self.delivery = delivery._replace(came_back=True)

    def category_of(self, event):
        if event.local and event.kind == "deferred":
            return "internal"
        if event.local and event.kind == "expired":
            word = self.word_of(event.send)
            if (
                word
                and self.stands(word)
                and event.t - word.time < M
                and word.time <= event.t
            ):
                return word.category
            return "expired"
        if event.kind == "expired" and event.category in NOT_THE_RECIPIENT:
            return "expired"
        return event.category

    def remember(self, failure, word):
        if word is None or replaces(failure, word):
            if word:
                self.failures.remove(word)
            self.insert(failure)
        newest = self.failures[-1].time
        self.failures = [f for f in self.failures if newest - f.time < M]
        if len(self.failures) > SENDS_MAX:
            # The oldest tells how long this has been going on.
            del self.failures[1 if self.stands(self.failures[0]) else 0]

    def insert(self, failure):
        """At one time the first to come is the older."""
        place = len(self.failures)
        while place > 0 and self.failures[place - 1].time > failure.time:
            place -= 1
        self.failures.insert(place, failure)

    def judge(self, failure, rules):
        """The rules that take this failure are tried from the top."""
        for rule in rules:
            if not rule.takes(failure):
                continue
            on_probation = self.is_on_probation(rule, failure)
            if not self.holds(rule, on_probation):
                continue
            repeats = self.repeats + 1 if on_probation else 1
            suppression = suppression_by(rule, failure, repeats)
            if self.suppress_if_stronger(suppression):
                self.repeats = repeats if rule.mild else 0
                return

    def holds(self, rule, on_probation):
        if rule.sends == 1 or on_probation:
            return True
        counted = self.counted_by(rule)
        return (
            len(counted) >= rule.sends
            and counted[-1].time - counted[0].time >= rule.apart_ms
        )

    def counted_by(self, rule):
        """The standing failures that the rule takes, oldest first."""
        return [f for f in self.failures if self.stands(f) and rule.takes(f)]

    def is_on_probation(self, rule, failure):
        """6."""
        counted = [failure] if rule.sends == 1 else self.counted_by(rule)
        delivery = self.delivery
        if self.repeats == 0 or not counted:
            return False
        if counted[-1].time - self.floor >= 30 * DAY:
            return False
        return not (delivery and delivery.time >= self.floor and not delivery.came_back)

    # 6. Suppress.

    def suppress_if_stronger(self, suppression):
        if self.mailbox and suppression.strength <= self.mailbox.strength:
            return False
        self.mailbox = suppression
        self.decide("suppress", suppression.rule, suppression.category, suppression.end, suppression.start)
        return True

    # 7. Release of the mailbox.

    def release_mailbox(self, why, time):
        category = self.mailbox.category
        self.mailbox = None
        self.raise_floor(time)
        self.touched = max(self.touched, time)
        self.decide("release", why, category, None, time)

    # 8. An operator's suppress.

    def operator_suppresses(self, event, _rules):
        if event.t <= self.floor:
            return
        if self.suppress_if_stronger(Suppression("operator", False, "manual", event.t, None)):
            self.repeats = 0

    # 9. and 10. An operator's release.

    def operator_releases(self, event, _rules):
        if event.category in WISHES:
            self.release_wish(event)
            return
        t = event.t
        if t <= self.floor or (self.mailbox and self.mailbox.start > t):
            return
        if self.mailbox:
            self.release_mailbox("operator", t)
        self.raise_floor(t)
        self.touched = max(self.touched, t)
        self.repeats = 0

    # 10. Complaint, unsubscribe.

    def wished(self, event, _rules):
        t = event.t
        if t <= self.wish_floor:
            return
        self.wish_time = max(self.wish_time, t)
        if wish_strength(event.kind) > wish_strength(self.wish):
            self.wish = event.kind
            self.decide("suppress", event.kind, event.kind, None, t)

    def release_wish(self, event):
        t = event.t
        if wish_strength(self.wish) > wish_strength(event.category) or self.wish_time > t:
            return
        self.wish_floor = max(self.wish_floor, t)
        self.touched = max(self.touched, t)
        if self.wish:
            ended, self.wish = self.wish, None
            self.decide("release", "operator", ended, None, t)


def is_of_send(event, send):
    """5: one that does not name what the send is known by is taken to be of it."""
    if send.tenant and not event.tenant:
        return True
    if send.known_by == "campaign" and not event.campaign:
        return True
    if send.known_by == "message" and not event.message:
        return True
    if send.known_by == "day":
        return True
    return event.send == send


def replaces(failure, word):
    """5: does the failure become the word of its send, in the place of the present one?"""
    if failure.time > word.time:
        return True
    if failure.time == word.time and failure.final and not word.final:
        return True
    return word.is_our_own_deferral and not failure.is_our_own_deferral


def suppression_by(rule, failure, repeats):
    """6: category of this failure, start t, end t + lasts."""
    t = failure.time
    if rule.mild:
        end = t + min(MILD_FIRST * 2 ** (repeats - 1), MILD_MAX)
    elif failure.category == "inactive_mailbox":
        end = t + 180 * DAY
    else:
        end = None
    return Suppression(rule.name, rule.mild, failure.category, t, end)


def wish_strength(wish):
    return {"complaint": 2, "unsubscribe": 1, None: 0}[wish]


def matters(event, rules):
    """2, but for a delivery to somebody of whom there is no record."""
    kind, category = event.kind, event.category
    if kind in SILENT:
        return False
    if event.local and kind in ("delivered", "bounced", "late_bounce"):
        return False
    if kind == "deferred" and not event.local and category in NOT_THE_RECIPIENT:
        return False
    if kind in ("bounced", "late_bounce") and not any(category in rule.final for rule in rules):
        return False
    if kind == "expired" and CLASS_OF[category] == "internal":
        return False
    return True


def canonical_recipient(address):
    """Section 3, as far as plain ASCII addresses need it."""
    return address.strip(" <>").lower()


def canonical_tenant(tenant):
    """Section 3: all but [A-Za-z0-9._-] is written %XX."""
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
    return "".join(chr(c) if c in plain else f"%{c:02X}" for c in tenant.encode())


def read_event(native):
    tenant = native.get("tenant")
    return Event(
        kind=native["kind"],
        local=native.get("origin") == "local",
        t=native["ts_ms"],
        recipient=canonical_recipient(native["recipient"]),
        category=native.get("category"),
        tenant=canonical_tenant(tenant) if tenant else None,
        campaign=native.get("campaign"),
        message=native.get("message_id"),
    )


STEPS = {
    "delivered": Record.delivered,
    "suppress": Record.operator_suppresses,
    "release": Record.operator_releases,
    **{kind: Record.failed for kind in FAILURES},
    **{kind: Record.wished for kind in WISHES},
}


class Model:
    """All keys of one replay.

    preset:          rules of all who have none of their own
    mailbox_scope:   `global` or `tenant`
    tenant_presets:  tenant -> preset, the tenants that have rules of their own
    """

    def __init__(self, preset="default", mailbox_scope="global", tenant_presets=None):
        if mailbox_scope not in ("global", "tenant"):
            raise ValueError(f"mailbox_scope {mailbox_scope!r} is neither global nor tenant")
        self.rules = PRESETS[preset]
        self.mailbox_scope = mailbox_scope
        self.tenant_rules = {
            canonical_tenant(tenant): PRESETS[name] for tenant, name in (tenant_presets or {}).items()
        }
        self.records = {}

    def key_of(self, native):
        """The key whose record the event would touch, whether or not it matters."""
        return self._key(read_event(native))

    def apply(self, native):
        """What one event does; the decisions in order."""
        event = read_event(native)
        key = self._key(event)  # 1
        rules = self.tenant_rules.get(event.tenant, self.rules)
        if not matters(event, rules):  # 2
            return []
        record = self.records.get(key)
        if record is None:
            if event.kind == "delivered":  # 2
                return []
            record = self.records[key] = Record(key)
        record.let_time_pass(event.t)  # 3
        STEPS[event.kind](record, event, rules)  # 4 to 10
        return take_decisions(record)

    def end(self, until_ms):
        """Time alone: step 3's release of every key, for the largest time of all input."""
        decisions = []
        for record in self.records.values():
            record.lapse(until_ms)
            decisions += take_decisions(record)
        return decisions

    def _key(self, event):
        """1."""
        tenants_own = (
            event.kind in WISHES
            or event.kind in OPERATOR_WORDS
            or event.tenant in self.tenant_rules
            or self.mailbox_scope == "tenant"
        )
        if event.tenant and tenants_own:
            return f"{event.tenant}:{event.recipient}"
        return event.recipient


def take_decisions(record):
    decisions, record.decisions = record.decisions, []
    return decisions
