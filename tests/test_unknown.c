/* tests/test_unknown.c - the most frequent unknown replies are found, and how wrong a count may be is
 * known.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/tally.h"
#include "classify/unknown.h"
#include "tests/allocations.h"
#include "tests/check.h"

enum { KINDS_OF_TEXT = 20000, EVENTS = 300000, TABLES = 3 };

static struct event event_of(const char *text)
{
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    event.reply.code = 550;
    event.reply.text = span_of(text);
    event.recipient = SPAN("ana@example.com");
    return event;
}

static void add_event(struct unknown *unknown,
                      const struct event *event,
                      struct span provider,
                      int64_t ts_ms)
{
    const struct unknown_entry entry =
        unknown_entry_of(event, provider, CATEGORY_UNKNOWN_PERMANENT, ts_ms);
    unknown_add(unknown, &entry);
}

static void add(struct unknown *unknown, const char *text, int64_t ts_ms)
{
    const struct event event = event_of(text);
    add_event(unknown, &event, SPAN_NONE, ts_ms);
}

static struct unknown *create(void)
{
    struct unknown *unknown = NULL;
    assert_int_equal(unknown_create(&unknown), OK);
    return unknown;
}

/* The entries, the most frequent first; free() them. */
static struct unknown_entry *entries_of(const struct unknown *unknown, size_t *count)
{
    struct unknown_entry *entries = NULL;
    assert_int_equal(unknown_merge(&unknown, 1, &entries, count), OK);
    return entries;
}

static void equal_replies_are_one_entry_whoever_they_are_about(void **state)
{
    (void)state;
    struct unknown *unknown = create();
    size_t count = 0;
    add(unknown, "<ana@example.com>: no (id 4TqXbP3w2Zz9vKq)", 2000);
    add(unknown, "<bob@example.com>: no (id 4TqXbQ7r9Kz1vPw)", 1000);
    add(unknown, "something else", 3000);
    struct unknown_entry *entries = entries_of(unknown, &count);
    assert_int_equal(count, 2);
    assert_int_equal(entries[0].count, 2);
    assert_int_equal(entries[0].error, 0);
    assert_int_equal(entries[0].first_ms, 1000);
    assert_int_equal(entries[0].last_ms, 2000);
    assert_int_equal(entries[0].code, 550);
    assert_int_equal(entries[0].category, CATEGORY_UNKNOWN_PERMANENT);
    assert_memory_equal(entries[0].text, "<{address}>: no (id {id})", entries[0].text_size);
    assert_memory_equal(entries[0].provider, "example.com", entries[0].provider_size);
    assert_int_equal(unknown_total(unknown), 3);
    free(entries);
    unknown_destroy(&unknown);
}

static void other_codes_and_providers_are_other_entries(void **state)
{
    (void)state;
    struct unknown *unknown = create();
    struct event event = event_of("no");
    add_event(unknown, &event, SPAN_NONE, 1);
    event.reply.code = 450;
    add_event(unknown, &event, SPAN_NONE, 1);
    event.reply.enhanced = (struct enhanced){4, 2, 1};
    add_event(unknown, &event, SPAN_NONE, 1);
    add_event(unknown, &event, SPAN("gmx"), 1);
    assert_int_equal(unknown_count(unknown), 4);
    unknown_destroy(&unknown);
}

static void without_their_providers_equal_replies_are_one_entry(void **state)
{
    (void)state;
    struct unknown *unknown = create();
    const struct event event = event_of("no");
    struct unknown_entry one = unknown_entry_of(&event, SPAN("one"), CATEGORY_UNKNOWN_PERMANENT, 1);
    struct unknown_entry two = unknown_entry_of(&event, SPAN("two"), CATEGORY_UNKNOWN_PERMANENT, 1);
    assert_true(one.key != two.key && one.text_key == two.text_key);
    unknown_forget_provider(&one);
    unknown_forget_provider(&two);
    unknown_add(unknown, &one);
    unknown_add(unknown, &two);
    assert_int_equal(unknown_count(unknown), 1);
    unknown_destroy(&unknown);
}

static void a_provider_is_known_by_its_mx_then_by_the_recipients_domain(void **state)
{
    (void)state;
    static const struct {
        const char *given, *mx, *recipient, *provider;
    } ROWS[] = {
        {"Yahoo", "mx.x.example", "a@b.example", "yahoo"},
        {NULL, "mx1.mail.EXAMPLE.com.", "a@b.example", "example.com"},
        {NULL, "mx1.mail.example.co.uk", "a@b.example", "example.co.uk"},
        {NULL, "mx.example.co", "a@b.example", "example.co"},
        {NULL, "192.0.2.1", "a@mx.b.example", "b.example"},
        {NULL, "[IPv6:2001:db8::1]", "<a@b.example>", "b.example"},
        {NULL, "", "a@b.or.jp", "b.or.jp"},
        {NULL, "", "localhost", ""},
        {NULL, "", "a@\x1b[31m", "?[31m"},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct unknown *unknown = create();
        struct event event = event_of("no");
        size_t count = 0;
        event.mx = span_of(ROWS[i].mx);
        event.recipient = span_of(ROWS[i].recipient);
        add_event(unknown, &event, span_of(ROWS[i].given), 1);
        struct unknown_entry *entries = entries_of(unknown, &count);
        assert_int_equal(entries[0].provider_size, strlen(ROWS[i].provider));
        assert_memory_equal(entries[0].provider, ROWS[i].provider, strlen(ROWS[i].provider));
        free(entries);
        unknown_destroy(&unknown);
    }
}

/* --- the bound ------------------------------------------------------------------------------- */

/* Letters only, so that the mask leaves them as they are. */
static void text_of(size_t number, char out[8])
{
    for (size_t i = 0; i < 6; i++, number /= 26) {
        out[i] = (char)('a' + number % 26);
    }
    out[6] = '\0';
}

static size_t number_of(const struct unknown_entry *entry)
{
    size_t number = 0;
    for (size_t i = 6; i > 0; i--) {
        number = number * 26 + (size_t)(entry->text[i - 1] - 'a');
    }
    return number;
}

/* About as often as Zipf has it: the text of rank r comes with a share that falls with r. */
static size_t pick(struct chance *chance)
{
    const uint64_t bound = 1 + chance_below(chance, KINDS_OF_TEXT);
    return (size_t)chance_below(chance, 1 + chance_below(chance, bound));
}

static void assert_bounds(const struct unknown_entry *entries, size_t count, const uint32_t *exact)
{
    static bool is_there[KINDS_OF_TEXT];
    memset(is_there, 0, sizeof(is_there));
    for (size_t i = 0; i < count; i++) {
        const size_t number = number_of(&entries[i]);
        assert_true(number < KINDS_OF_TEXT && !is_there[number]);
        assert_true(entries[i].count >= exact[number]);
        assert_true(entries[i].count - entries[i].error <= exact[number]);
        assert_true(entries[i].error <= EVENTS / UNKNOWN_MAX);
        assert_true(i == 0 || entries[i - 1].count >= entries[i].count);
        is_there[number] = true;
    }
    for (size_t i = 0; i < KINDS_OF_TEXT; i++) {
        assert_true(is_there[i] || exact[i] <= EVENTS / UNKNOWN_MAX);
    }
}

static void a_count_is_wrong_by_no_more_than_it_says(void **state)
{
    (void)state;
    static uint32_t exact[KINDS_OF_TEXT];
    struct chance chance = chance_init("unknown");
    struct unknown *unknown = create();
    size_t count = 0;
    for (int i = 0; i < EVENTS; i++) {
        char text[8];
        const size_t number = pick(&chance);
        text_of(number, text);
        exact[number]++;
        add(unknown, text, 1);
    }
    assert_int_equal(unknown_count(unknown), UNKNOWN_MAX);
    struct unknown_entry *entries = entries_of(unknown, &count);
    assert_int_equal(count, UNKNOWN_MAX);
    assert_bounds(entries, count, exact);
    assert_true(entries[count - 1].error > 0); /* else this test shows nothing */
    free(entries);
    unknown_destroy(&unknown);
}

static void the_bounds_hold_over_several_tables(void **state)
{
    (void)state;
    static uint32_t exact[KINDS_OF_TEXT];
    struct chance chance = chance_init("unknown, merged");
    struct unknown *tables[TABLES];
    struct unknown_entry *entries = NULL;
    size_t count = 0;
    for (size_t i = 0; i < TABLES; i++) {
        tables[i] = create();
    }
    for (int i = 0; i < EVENTS; i++) {
        char text[8];
        const size_t number = pick(&chance);
        text_of(number, text);
        exact[number]++;
        /* one table is never full, and texts are not spread evenly */
        add(tables[number % 50 == 0 ? 0 : 1 + chance_below(&chance, TABLES - 1)], text, 1);
    }
    assert_true(unknown_count(tables[0]) < UNKNOWN_MAX);
    assert_int_equal(unknown_merge((const struct unknown *const *)tables, TABLES, &entries, &count),
                     OK);
    assert_bounds(entries, count, exact);
    free(entries);
    for (size_t i = 0; i < TABLES; i++) {
        unknown_destroy(&tables[i]);
    }
}

static void a_copy_is_the_same(void **state)
{
    (void)state;
    struct unknown *unknown = create();
    struct unknown *copy = create();
    size_t count = 0;
    add(unknown, "one", 1);
    add(unknown, "two", 1);
    unknown_copy(copy, unknown);
    add(unknown, "two", 1);
    struct unknown_entry *entries = entries_of(copy, &count);
    assert_int_equal(count, 2);
    assert_int_equal(entries[0].count + entries[1].count, 2);
    free(entries);
    add(copy, "two", 1); /* it can be counted on */
    assert_int_equal(unknown_total(copy), 3);
    unknown_destroy(&copy);
    unknown_destroy(&unknown);
}

static void counting_takes_no_memory(void **state)
{
    (void)state;
#if !MALLOC_IS_OURS
    skip();
#else
    struct unknown *unknown = create();
    const size_t before = allocations;
    assert_true(before > 0);
    for (size_t i = 0; i < 3 * UNKNOWN_MAX; i++) {
        char text[8];
        text_of(i % 2000, text);
        add(unknown, text, 1);
    }
    assert_int_equal(allocations, before);
    unknown_destroy(&unknown);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_replies_are_one_entry_whoever_they_are_about),
        cmocka_unit_test(other_codes_and_providers_are_other_entries),
        cmocka_unit_test(without_their_providers_equal_replies_are_one_entry),
        cmocka_unit_test(a_provider_is_known_by_its_mx_then_by_the_recipients_domain),
        cmocka_unit_test(a_count_is_wrong_by_no_more_than_it_says),
        cmocka_unit_test(the_bounds_hold_over_several_tables),
        cmocka_unit_test(a_copy_is_the_same),
        cmocka_unit_test(counting_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
