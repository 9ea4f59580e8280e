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
    CASES = 12000,
    SAMPLES_MAX = 64,
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

static struct span samples[SAMPLES_MAX];
static size_t sample_count;

static void add_sample(struct span text)
{
    if (text.size > 0) {
        assert_true(sample_count < SAMPLES_MAX && text.size < RECORD_SIZE_MAX);
        samples[sample_count++] = text;
    }
}

static void add_samples_of_file(const char *name)
{
    static char memory[2][FILE_SIZE_MAX];
    static size_t used;
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/data/formats/%s", TESTS_DIRECTORY, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(used < 2);
    char *text = memory[used++];
    const size_t size = fread(text, 1, FILE_SIZE_MAX, file);
    (void)fclose(file);
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n') {
            add_sample((struct span){text + start, i - start});
            start = i + 1;
        }
    }
    add_sample((struct span){text + start, size - start});
}

static int setup(void **state)
{
    (void)state;
    chance_state = SEED;
    add_samples_of_file("kumomta.ndjson");
    add_samples_of_file("expected.ndjson");
    add_sample(SPAN("{\"type\":\"Bounce\",\"recipient\":\"a@b.example\",\"timestamp\":1,\"x\":-5,"
                    "\"y\":1.5,\"z\":[],\"\":{}}"));
    add_sample(SPAN("{ \"type\" : \"Delivery\" ,\n \"recipient\" : [ \"a@b.example\" ] ,\n"
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
        const struct span other = samples[chance(sample_count)];
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

static void changed_records_are_decoded_as_if_they_were_the_first(void **state)
{
    (void)state;
    static struct record record;
    struct experience experience;
    experience_begin(&experience);
    print_message("seed %d\n", SEED);
    for (size_t i = 0; i < CASES; i++) {
        const struct span sample = samples[chance(sample_count)];
        memcpy(record.data, sample.data, sample.size);
        record.size = sample.size;
        for (uint64_t changes = chance(4); changes > 0; changes--) {
            change(&record);
        }
        experience_bytes(&experience, format_at(chance(16) == 0),
                         (struct span){record.data, record.size});
    }
    assert_true(experience.known > CASES / 4);
    experience_end(&experience);
}

static void cut_records_are_decoded_as_if_they_were_the_first(void **state)
{
    (void)state;
    struct experience experience;
    experience_begin(&experience);
    for (size_t i = 0; i < sample_count; i++) {
        experience_bytes(&experience, format_at(0), samples[i]);
        for (size_t size = 0; size <= samples[i].size; size += 1 + chance(10)) {
            experience_bytes(&experience, format_at(0), (struct span){samples[i].data, size});
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
