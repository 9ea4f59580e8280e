/* tests/test_fuzz_decode.c - a decoder says the same of a record, whatever it has read before.
 *
 * Records of the samples, changed at random: most stay what they were but for a value, many become
 * nearly JSON. tests/fuzz/fuzz_decode.c looks for longer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/fuzz/same_decoding.h"

enum {
    CASES = 2500,
    FORMATS = 14,
    SAMPLES_MAX = 256,
    FILES_MAX = 32,
    FILE_SIZE_MAX = 64 * 1024,
    RECORD_SIZE_MAX = 4096,
    SEED = 20261125,
};

static uint64_t chance_state;

/* xorshift64* */
static uint64_t chance(uint64_t below)
{
    chance_state ^= chance_state >> 12;
    chance_state ^= chance_state << 25;
    chance_state ^= chance_state >> 27;
    return (chance_state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % below;
}

static struct {
    const struct format *format;
    struct span text;
} samples[SAMPLES_MAX];
static size_t sample_count;

static void add_sample(const struct format *format, struct span text)
{
    if (text.size > 0 && text.size < RECORD_SIZE_MAX) {
        assert_true(sample_count < SAMPLES_MAX);
        samples[sample_count].format = format;
        samples[sample_count++].text = text;
    }
}

/* A line, or an element of an array that has a line of its own. */
static struct span element(const char *line, size_t size)
{
    const struct span text = span_trim((struct span){line, size});
    const bool has_comma = text.size > 0 && text.data[text.size - 1] == ',';
    return (struct span){text.data, text.size - has_comma};
}

static struct span read_sample_file(const char *name)
{
    static char memory[FILES_MAX][FILE_SIZE_MAX];
    static size_t used;
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/data/formats/%s", TESTS_DIRECTORY, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(used < FILES_MAX);
    char *text = memory[used++];
    const size_t size = fread(text, 1, FILE_SIZE_MAX, file);
    (void)fclose(file);
    return (struct span){text, size};
}

static void add_whole_file(const char *format, const char *name)
{
    add_sample(format_find(span_of(format)), read_sample_file(name));
}

static void add_samples_of_file(const char *format_name, const char *name)
{
    const struct format *format = format_find(span_of(format_name));
    const struct span text = read_sample_file(name);
    size_t start = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\n') {
            add_sample(format, element(text.data + start, i - start));
            start = i + 1;
        }
    }
    add_sample(format, element(text.data + start, text.size - start));
}

static int setup(void **state)
{
    (void)state;
    chance_state = SEED;
    add_samples_of_file("kumomta", "kumomta.ndjson");
    add_samples_of_file("native", "expected.ndjson");
    add_samples_of_file("sparkpost", "sparkpost-webhook.json");
    add_samples_of_file("ses", "ses-event.ndjson");
    add_samples_of_file("ses", "ses-sns.ndjson");
    add_sample(format_find(SPAN("sendgrid")),
               SPAN("{\"email\":\"gil@example.com\",\"timestamp\":1795255212,\"event\":\"bounce\","
                    "\"smtp-id\":\"<m-7734@shop.example.net>\",\"category\":[\"spring26\"],"
                    "\"sg_message_id\":\"14c5\",\"reason\":\"550 5.1.1 User unknown\","
                    "\"status\":\"5.1.1\",\"type\":\"bounce\",\"attempt\":\"1\"}"));
    add_samples_of_file("mailgun", "mailgun.ndjson");
    add_samples_of_file("halon", "halon-delivery.ndjson");
    add_samples_of_file("halon", "halon-postmastery.ndjson");
    add_samples_of_file("postfix", "postfix.log");
    add_samples_of_file("postfix", "postfix-shippers.ndjson");
    add_samples_of_file("exim", "exim-mainlog.log");
    add_samples_of_file("momentum", "momentum-bouncelog.txt");
    add_whole_file("powermta", "powermta.csv");
    add_whole_file("powermta", "powermta-fbl.csv");
    add_whole_file("dsn", "dsn/failed-multi.eml");
    add_whole_file("dsn", "dsn/failed-postfix.eml");
    add_whole_file("arf", "arf/abuse-full.eml");
    add_whole_file("arf", "arf/abuse-redacted.eml");
    add_whole_file("auto", "postfix.log");
    add_whole_file("auto", "powermta.csv");
    add_whole_file("auto", "dsn/failed-multi.eml");
    add_samples_of_file("auto", "ses-sns.ndjson");
    add_samples_of_file("auto", "mailgun.ndjson");
    add_samples_of_file("auto", "kumomta.ndjson");
    add_sample(format_at(0),
               SPAN("{\"type\":\"Bounce\",\"recipient\":\"a@b.example\",\"timestamp\":1,\"x\":-5,"
                    "\"y\":1.5,\"z\":[],\"\":{}}"));
    add_sample(format_at(0),
               SPAN("{ \"type\" : \"Delivery\" ,\n \"recipient\" : [ \"a@b.example\" ] ,\n"
                    " \"timestamp\" : 0 , \"\\u0069d\" : \"\xc3\xa4\" }"));
    return 0;
}

/* --- changes ------------------------------------------------------------------------------------
 */

struct record {
    char data[2 * RECORD_SIZE_MAX];
    size_t size;
};

static void replace(struct record *record, size_t at, size_t size, struct span with)
{
    if (record->size - size + with.size > sizeof(record->data)) {
        return;
    }
    memmove(record->data + at + with.size, record->data + at + size, record->size - at - size);
    memcpy(record->data + at, with.data, with.size);
    record->size = record->size - size + with.size;
}

/* What a value may hold or must not. */
static struct span bit_of_text(void)
{
    static const struct span BITS[] = {
        {"\"", 1},
        {"\\", 1},
        {"\\\"", 2},
        {"\\u00e4", 6},
        {"\\ud800", 6},
        {"\x00", 1},
        {"\x1f", 1},
        {"\x7f", 1},
        {"\x80", 1},
        {"\xc3\xa4", 2},
        {"\xe2\x82\xac", 3},
        {"\xc0\x80", 2},
        {"\xed\xa0\x80", 3},
        {"\xfe", 1},
        {"\xf0\x9f\x98\x80", 4},
        {"\xf4\x90\x80\x80", 4},
        {"\xc3", 1},
        {"0", 1},
        {"-", 1},
        {"1e3", 3},
        {".5", 2},
        {"999999999999999999", 18},
        {"{", 1},
        {"}", 1},
        {"[", 1},
        {"]", 1},
        {",", 1},
        {":", 1},
        {"null", 4},
        {"true", 4},
        {" ", 1},
        {"\n", 1},
        {"\v", 1},
        {"\"x\":1,", 6},
        {"", 0},
    };
    return BITS[chance(sizeof(BITS) / sizeof(BITS[0]))];
}

/* The same kind of byte: what a value is replaced by most of the time. */
static char other_byte(char c)
{
    if (c >= '0' && c <= '9') {
        return (char)('0' + chance(10));
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        return (char)('a' + chance(26));
    }
    return c;
}

static void change(struct record *record)
{
    const size_t at = record->size == 0 ? 0 : chance(record->size);
    const size_t left = record->size - at;
    const size_t size = left == 0 ? 0 : chance(left < 20 ? left : 20);
    switch (chance(8)) {
    case 0:
        replace(record, at, 0, bit_of_text());
        break;
    case 1:
        replace(record, at, size, bit_of_text());
        break;
    case 2: {
        const struct span other = samples[chance(sample_count)].text;
        const size_t from = chance(other.size);
        replace(record, at, size, (struct span){other.data + from, chance(other.size - from)});
        break;
    }
    case 3:
        record->size = at;
        break;
    default: /* most of all: other values in the same shape */
        for (size_t i = at; i < at + size; i++) {
            record->data[i] = other_byte(record->data[i]);
        }
        break;
    }
}

static size_t choose_sample(const struct format *format)
{
    size_t chosen;
    do {
        chosen = chance(sample_count);
    } while (samples[chosen].format != format);
    return chosen;
}

/* Returns how many were known by their shape. */
static uint64_t decode_changed(const struct format *format)
{
    static struct record record;
    struct experience experience;
    experience_begin(&experience);
    for (size_t i = 0; i < CASES; i++) {
        const struct span sample = samples[choose_sample(format)].text;
        memcpy(record.data, sample.data, sample.size);
        record.size = sample.size;
        for (uint64_t changes = chance(4); changes > 0; changes--) {
            change(&record);
        }
        const struct format *any = format_at(chance(FORMATS));
        experience_bytes(&experience, chance(16) == 0 ? any : format,
                         (struct span){record.data, record.size});
    }
    const uint64_t known = experience.known;
    experience_end(&experience);
    return known;
}

static bool is_mostly_json(const struct format *format)
{
    size_t json = 0;
    size_t all = 0;
    for (size_t i = 0; i < sample_count; i++) {
        all += samples[i].format == format;
        json += samples[i].format == format && samples[i].text.data[0] == '{';
    }
    return 2 * json > all;
}

static void changed_records_are_decoded_as_if_they_were_the_first(void **state)
{
    (void)state;
    print_message("seed %d\n", SEED);
    assert_true(format_at(FORMATS - 1) != NULL && format_at(FORMATS) == NULL);
    for (size_t i = 0; format_at(i) != NULL; i++) {
        const uint64_t known = decode_changed(format_at(i));
        print_message("%s: %llu of %d were of a known shape\n", format_name(format_at(i)),
                      (unsigned long long)known, CASES);
        assert_true(known > CASES / 8 || !is_mostly_json(format_at(i)));
    }
}

static void cut_records_are_decoded_as_if_they_were_the_first(void **state)
{
    (void)state;
    struct experience experience;
    experience_begin(&experience);
    for (size_t i = 0; i < sample_count; i++) {
        experience_bytes(&experience, samples[i].format, samples[i].text);
        for (size_t size = 0; size <= samples[i].text.size; size += 1 + chance(10)) {
            experience_bytes(&experience, samples[i].format,
                             (struct span){samples[i].text.data, size});
        }
    }
    experience_end(&experience);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changed_records_are_decoded_as_if_they_were_the_first),
        cmocka_unit_test(cut_records_are_decoded_as_if_they_were_the_first),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
