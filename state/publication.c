/* state/publication.c - see publication.h. The shape of the value is
 * deploy/suppression.schema.json.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/publication.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"

enum { REASON_SIZE_MAX = 300, ID_SIZE_MAX = 64 };

void key_text_split(struct span key, struct span *tenant, struct span *recipient)
{
    /* no tenant holds a colon, no canonical address one outside quotes */
    for (size_t i = 0; i < key.size && key.data[i] != '"' && key.data[i] != '@'; i++) {
        if (key.data[i] == ':') {
            *tenant = (struct span){key.data, i};
            *recipient = (struct span){key.data + i + 1, key.size - i - 1};
            return;
        }
    }
    *tenant = SPAN_NONE;
    *recipient = key;
}

static void member_time(struct json_writer *json, const char *name, int64_t ms)
{
    char text[TIME_TEXT_SIZE + 1];
    time_format(ms < TIME_MS_MAX ? ms : TIME_MS_MAX, text);
    json_member_string(json, name, (struct span){text, TIME_TEXT_SIZE});
}

/* 0 is null: for good, or never. */
static void member_time_or_null(struct json_writer *json, const char *name, int64_t ms)
{
    if (ms == 0) {
        json_key(json, name);
        json_null(json);
    } else {
        member_time(json, name, ms);
    }
}

static void member_text(struct json_writer *json, const char *name, struct span text)
{
    if (text.size > 0) {
        json_member_string(json, name, text);
    }
}

static void member_bool(struct json_writer *json, const char *name, bool value)
{
    json_key(json, name);
    json_bool(json, value);
}

/* The same decision always has the same id: hash of its key, and seq. */
static struct span write_id(char out[ID_SIZE_MAX], struct key key, int64_t seq)
{
    const int size = snprintf(out, ID_SIZE_MAX, "%016" PRIx64 "%016" PRIx64 "-%" PRId64,
                              key.address_hash, key.scope_hash, seq);
    return (struct span){out, (size_t)size};
}

/* --- evidence ------------------------------------------------------------------------------- */

static void write_failures(struct json_writer *json, const struct decision *decision)
{
    json_key(json, "failures");
    json_begin_array(json);
    for (size_t i = 0; i < decision->failure_count; i++) {
        const struct failure *failure = &decision->failures[i];
        json_begin_object(json);
        member_time(json, "time", failure->ts_ms);
        json_member_string(json, "category", span_of(category_name(failure->category)));
        member_bool(json, "final", failure->final);
        json_end_object(json);
    }
    json_end_array(json);
}

static void write_reply(struct json_writer *json, const struct reply *reply)
{
    char enhanced[32];
    if (reply->code >= 200 && reply->code <= 599) {
        json_member_int(json, "smtp_code", reply->code);
    }
    if (reply->enhanced.class_ != 0) {
        const int size = snprintf(enhanced, sizeof(enhanced), "%u.%u.%u", reply->enhanced.class_,
                                  reply->enhanced.subject, reply->enhanced.detail);
        json_member_string(json, "enhanced", (struct span){enhanced, (size_t)size});
    }
    member_text(json, "text", reply->text);
}

static void write_input(struct json_writer *json, const struct evidence *evidence)
{
    if (evidence->topic.size == 0) {
        return;
    }
    json_key(json, "input");
    json_begin_object(json);
    json_member_string(json, "topic", evidence->topic);
    json_member_int(json, "partition", evidence->partition);
    json_member_int(json, "offset", evidence->offset);
    json_member_int(json, "index", evidence->index);
    json_end_object(json);
}

static void write_words(struct json_writer *json, const struct evidence *evidence)
{
    write_reply(json, &evidence->reply);
    member_text(json, "classified_by", evidence->rule);
    member_text(json, "mx", evidence->mx);
    member_text(json, "provider", evidence->provider);
    member_text(json, "message_id", evidence->message_id);
    member_text(json, "campaign", evidence->campaign);
    member_text(json, "sender", evidence->sender);
    write_input(json, evidence);
}

static void write_evidence(struct json_writer *json,
                           const struct decision *decision,
                           const struct observation *observation)
{
    const struct evidence *evidence = &observation->evidence;
    json_key(json, "evidence");
    json_begin_object(json);
    json_member_string(json, "event_kind", span_of(kind_name(observation->kind)));
    member_time(json, "event_time", observation->ts_ms);
    if (observation_has_words(observation)) {
        write_words(json, evidence);
    }
    if (decision->failure_count > 0) {
        write_failures(json, decision);
    }
    member_time_or_null(json, "last_delivered", decision->last_delivered_ms);
    json_end_object(json);
}
/* --- the state of a key --------------------------------------------------------------------- */

static const char *const SOURCE_NAMES[] = {"bounce", "late_bounce", "operator"};

/* From the state alone, so that a later record of the key says the same. */
static void write_reason(struct json_writer *json, const struct mailbox_suppression *mailbox)
{
    char since[TIME_TEXT_SIZE + 1];
    char reason[REASON_SIZE_MAX];
    int size;
    time_format(mailbox->start_ms, since);
    const char *category = category_name(mailbox->category);
    if (mailbox->source == SOURCE_OPERATOR) {
        size = snprintf(reason, sizeof(reason), "An operator suppressed it on %.10s.", since);
    } else if (mailbox->mild) {
        size = snprintf(reason, sizeof(reason),
                        "Mail to it kept failing; rule %s held on %.10s with %s.", mailbox->rule,
                        since, category);
    } else {
        size = snprintf(reason, sizeof(reason), "Mail to it failed on %.10s with %s; rule %s.",
                        since, category, mailbox->rule);
    }
    json_member_string(json, "reason", (struct span){reason, (size_t)size});
}

static void write_mailbox(struct json_writer *json,
                          const struct record *record,
                          const struct decision *decision,
                          const struct observation *observation)
{
    const struct mailbox_suppression *mailbox = &record->mailbox;
    json_key(json, "mailbox");
    if (!mailbox->active) {
        json_null(json);
        return;
    }
    json_begin_object(json);
    json_member_string(json, "rule", span_of(mailbox->rule));
    json_member_string(json, "category", span_of(category_name(mailbox->category)));
    json_member_string(json, "applies_to",
                       mailbox->all_mail ? SPAN("all") : SPAN("non_transactional"));
    member_time(json, "since", mailbox->start_ms);
    member_time_or_null(json, "expires", mailbox->end_ms);
    write_reason(json, mailbox);
    json_member_string(json, "source", span_of(SOURCE_NAMES[mailbox->source]));
    if (!decision->of_wish && decision->action == ACTION_SUPPRESS) {
        write_evidence(json, decision, observation);
    }
    json_end_object(json);
}

static void write_wish(struct json_writer *json,
                       const struct record *record,
                       const struct decision *decision,
                       const struct observation *observation)
{
    const struct wish *wish = &record->wish;
    json_key(json, "wish");
    if (wish->kind == WISH_NONE) {
        json_null(json);
        return;
    }
    json_begin_object(json);
    json_member_string(json, "kind",
                       wish->kind == WISH_COMPLAINT ? SPAN("complaint") : SPAN("unsubscribe"));
    member_time(json, "since", wish->ts_ms);
    if (decision->of_wish && decision->action == ACTION_SUPPRESS) {
        write_evidence(json, decision, observation);
    }
    json_end_object(json);
}

/* What both topics begin with: whose, which, when, by what rules. */
static void write_head(struct json_writer *json,
                       const struct publisher *publisher,
                       const struct record *record,
                       const struct decision *decision)
{
    char id[ID_SIZE_MAX];
    struct span tenant;
    struct span recipient;
    key_text_split(record_key_text(record), &tenant, &recipient);
    json_member_int(json, "v", 1);
    json_member_string(json, "id", write_id(id, record->key, decision->seq));
    json_member_int(json, "seq", decision->seq);
    json_member_string(json, "recipient", recipient);
    json_member_string(json, "scope", tenant.data == NULL ? SPAN("global") : SPAN("tenant"));
    json_key(json, "tenant");
    if (tenant.data == NULL) {
        json_null(json);
    } else {
        json_string(json, tenant);
    }
    json_key(json, "policy");
    json_begin_object(json);
    json_member_string(json, "name", span_of(publisher->policy_name));
    json_member_string(json, "version", span_of(publisher->policy_version));
    json_end_object(json);
}

bool publication_write_state(struct writer *out,
                             const struct publisher *publisher,
                             const struct record *record,
                             const struct decision *decision,
                             const struct observation *observation)
{
    if (!record_is_suppressed(record)) {
        return false;
    }
    struct json_writer json = json_writer_init(out);
    json_begin_object(&json);
    write_head(&json, publisher, record, decision);
    write_mailbox(&json, record, decision, observation);
    write_wish(&json, record, decision, observation);
    member_time(&json, "updated", decision->ts_ms);
    json_end_object(&json);
    return true;
}

/* --- a decision ----------------------------------------------------------------------------- */

static const char *action_name(const struct decision *decision)
{
    return decision->action == ACTION_SUPPRESS ? "suppress" : "release";
}

void publication_write_decision(struct writer *out,
                                const struct publisher *publisher,
                                const struct record *record,
                                const struct decision *decision,
                                const struct observation *observation)
{
    struct json_writer json = json_writer_init(out);
    json_begin_object(&json);
    write_head(&json, publisher, record, decision);
    json_member_string(&json, "action", span_of(action_name(decision)));
    json_member_string(&json, "of", decision->of_wish ? SPAN("wish") : SPAN("mailbox"));
    json_member_string(&json, "rule", span_of(decision->rule));
    json_member_string(&json, "category", span_of(category_name(decision->category)));
    member_time(&json, "time", decision->ts_ms);
    member_time_or_null(&json, "expires", decision->expires_ms);
    if (observation != NULL) {
        write_evidence(&json, decision, observation);
    }
    json_end_object(&json);
}

void publication_write_line(struct writer *out,
                            const struct record *record,
                            const struct decision *decision)
{
    struct json_writer json = json_writer_init(out);
    json_begin_object(&json);
    json_member_string(&json, "action", span_of(action_name(decision)));
    json_member_string(&json, "key", record_key_text(record));
    json_member_string(&json, "rule", span_of(decision->rule));
    json_member_string(&json, "category", span_of(category_name(decision->category)));
    json_key(&json, "expires_ms");
    if (decision->expires_ms == 0) {
        json_null(&json);
    } else {
        json_int(&json, decision->expires_ms);
    }
    json_member_int(&json, "seq", decision->seq);
    json_member_int(&json, "ts_ms", decision->ts_ms);
    json_end_object(&json);
}

/* --- headers -------------------------------------------------------------------------------- */

struct header_list {
    struct writer *out;
    struct publication_header *headers;
    size_t count;
};

static void add_header(struct header_list *list, const char *name, struct span value)
{
    CHECK(list->count < PUBLICATION_HEADERS_MAX);
    const size_t place = list->out->size;
    put_bytes(list->out, value);
    list->headers[list->count++] =
        (struct publication_header){name, {list->out->data + place, list->out->size - place}};
}

size_t publication_headers(struct writer *out,
                           const struct publisher *publisher,
                           const struct record *record,
                           const struct decision *decision,
                           const struct observation *observation,
                           bool is_tombstone,
                           struct publication_header headers[PUBLICATION_HEADERS_MAX])
{
    struct header_list list = {.out = out, .headers = headers};
    char id[ID_SIZE_MAX];
    char time[TIME_TEXT_SIZE + 1];
    char seq[24];
    time_format(decision->ts_ms < TIME_MS_MAX ? decision->ts_ms : TIME_MS_MAX, time);
    const int seq_size = snprintf(seq, sizeof(seq), "%" PRId64, decision->seq);
    const bool suppresses = decision->action == ACTION_SUPPRESS;
    if (!is_tombstone) {
        /* CloudEvents takes an event with a content type for one that has data */
        add_header(&list, "content-type", SPAN("application/json"));
    }
    add_header(&list, "ce_specversion", SPAN("1.0"));
    add_header(&list, "ce_id", write_id(id, record->key, decision->seq));
    add_header(&list, "ce_type",
               suppresses ? SPAN("io.suppressd.suppress.v1") : SPAN("io.suppressd.release.v1"));
    add_header(&list, "ce_source", span_of(publisher->source));
    add_header(&list, "ce_time", (struct span){time, TIME_TEXT_SIZE});
    add_header(&list, "suppressd-action", span_of(action_name(decision)));
    add_header(&list, "suppressd-rule", span_of(decision->rule));
    add_header(&list, "suppressd-category", span_of(category_name(decision->category)));
    add_header(&list, "suppressd-seq", (struct span){seq, (size_t)seq_size});
    if (observation != NULL && observation_has_words(observation) &&
        observation->evidence.traceparent.size > 0) {
        add_header(&list, "traceparent", observation->evidence.traceparent);
    }
    return list.count;
}
