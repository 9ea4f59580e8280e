/* classify/event_json.c - see event_json.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/event_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "classify/format.h"
#include "classify/reply.h"

/* --- written ------------------------------------------------------------------------------------
 */

static void write_text(struct json_writer *json, const char *key, struct span text)
{
    if (text.data != NULL) {
        json_member_string(json, key, text);
    }
}

static void write_reply(struct json_writer *json, const struct reply *reply)
{
    char status[ENHANCED_TEXT_SIZE];
    if (reply->code != 0) {
        json_member_int(json, "code", reply->code);
    }
    if (reply->enhanced.class_ != 0) {
        const size_t size = enhanced_format(reply->enhanced, status);
        json_member_string(json, "enhanced", (struct span){status, size});
    }
    write_text(json, "text", reply->text);
    if (reply->stage != STAGE_NONE) {
        json_member_string(json, "stage", span_of(stage_name(reply->stage)));
    }
}

void event_write(struct json_writer *json, uint32_t record, const struct event *event)
{
    json_begin_object(json);
    json_member_int(json, "record", record);
    json_member_string(json, "kind", span_of(kind_name(event->kind)));
    json_member_string(json, "origin", span_of(origin_name(event->origin)));
    write_text(json, "recipient", event->recipient);
    if (event->ts_ms != 0) {
        json_member_int(json, "ts_ms", event->ts_ms);
    }
    write_reply(json, &event->reply);
    write_text(json, "message_id", event->message_id);
    write_text(json, "event_id", event->event_id);
    write_text(json, "tenant", event->tenant);
    write_text(json, "campaign", event->campaign);
    write_text(json, "sender", event->sender);
    write_text(json, "mx", event->mx);
    write_text(json, "provider", event->provider);
    if (event->attempt >= 0) {
        json_member_int(json, "attempt", event->attempt);
    }
    write_text(json, "native_class", event->native_class);
    if (event->category != CATEGORY_NONE) {
        json_member_string(json, "category", span_of(category_name(event->category)));
    }
    json_end_object(json);
}

/* --- read ---------------------------------------------------------------------------------------
 */

enum field {
    FIELD_ID,
    FIELD_CODE,
    FIELD_ENHANCED,
    FIELD_TEXT,
    FIELD_DOMAIN,
    FIELD_KIND,
    FIELD_COUNT
};

static enum kind kind_of_reply(const struct reply *reply)
{
    const unsigned digit = reply->code != 0 ? reply->code / 100U : reply->enhanced.class_;
    return digit == 4 ? KIND_DEFERRED : KIND_BOUNCED;
}

static const char *take_codes(const struct json_node *const *fields, struct reply *reply)
{
    int64_t code;
    if (fields[FIELD_CODE] != NULL && !field_int(fields[FIELD_CODE], 200, 599, &code)) {
        return "reply_code is no number from 200 to 599";
    }
    if (fields[FIELD_CODE] != NULL) {
        reply->code = (uint16_t)code;
    }
    if (fields[FIELD_ENHANCED] != NULL &&
        !enhanced_parse(field_text(fields[FIELD_ENHANCED]), &reply->enhanced)) {
        return "enhanced is no code like 5.1.1";
    }
    return NULL;
}

/* Codes that stand in the text count where the line has none of its own. */
static void take_text(struct span text, char *memory, struct reply *reply)
{
    const struct reply parsed = reply_parse(text, memory);
    reply->stage = parsed.stage;
    if (parsed.code != 0 && reply->code != 0 && parsed.code != reply->code) {
        reply->text = text;
        return;
    }
    reply->text = parsed.text;
    if (reply->code == 0) {
        reply->code = parsed.code;
    }
    if (reply->enhanced.class_ == 0) {
        reply->enhanced = parsed.enhanced;
    }
}

static void take_id(const struct json_node *node, struct reply_line *out)
{
    out->id = field_text(node);
    if (node != NULL && node->kind == JSON_INTEGER) {
        const int size =
            snprintf(out->id_digits, sizeof(out->id_digits), "%" PRId64, node->integer);
        out->id = (struct span){out->id_digits, (size_t)size};
    }
}

static const char *take_line(const struct json_node *root, char *memory, struct reply_line *out)
{
    static const char *const NAMES[FIELD_COUNT] = {"id",   "reply_code",       "enhanced",
                                                   "text", "recipient_domain", "kind"};
    struct span keys[FIELD_COUNT];
    const struct json_node *fields[FIELD_COUNT];
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        keys[i] = span_of(NAMES[i]);
    }
    field_pick(root, keys, FIELD_COUNT, fields);
    if (fields[FIELD_CODE] == NULL) {
        fields[FIELD_CODE] = field_find(root, "code"); /* a line that `decode` printed */
    }
    take_id(fields[FIELD_ID], out);
    const char *wrong = take_codes(fields, &out->event.reply);
    if (wrong != NULL) {
        return wrong;
    }
    take_text(field_text(fields[FIELD_TEXT]), memory, &out->event.reply);
    out->event.recipient = field_text(fields[FIELD_DOMAIN]);
    out->event.kind = kind_of_reply(&out->event.reply);
    if (fields[FIELD_KIND] != NULL &&
        !kind_find(field_text(fields[FIELD_KIND]), &out->event.kind)) {
        return "an unknown kind";
    }
    const struct json_node *stage = field_find(root, "stage");
    if (stage != NULL && !stage_find(field_text(stage), &out->event.reply.stage)) {
        return "an unknown stage";
    }
    const struct json_node *origin = field_find(root, "origin");
    if (origin != NULL && !origin_find(field_text(origin), &out->event.origin)) {
        return "an unknown origin";
    }
    out->event.native_class = field_text(field_find(root, "native_class"));
    return NULL;
}

const char *reply_line_parse(struct json_reader *reader,
                             struct span line,
                             char *memory,
                             struct reply_line *out)
{
    struct span loaded;
    struct json_fault fault;
    *out = (struct reply_line){.event = event_init()};
    if (json_load(reader, line, &loaded) != OK) {
        return "no memory for a line of this size";
    }
    const struct json_node *root = json_read(reader, loaded, &fault);
    if (root == NULL) {
        return fault.words;
    }
    return root->kind == JSON_OBJECT ? take_line(root, memory, out) : "not a JSON object";
}

void reply_line_from_text(struct span line, char *memory, struct reply_line *out)
{
    *out = (struct reply_line){.event = event_init()};
    out->event.reply = reply_parse(line, memory);
    out->event.kind = kind_of_reply(&out->event.reply);
}
