/* tests/test_publication.c - what is published: valid JSON whatever the event held, keys taken
 * apart, headers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/publication.h"

#include "base/json.h"
#include "tests/check.h"

#define START_MS INT64_C(1728000000000)

static const struct publisher PUBLISHER = {"default", "0123456789abcdef", "suppressd/test"};

static struct record suppressed(const char *key, int64_t end_ms)
{
    struct record record;
    record_init(&record, (struct key){0x1234, 0xabcd});
    record.mailbox = (struct mailbox_suppression){
        .active = true,
        .mild = true,
        .category = CATEGORY_MAILBOX_FULL,
        .start_ms = START_MS,
        .end_ms = end_ms,
        .rule = "soft",
    };
    record.key_size = strlen(key);
    memcpy(record.key_text, key, record.key_size);
    return record;
}

static struct decision suppress(int64_t end_ms)
{
    return (struct decision){
        .action = ACTION_SUPPRESS,
        .rule = "soft",
        .category = CATEGORY_MAILBOX_FULL,
        .expires_ms = end_ms,
        .seq = START_MS,
        .ts_ms = START_MS,
        .failures = {{.send = 1, .ts_ms = START_MS, .category = CATEGORY_MAILBOX_FULL}},
        .failure_count = 1,
    };
}

static void assert_json(struct span text)
{
    struct json_reader *reader;
    struct json_fault fault = {0};
    struct span loaded;
    assert_int_equal(json_reader_create(8, &reader), OK);
    assert_int_equal(json_load(reader, text, &loaded), OK);
    if (json_read(reader, loaded, &fault) == NULL) {
        print_error("%s at %zu: %.*s\n", fault.words, fault.position, SPAN_ARGS(text));
        fail();
    }
    json_reader_destroy(&reader);
}

static void whatever_the_event_held_the_record_is_json_and_within_its_bound(void **state)
{
    (void)state;
    struct chance chance = chance_init("hostile");
    static char garbage[EVIDENCE_TEXT_SIZE_MAX];
    char *memory = malloc(PUBLICATION_SIZE_MAX);
    for (int round = 0; round < 500; round++) {
        for (size_t i = 0; i < sizeof(garbage); i++) {
            /* the worst for the size are control characters: six bytes each */
            garbage[i] = (char)(round == 0 ? 1 : chance_next(&chance));
        }
        const struct span text = {garbage, sizeof(garbage)};
        const struct span word = {garbage, EVIDENCE_WORD_SIZE_MAX};
        const struct observation o = {
            .kind = KIND_BOUNCED,
            .ts_ms = START_MS,
            .evidence = {.reply = {.code = 552, .enhanced = {5, 2, 2}, .text = text},
                         .rule = word,
                         .mx = word,
                         .provider = word,
                         .message_id = word,
                         .campaign = word,
                         .sender = word,
                         .topic = word},
        };
        const struct record record = suppressed("acme:r@example.com", START_MS + DAY_MS);
        const struct decision decision = suppress(START_MS + DAY_MS);
        struct writer w = writer_init(memory, PUBLICATION_SIZE_MAX);
        assert_true(publication_write_state(&w, &PUBLISHER, &record, &decision, &o));
        assert_false(w.overflowed);
        assert_json(writer_span(&w));
        w = writer_init(memory, PUBLICATION_SIZE_MAX);
        publication_write_decision(&w, &PUBLISHER, &record, &decision, &o);
        assert_false(w.overflowed);
        assert_json(writer_span(&w));
    }
    free(memory);
}

static void only_a_key_without_mailbox_and_wish_is_a_tombstone(void **state)
{
    (void)state;
    char memory[PUBLICATION_SIZE_MAX];
    struct writer w = writer_init(memory, sizeof(memory));
    struct record record = suppressed("r@example.com", 0);
    record.mailbox.active = false;
    struct decision decision = suppress(0);
    decision.action = ACTION_RELEASE;
    decision.rule = "lapse";
    assert_false(publication_write_state(&w, &PUBLISHER, &record, &decision, NULL));
    assert_int_equal(w.size, 0);
    record.wish = (struct wish){.kind = WISH_UNSUBSCRIBE, .ts_ms = START_MS};
    assert_true(publication_write_state(&w, &PUBLISHER, &record, &decision, NULL));
    const struct span text = writer_span(&w);
    assert_non_null(memmem(text.data, text.size, "\"mailbox\":null", 14));
    assert_non_null(memmem(text.data, text.size, "\"kind\":\"unsubscribe\"", 20));
}

static void a_key_is_parted_at_its_first_colon_outside_an_address(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *tenant;
        const char *recipient;
    } TABLE[] = {
        {"r@example.com", NULL, "r@example.com"},
        {"acme:r@example.com", "acme", "r@example.com"},
        {"\"a:b\"@example.com", NULL, "\"a:b\"@example.com"},
        {"acme:\"a:b\"@example.com", "acme", "\"a:b\"@example.com"},
        {"r@[IPv6:2001:db8::1]", NULL, "r@[IPv6:2001:db8::1]"},
    };
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        struct span tenant;
        struct span recipient;
        key_text_split(span_of(TABLE[i].key), &tenant, &recipient);
        assert_true(span_equal(tenant, span_of(TABLE[i].tenant)));
        assert_true(span_equal(recipient, span_of(TABLE[i].recipient)));
    }
}

static struct span header(const struct publication_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(headers[i].name, name) == 0) {
            return headers[i].value;
        }
    }
    return SPAN_NONE;
}

static void headers_say_what_it_is_and_hold_no_address(void **state)
{
    (void)state;
    char memory[PUBLICATION_SIZE_MAX];
    struct publication_header headers[PUBLICATION_HEADERS_MAX];
    struct writer w = writer_init(memory, sizeof(memory));
    const struct record record = suppressed("acme:r@example.com", 0);
    struct decision decision = suppress(0);
    decision.action = ACTION_RELEASE;
    decision.rule = "delivery";
    const struct observation o = {.kind = KIND_BOUNCED,
                                  .evidence = {.traceparent = SPAN("00-ab-cd-01")}};
    size_t count = publication_headers(&w, &PUBLISHER, &record, &decision, &o, true, headers);
    assert_true(span_equal(header(headers, count, "ce_type"), SPAN("io.suppressd.release.v1")));
    assert_true(span_equal(header(headers, count, "suppressd-rule"), SPAN("delivery")));
    assert_true(span_equal(header(headers, count, "traceparent"), SPAN("00-ab-cd-01")));
    assert_true(span_equal(header(headers, count, "ce_id"),
                           SPAN("0000000000001234000000000000abcd-1728000000000")));
    assert_null(header(headers, count, "content-type").data);
    for (size_t i = 0; i < count; i++) {
        assert_null(memchr(headers[i].value.data, '@', headers[i].value.size));
    }
    count = publication_headers(&w, &PUBLISHER, &record, &decision, &o, false, headers);
    assert_true(span_equal(header(headers, count, "content-type"), SPAN("application/json")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_the_event_held_the_record_is_json_and_within_its_bound),
        cmocka_unit_test(only_a_key_without_mailbox_and_wish_is_a_tombstone),
        cmocka_unit_test(a_key_is_parted_at_its_first_colon_outside_an_address),
        cmocka_unit_test(headers_say_what_it_is_and_hold_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
