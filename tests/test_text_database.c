/* tests/test_text_database.c - the rules that ship are compiled when the program is built; what was
 * made of other rules, by another engine or on another machine is never used.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "classify/reply.h"
#include "classify/rules.h"
#include "classify/text_rules_build.h"

#include "tests/check.h"

/* Where a stored database has what the engine asks first: behind our hash, in a packed header. */
enum { AT_MAGIC = 8, AT_VERSION = 12, AT_PLATFORM = 20 };

static const char *const TEXTS[] = {"no such user", "over quota|mailbox full", "^greylisted"};
static const struct text_patterns PATTERNS = {TEXTS, 3};

static void no_fault(void *context, size_t i, const char *words)
{
    (void)context;
    fail_msg("pattern %zu: %s", i, words);
}

/* For free(). */
static struct span store(void)
{
    struct hs_database *database;
    char *bytes;
    size_t size;
    assert_int_equal(text_database_compile(&PATTERNS, no_fault, NULL, &database), OK);
    assert_int_equal(text_database_store(database, &PATTERNS, &bytes, &size), OK);
    text_database_destroy(&database);
    return (struct span){bytes, size};
}

static struct span changed_at(struct span bytes, size_t at)
{
    char *copy = malloc(bytes.size);
    assert_non_null(copy);
    memcpy(copy, bytes.data, bytes.size);
    copy[at] = (char)(copy[at] ^ 0x40);
    return (struct span){copy, bytes.size};
}

static void drop(struct span bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static void assert_refused(struct span stored, const struct text_patterns *patterns, enum err why)
{
    struct hs_database *database = NULL;
    assert_int_equal(text_database_load(stored, patterns, &database), why);
    assert_null(database);
}

static void what_was_stored_is_loaded(void **state)
{
    (void)state;
    const struct span stored = store();
    struct hs_database *database;
    assert_int_equal(text_database_load(stored, &PATTERNS, &database), OK);
    text_database_destroy(&database);
    drop(stored);
}

static void a_database_of_other_patterns_is_refused(void **state)
{
    (void)state;
    const struct span stored = store();
    const char *const other[] = {"no such user", "over quota|mailbox full", "^greylisted."};
    const char *const swapped[] = {"over quota|mailbox full", "no such user", "^greylisted"};
    const char *const joined[] = {"no such use", "rover quota|mailbox full", "^greylisted"};
    const char *const more[] = {"no such user", "over quota|mailbox full", "^greylisted", "moved"};
    assert_refused(stored, &(struct text_patterns){other, 3}, ERR_BAD_FORMAT);
    assert_refused(stored, &(struct text_patterns){swapped, 3}, ERR_BAD_FORMAT);
    assert_refused(stored, &(struct text_patterns){joined, 3}, ERR_BAD_FORMAT);
    assert_refused(stored, &(struct text_patterns){more, 4}, ERR_BAD_FORMAT);
    assert_refused(stored, &(struct text_patterns){more, 2}, ERR_BAD_FORMAT);
    drop(stored);
}

static void a_database_of_another_engine_is_refused(void **state)
{
    (void)state;
    const struct span stored = store();
    const struct span version = changed_at(stored, AT_VERSION);
    const struct span platform = changed_at(stored, AT_PLATFORM);
    assert_refused(version, &PATTERNS, ERR_BAD_VERSION);
    assert_refused(platform, &PATTERNS, ERR_BAD_VERSION);
    drop(version);
    drop(platform);
    drop(stored);
}

static void a_damaged_database_is_refused(void **state)
{
    (void)state;
    const struct span stored = store();
    const size_t places[] = {0, AT_MAGIC, stored.size / 2};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const struct span damaged = changed_at(stored, places[i]);
        assert_refused(damaged, &PATTERNS, ERR_BAD_FORMAT);
        drop(damaged);
    }
    for (size_t size = 0; size < stored.size; size += 1 + size / 4) {
        assert_refused((struct span){stored.data, size}, &PATTERNS, ERR_BAD_FORMAT);
    }
    drop(stored);
}

/* --- the rules that ship ------------------------------------------------------------------------
 */

/* Tries all examples, as each start does. */
static struct ruleset *read_shipped(struct span stored)
{
    struct rule_file files[RULE_FILES_MAX];
    struct ruleset *ruleset;
    const size_t count = rules_embedded_count();
    for (size_t i = 0; i < count; i++) {
        const struct embedded_file file = rules_embedded_at(i);
        files[i].is_shipped = true;
        assert_int_equal(yaml_parse(file.name, file.text, &files[i].yaml), OK);
    }
    assert_int_equal(rules_read(files, count, stored, &ruleset), OK);
    return ruleset;
}

static void the_embedded_database_is_of_the_rules_that_ship(void **state)
{
    (void)state;
    struct ruleset *ruleset;
    struct hs_database *database;
    assert_int_equal(ruleset_create(NULL, 0, &ruleset), OK);
    const struct text_part *part = &ruleset->text_rules->parts[PART_SHIPPED];
    assert_true(part->count > 100);
    const struct text_patterns patterns = {part->texts, part->count};
    assert_int_equal(text_database_load(rules_embedded_database(), &patterns, &database), OK);
    text_database_destroy(&database);
    ruleset_destroy(&ruleset);
}

static enum category category_of(const struct ruleset *ruleset, const char *text)
{
    char memory[256];
    struct classifier *classifier;
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    event.reply = reply_parse(span_of(text), memory);
    assert_int_equal(classifier_create(ruleset, &classifier), OK);
    const enum category category = classify(classifier, &event).category;
    classifier_destroy(&classifier);
    return category;
}

static void with_another_engine_the_rules_that_ship_are_compiled_and_mean_the_same(void **state)
{
    (void)state;
    const struct span other = changed_at(rules_embedded_database(), AT_VERSION);
    struct ruleset *compiled = read_shipped(other);
    struct ruleset *loaded = read_shipped(rules_embedded_database());
    assert_string_equal(ruleset_version(compiled), ruleset_version(loaded));
    assert_int_equal(category_of(compiled, "552 5.1.1 over quota"), CATEGORY_MAILBOX_FULL);
    assert_int_equal(category_of(loaded, "552 5.1.1 over quota"), CATEGORY_MAILBOX_FULL);
    ruleset_destroy(&compiled);
    ruleset_destroy(&loaded);
    drop(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_stored_is_loaded),
        cmocka_unit_test(a_database_of_other_patterns_is_refused),
        cmocka_unit_test(a_database_of_another_engine_is_refused),
        cmocka_unit_test(a_damaged_database_is_refused),
        cmocka_unit_test(the_embedded_database_is_of_the_rules_that_ship),
        cmocka_unit_test(with_another_engine_the_rules_that_ship_are_compiled_and_mean_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
