/* tests/test_format_samples.c - the sample records of every format mean what they mean, field by field.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/decoded.h"

enum { FILE_SIZE_MAX = 1024 * 1024 };

static char *read_file(const char *name, size_t *size)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/data/formats/%s", TESTS_DIRECTORY, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = malloc(FILE_SIZE_MAX);
    assert_non_null(text);
    *size = fread(text, 1, FILE_SIZE_MAX, file);
    (void)fclose(file);
    return text;
}

static struct json_reader *make_reader(void)
{
    struct json_reader *reader = NULL;
    assert_int_equal(json_reader_create(8, &reader), OK);
    return reader;
}

static const struct json_node *read_line(struct json_reader *reader, struct span line)
{
    struct span loaded;
    struct json_fault fault;
    assert_int_equal(json_load(reader, line, &loaded), OK);
    const struct json_node *root = json_read(reader, loaded, &fault);
    assert_non_null(root);
    return root;
}

static const struct json_node *find(const struct json_node *object, struct span key)
{
    for (const struct json_node *n = json_first(object); n != json_end(object); n = json_next(n)) {
        if (span_equal(n->key, key)) {
            return n;
        }
    }
    return NULL;
}

/* `file` and `note` are for people. */
static bool is_for_people(struct span key)
{
    return span_equal(key, SPAN("file")) || span_equal(key, SPAN("note"));
}

static void assert_same_fields(const struct json_node *expected, const struct json_node *actual)
{
    size_t count = 0;
    size_t actual_count = 0;
    if (span_equal(find(expected, SPAN("kind"))->text, SPAN("ignored"))) {
        assert_true(span_equal(find(actual, SPAN("kind"))->text, SPAN("ignored")));
        return; /* of those the samples tell what happens to be known */
    }
    for (const struct json_node *n = json_first(expected); n != json_end(expected);
         n = json_next(n)) {
        if (is_for_people(n->key)) {
            continue;
        }
        const struct json_node *other = find(actual, n->key);
        if (other == NULL || other->kind != n->kind || !span_equal(other->text, n->text) ||
            other->integer != n->integer) {
            print_error("%.*s: expected %.*s %lld\n", SPAN_ARGS(n->key), SPAN_ARGS(n->text),
                        (long long)n->integer);
            fail();
        }
        count++;
    }
    for (const struct json_node *n = json_first(actual); n != json_end(actual); n = json_next(n)) {
        actual_count++;
    }
    assert_int_equal(actual_count, count);
}

static void assert_file_as_expected(const char *format, const char *name)
{
    size_t size;
    size_t expected_size;
    char *payload = read_file(name, &size);
    char *expected = read_file("expected.ndjson", &expected_size);
    struct json_reader *expected_reader = make_reader();
    struct json_reader *actual_reader = make_reader();
    decode_span(format, (struct span){payload, size});
    size_t count = 0;
    for (char *line = expected; line < expected + expected_size;) {
        char *end = memchr(line, '\n', (size_t)(expected + expected_size - line));
        assert_non_null(end);
        const struct json_node *root =
            read_line(expected_reader, (struct span){line, (size_t)(end - line)});
        line = end + 1;
        if (span_equal(find(root, SPAN("file"))->text, span_of(name))) {
            assert_true(count < decoded.count);
            assert_same_fields(root, read_line(actual_reader, decoded.lines[count]));
            count++;
        }
    }
    assert_int_equal(decoded.count, count);
    assert_true(count > 0);
    json_reader_destroy(&expected_reader);
    json_reader_destroy(&actual_reader);
    free(payload);
    free(expected);
}

static const struct {
    const char *format;
    const char *file;
} SAMPLES[] = {
    {"kumomta", "kumomta.ndjson"},
    {"kumomta", "kumomta-batch.json"},
    {"sparkpost", "sparkpost-webhook.json"},
    {"ses", "ses-event.ndjson"},
    {"ses", "ses-sns.ndjson"},
    {"sendgrid", "sendgrid.json"},
    {"mailgun", "mailgun.ndjson"},
    {"halon", "halon-delivery.ndjson"},
    {"halon", "halon-postmastery.ndjson"},
    {"powermta", "powermta.csv"},
    {"powermta", "powermta-fbl.csv"},
    {"postfix", "postfix.log"},
    {"postfix", "postfix-shippers.ndjson"},
    {"exim", "exim-mainlog.log"},
    {"momentum", "momentum-bouncelog.txt"},
    {"dsn", "dsn/delayed-sendmail.eml"},
    {"dsn", "dsn/delivered-relayed.eml"},
    {"dsn", "dsn/failed-multi.eml"},
    {"dsn", "dsn/failed-postfix.eml"},
    {"dsn", "dsn/failed-unknown-type.eml"},
    {"arf", "arf/abuse-full.eml"},
    {"arf", "arf/abuse-redacted.eml"},
    {"arf", "arf/auth-failure.eml"},
    {"arf", "arf/not-spam.eml"},
};

static void every_sample_is_decoded_as_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(SAMPLES) / sizeof(SAMPLES[0]); i++) {
        print_message("%s\n", SAMPLES[i].file);
        assert_file_as_expected(SAMPLES[i].format, SAMPLES[i].file);
    }
}

static void auto_finds_the_format_of_every_sample(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(SAMPLES) / sizeof(SAMPLES[0]); i++) {
        print_message("%s\n", SAMPLES[i].file);
        assert_file_as_expected("auto", SAMPLES[i].file);
    }
}

static void survive(const char *format, const char *file)
{
    size_t size;
    char *text = read_file(file, &size);
    for (size_t i = 0; i < size; i += 3) {
        const char kept = text[i];
        const char bytes[] = {'\0', '"', '{', ']', '9', '\\', '\xff', ',', ':'};
        text[i] = bytes[i / 3 % sizeof(bytes)];
        decode_span(format, (struct span){text, size});
        text[i] = kept;
        decode_span(format, (struct span){text, i});
    }
    decode_span(format, (struct span){text, size});
    assert_int_equal(decoded.fault_count, 0);
    free(text);
}

static void every_truncation_and_every_changed_byte_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(SAMPLES) / sizeof(SAMPLES[0]); i++) {
        survive(SAMPLES[i].format, SAMPLES[i].file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_decoded_as_expected),
        cmocka_unit_test(auto_finds_the_format_of_every_sample),
        cmocka_unit_test(every_truncation_and_every_changed_byte_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
