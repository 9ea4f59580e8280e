/* tests/test_text_rules.c - rules of words are read, checked by their own examples, and win in the
 * order that rules/README.md tells.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "classify/explain.h"
#include "classify/reply.h"
#include "classify/rules.h"
#include "classify/text_seen.h"

#include "tests/allocations.h"
#include "tests/check.h"

enum { FILES_MAX = 4 };

/* Rules as a test wants them: the user's from own[], ours from shipped[]. */
struct world {
    struct rule_file files[FILES_MAX];
    size_t count;
    struct ruleset *rules;
    struct classifier *classifier;
};

static void add_file(struct world *world, const char *name, const char *text, bool is_shipped)
{
    struct rule_file *file = &world->files[world->count++];
    file->is_shipped = is_shipped;
    assert_int_equal(yaml_parse(name, span_of(text), &file->yaml), OK);
}

static void print_faults(const struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        for (size_t j = 0; j < yaml_fault_count(world->files[i].yaml); j++) {
            print_error("%s\n", yaml_fault_at(world->files[i].yaml, j));
        }
    }
}

static void read_world(struct world *world)
{
    const enum err err = rules_read(world->files, world->count, SPAN_NONE, &world->rules);
    print_faults(world);
    assert_int_equal(err, OK);
    assert_int_equal(classifier_create(world->rules, &world->classifier), OK);
}

static struct world world_of(const char *text)
{
    struct world world = {0};
    add_file(&world, "t.yaml", text, true);
    read_world(&world);
    return world;
}

static void end_world(struct world *world)
{
    classifier_destroy(&world->classifier);
    ruleset_destroy(&world->rules);
}

static struct event event_of(const char *text, char memory[4096])
{
    struct event event = event_init();
    event.reply = reply_parse(span_of(text), memory);
    event.kind = event.reply.code / 100 == 4 ? KIND_DEFERRED : KIND_BOUNCED;
    return event;
}

static const char *rule_of(const struct world *world, const struct event *event)
{
    return classify(world->classifier, event).rule;
}

static const char *winner(const struct world *world, const char *text)
{
    char memory[4096];
    const struct event event = event_of(text, memory);
    return rule_of(world, &event);
}

/* --- order ---------------------------------------------------------------------------------- */

#define RULE(id, pattern, example)                                                                 \
    "- {id: " id ", pattern: '" pattern "', category: expired, examples: ['" example "']}\n"

static void of_two_rules_that_know_a_text_the_first_wins(void **state)
{
    (void)state;
    struct world world = world_of("rules:\n" RULE("rate", "too many", "450 too many messages")
                                      RULE("any", "messages", "450 messages"));
    assert_string_equal(winner(&world, "450 messages: too many"), "rate");
    assert_string_equal(winner(&world, "450 TOO MANY"), "rate");
    assert_string_equal(winner(&world, "450 Messages"), "any");
    end_world(&world);
}

static void a_text_rule_is_not_overridden_by_codes(void **state)
{
    (void)state;
    struct world world = world_of(
        "codes: [{enhanced: 5.1.1, category: invalid_recipient, example: 5.1.1}]\n"
        "rules: [{id: full, pattern: over quota, category: mailbox_full, examples: [over quota]}]");
    char memory[4096];
    struct event event = event_of("552 5.1.1 over quota", memory);
    struct meaning meaning = classify(world.classifier, &event);
    assert_int_equal(meaning.category, CATEGORY_MAILBOX_FULL);
    assert_int_equal(meaning.by, FOUND_BY_TEXT);
    event = event_of("552 5.1.1 something", memory);
    meaning = classify(world.classifier, &event);
    assert_int_equal(meaning.category, CATEGORY_INVALID_RECIPIENT);
    assert_int_equal(meaning.by, FOUND_BY_ENHANCED);
    event = event_of("552 something", memory);
    assert_int_equal(classify(world.classifier, &event).category, CATEGORY_UNKNOWN_PERMANENT);
    end_world(&world);
}

static void first_files_come_before_providers_and_providers_before_the_rest(void **state)
{
    (void)state;
    struct world world = {0};
    add_file(&world, "general.yaml", "rules:\n" RULE("general", "disk", "550 disk"), true);
    add_file(&world, "mail.yaml",
             "provider: {name: m, domains: m.example}\n"
             "rules:\n" RULE("of-m", "disk", "550 disk"),
             true);
    add_file(&world, "local.yaml", "first: true\nrules:\n" RULE("ours", "our disk", "550 our disk"),
             true);
    read_world(&world);
    char memory[4096];
    struct event event = event_of("550 our disk", memory);
    event.recipient = SPAN("a@m.example");
    assert_string_equal(rule_of(&world, &event), "ours");
    event = event_of("550 disk", memory);
    assert_string_equal(rule_of(&world, &event), "general");
    event.recipient = SPAN("a@m.example");
    assert_string_equal(rule_of(&world, &event), "of-m");
    assert_int_equal(classify(world.classifier, &event).by, FOUND_BY_PROVIDER);
    end_world(&world);
}

static void the_user_wins_over_what_is_shipped(void **state)
{
    (void)state;
    struct world world = {0};
    add_file(&world, "own.yaml",
             "rules:\n" RULE("own", "disk", "550 disk") "codes: [{reply: 550, category: moved, "
                                                        "example: 550}]\n",
             false);
    add_file(&world, "shipped.yaml",
             "rules:\n" RULE("shipped", "disk|tape", "550 disk") "codes: [{reply: 550, category: "
                                                                 "expired, example: 550}]\n",
             true);
    read_world(&world);
    assert_string_equal(winner(&world, "550 disk"), "own");
    assert_string_equal(winner(&world, "550 tape"), "shipped");
    char memory[4096];
    const struct event event = event_of("550", memory);
    assert_int_equal(classify(world.classifier, &event).category, CATEGORY_MOVED);
    end_world(&world);
}

static void the_step_counts_before_whose_rule_it_is(void **state)
{
    (void)state;
    struct world world = {0};
    add_file(&world, "own.yaml", "rules:\n" RULE("own", "disk", "550 disk"), false);
    add_file(&world, "own-mail.yaml",
             "provider: {name: m, domains: m.example}\n"
             "rules:\n" RULE("own-of-m", "tape", "550 tape"),
             false);
    add_file(&world, "first.yaml", "first: true\nrules:\n" RULE("first", "our", "550 our"), true);
    add_file(&world, "mail.yaml",
             "provider: {name: m, domains: m.example}\n"
             "rules:\n" RULE("of-m", "disk|tape", "550 disk"),
             true);
    read_world(&world);
    char memory[4096];
    struct event event = event_of("550 our disk", memory);
    assert_string_equal(rule_of(&world, &event), "first");
    event = event_of("550 disk and tape", memory);
    assert_string_equal(rule_of(&world, &event), "own");
    event.recipient = SPAN("a@m.example");
    assert_string_equal(rule_of(&world, &event), "own-of-m");
    event = event_of("550 disk", memory);
    event.recipient = SPAN("a@m.example");
    assert_string_equal(rule_of(&world, &event), "of-m");
    end_world(&world);
}

/* --- conditions ------------------------------------------------------------------------------ */

/* Replies that the rule must take, and must not, with | between them. */
static void check_taken(const struct world *world,
                        const char *when,
                        const char *replies,
                        bool is_taken)
{
    char memory[256];
    char *rest = memory;
    (void)snprintf(memory, sizeof(memory), "%s", replies);
    for (const char *reply = strsep(&rest, "|"); reply != NULL; reply = strsep(&rest, "|")) {
        if ((strcmp(winner(world, reply), "a") == 0) != is_taken) {
            fail_msg("%s %s %s", when, is_taken ? "does not take" : "takes", reply);
        }
    }
}

static void check_when(const char *when, const char *example, const char *yes, const char *no)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "rules: [{id: a, pattern: x, when: %s, category: moved, examples: ['%s']}]",
                   when, example);
    struct world world = world_of(text);
    check_taken(&world, when, example, true);
    check_taken(&world, when, yes, true);
    check_taken(&world, when, no, false);
    end_world(&world);
}

static void a_rule_holds_where_its_conditions_do(void **state)
{
    (void)state;
    check_when("{reply: 552}", "552 x", "552 5.1.1 x", "550 x|x|5.1.1 x");
    check_when("{reply: [4xx, 552]}", "452 x", "450 x|552 x|4.1.1 x", "550 x|x|5.1.1 x");
    check_when("{reply: none}", "x", "5.1.1 x", "550 x");
    check_when("{enhanced: 5.2.2}", "5.2.2 x", "550 5.2.2 x|550 4.2.2 x",
               "452 5.2.2 x|550 5.2.1 x|x|550 5.2.20 x");
    check_when("{enhanced: 5.2}", "5.2.2 x", "550 5.2.2 x|5.2.999 x", "4.2.2 x|5.1.2 x|x");
    check_when("{enhanced: 5}", "5.2.2 x", "550 5.2.2 x|5.0.0 x", "450 4.2.2 x|550 x|x");
    check_when("{enhanced: [x.2, x.7.1]}", "4.2.2 x", "4.2.0 x|5.7.1 x", "4.7.0 x|x");
    check_when("{enhanced: x.0}", "4.0.0 x", "5.0.1 x", "550 x|4.1.0 x");
    check_when("{enhanced: none}", "550 x", "x", "550 5.0.0 x");
    check_when("{kind: deferred}", "450 x", "450 4.1.1 x", "550 x");
    check_when("{stage: mail_from}", "550 x (in reply to MAIL FROM command)",
               "x (in reply to MAIL FROM command)", "550 x|550 x (in reply to RCPT TO command)");
    check_when("{stage: [data, end_of_data]}", "x (in reply to end of DATA command)",
               "x (in reply to DATA command)", "x|x (in reply to MAIL FROM command)");
    check_when("{stage: connect}", "host x[192.0.2.1] refused to talk to me: 554 no",
               "lost connection with x[192.0.2.1] while receiving the initial server greeting",
               "x");
}

/* An example is tried as the first of them, whatever its code. */
static void a_kind_is_a_condition_too(void **state)
{
    (void)state;
    struct world world =
        world_of("rules: [{id: a, pattern: x, when: {kind: [late_bounce, expired]},"
                 " category: moved, examples: [450 x]}]");
    char memory[4096];
    struct event event = event_of("550 x", memory);
    assert_string_equal(rule_of(&world, &event), "");
    event.kind = KIND_EXPIRED;
    assert_string_equal(rule_of(&world, &event), "a");
    event.kind = KIND_LATE_BOUNCE;
    assert_string_equal(rule_of(&world, &event), "a");
    end_world(&world);
}

static void a_provider_is_known_by_the_end_of_the_mx_or_of_the_recipients_domain(void **state)
{
    (void)state;
    struct world world =
        world_of("provider: {name: gmail, mx: [google.com], domains: [gmail.com, googlemail.com]}\n"
                 "rules:\n" RULE("g", "x", "550 x"));
    char memory[4096];
    struct event event = event_of("550 x", memory);
    const struct {
        const char *mx;
        const char *recipient;
        bool is_theirs;
    } cases[] = {
        {"alt1.gmail-smtp-in.l.google.com.", "a@firm.example", true},
        {"ALT1.GOOGLE.COM", NULL, true},
        {"google.com", NULL, true},
        {"notgoogle.com", NULL, false},
        {"google.com.example", NULL, false},
        {NULL, "a@gmail.com", true},
        {NULL, "<a@GoogleMail.com>", true},
        {NULL, "gmail.com", true},
        {NULL, "gmail.com@firm.example", false},
        {NULL, NULL, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        event.mx = span_of(cases[i].mx);
        event.recipient = span_of(cases[i].recipient);
        assert_int_equal(strcmp(rule_of(&world, &event), "g") == 0, cases[i].is_theirs);
    }
    end_world(&world);
}

/* --- explained ------------------------------------------------------------------------------- */

static void an_explanation_names_the_winner_and_why_the_others_lost(void **state)
{
    (void)state;
    struct world world = world_of(
        "rules:\n"
        "- {id: hard, pattern: quota, when: {reply: 5xx}, category: moved, examples: [550 quota]}\n"
        "- {id: over, pattern: over, category: mailbox_full, examples: [over]}\n"
        "- {id: quota, pattern: quota, category: expired, examples: [450 quota]}\n"
        "codes: [{enhanced: 4.2.2, category: mailbox_full, example: 4.2.2}]\n");
    char memory[4096];
    struct explanation e;
    struct event event = event_of("452 4.2.2 quota is over", memory);
    classify_explain(world.classifier, &event, &e);
    assert_false(e.is_by_event);
    assert_string_equal(e.meaning.rule, "over");
    assert_int_equal(e.candidate_count, 3);
    assert_string_equal(e.candidates[0].rule->id, "hard");
    assert_int_equal(e.candidates[0].verdict, TEXT_OTHER_REPLY);
    assert_string_equal(e.candidates[1].rule->id, "over");
    assert_int_equal(e.candidates[1].verdict, TEXT_WON);
    assert_string_equal(e.candidates[1].rule->place.file, "t.yaml");
    assert_int_equal(e.candidates[1].rule->place.line, 3);
    assert_int_equal(e.candidates[2].verdict, TEXT_BEATEN);
    assert_true(e.has_code);
    assert_string_equal(e.code.rule, "4.2.2");
    assert_int_equal(e.code.place.line, 5);
    event.origin = ORIGIN_LOCAL;
    classify_explain(world.classifier, &event, &e);
    assert_true(e.is_by_event);
    assert_int_equal(e.candidate_count, 0);
    end_world(&world);
}

/* --- texts ----------------------------------------------------------------------------------- */

static void line_breaks_and_tabs_are_one_space(void **state)
{
    (void)state;
    struct world world =
        world_of("rules:\n" RULE("a", "^no such user here$", "550 no such user here"));
    char memory[4096];
    struct event event = event_of("550 x", memory);
    event.reply.text = SPAN("no such\r\n user\there");
    assert_string_equal(rule_of(&world, &event), "a");
    end_world(&world);
}

static void bytes_that_are_no_utf8_harm_nobody(void **state)
{
    (void)state;
    struct world world = world_of("rules:\n" RULE("a", "bo(î|i)te pleine", "552 Boîte pleine"));
    assert_string_equal(winner(&world, "552 \xff\xc3 Boîte pleine \xc3"), "a");
    assert_string_equal(winner(&world, "552 bo\xee"
                                       "te pleine"),
                        "");
    char memory[4096];
    struct event event = event_of("552 x", memory);
    event.reply.text = (struct span){"\0boite pleine", 13};
    assert_string_equal(rule_of(&world, &event), "a");
    end_world(&world);
}

static void of_a_long_text_only_the_beginning_is_read(void **state)
{
    (void)state;
    struct world world = world_of("rules:\n" RULE("a", "x+y", "550 xy"));
    static char text[1024 * 1024];
    char memory[4096];
    struct event event = event_of("550 x", memory);
    memset(text, 'x', sizeof(text));
    event.reply.text = (struct span){text, sizeof(text)};
    text[TEXT_SEEN_MAX] = 'y';
    assert_string_equal(rule_of(&world, &event), "");
    text[TEXT_SEEN_MAX - 1] = 'y';
    assert_string_equal(rule_of(&world, &event), "a");
    text[0] = '\n'; /* the copy has the same bound */
    assert_string_equal(rule_of(&world, &event), "a");
    end_world(&world);
}

static void the_recipients_own_address_is_no_words_of_the_servers(void **state)
{
    (void)state;
    struct world world = world_of("rules:\n" RULE("full", "full", "550 full"));
    char memory[4096];
    struct event event = event_of("550 <full@m.example>: unknown", memory);
    assert_string_equal(rule_of(&world, &event), "");
    event.recipient = SPAN("full@m.example");
    assert_string_equal(rule_of(&world, &event), "");
    event = event_of("550 <full@m.example>: mailbox full", memory);
    event.recipient = SPAN("full@m.example");
    assert_string_equal(rule_of(&world, &event), "full");
    end_world(&world);
}

static void a_text_that_was_read_before_is_judged_by_each_events_own_conditions(void **state)
{
    (void)state;
    struct world world = {0};
    add_file(&world, "mail.yaml",
             "provider: {name: m, domains: m.example}\n"
             "rules:\n" RULE("of-m", "disk", "550 disk"),
             true);
    add_file(&world, "general.yaml",
             "rules:\n"
             "- {id: a, pattern: disk, when: {reply: 552}, category: moved, examples: [552 disk]}\n"
             "- {id: b, pattern: 'disk', category: moved, examples: [550 disk]}\n",
             true);
    read_world(&world);
    char memory[4096];
    struct event event = event_of("550 disk", memory);
    for (size_t i = 0; i < 3; i++) {
        event.recipient = SPAN("a@m.example");
        assert_string_equal(rule_of(&world, &event), "of-m");
        event.recipient = SPAN("a@n.example");
        assert_string_equal(rule_of(&world, &event), "b");
        assert_string_equal(winner(&world, "552 disk"), "a");
        assert_string_equal(winner(&world, "552 disc"), "");
    }
    end_world(&world);
}

/* Texts of a few words, so that they come again, and more of them than are remembered. */
static size_t random_text(struct chance *chance, char text[128])
{
    static const char *const WORDS[] = {"disk", "tape", "full", "user", "gone", "not ", "\t", "x"};
    size_t size = 0;
    const uint64_t count = 1 + chance_below(chance, 6);
    for (uint64_t i = 0; i < count; i++) {
        const char *word = WORDS[chance_below(chance, 8)];
        size += (size_t)snprintf(text + size, 128 - size, "%s", word);
    }
    return size;
}

static void what_was_read_before_means_the_same_as_what_is_new(void **state)
{
    (void)state;
    struct chance chance = chance_init("test_text_rules");
    struct world world =
        world_of("rules:\n" RULE("a", "disk.*tape", "550 disk tape")
                     RULE("b", "user ?gone", "550 user gone") RULE("c", "^full", "550 full")
                         RULE("d", "x", "550 x") RULE("e", "not .*x$|disk", "550 not a disk"));
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    for (size_t i = 0; i < 20; i++) {
        struct classifier *fresh;
        assert_int_equal(classifier_create(world.rules, &fresh), OK);
        for (size_t j = 0; j < 2000; j++) {
            char text[128];
            event.reply.text = (struct span){text, random_text(&chance, text)};
            assert_string_equal(rule_of(&world, &event), classify(fresh, &event).rule);
        }
        classifier_destroy(&fresh);
    }
    end_world(&world);
}

/* In letters: a long number would not be seen. */
static size_t text_of_number(unsigned number, char text[32])
{
    size_t size = (size_t)snprintf(text, 32, "%s ", number % 3 == 0 ? "disk" : "tape");
    for (; number > 0; number /= 8) {
        text[size++] = "abcdefgh"[number % 8];
    }
    return size;
}

static void more_texts_than_are_remembered_mean_what_they_say(void **state)
{
    (void)state;
    struct world world = world_of("rules:\n" RULE("a", "disk", "550 disk"));
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 100000; i++) {
            char text[32];
            const unsigned number = round == 0 ? i : i / 2; /* each twice */
            event.reply.text = (struct span){text, text_of_number(number, text)};
            assert_string_equal(rule_of(&world, &event), number % 3 == 0 ? "a" : "");
        }
    }
    end_world(&world);
}

static void a_rule_without_conditions_hides_only_those_behind_it(void **state)
{
    (void)state;
    struct world world =
        world_of("rules:\n"
                 "- {id: a, pattern: disk, when: {reply: 552}, category: moved, examples: [552 "
                 "disk]}\n" RULE("b", "disk", "550 disk") RULE("c", "tape|disk", "550 tape"));
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(winner(&world, "552 disk tape"), "a");
        assert_string_equal(winner(&world, "550 disk tape"), "b");
        assert_string_equal(winner(&world, "550 tape"), "c");
    }
    end_world(&world);
}

static void a_text_with_the_patterns_of_many_rules_is_judged_by_all_of_them(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    char text[COUNT * 128];
    size_t size = (size_t)snprintf(text, sizeof(text), "rules:\n");
    for (int i = 0; i < COUNT; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size,
                                 "- {id: r-%d, pattern: disk, when: {reply: %d}, category: moved, "
                                 "examples: ['%d disk']}\n",
                                 i, 510 + i, 510 + i);
    }
    struct world world = world_of(text);
    for (int i = 0; i < 3 * COUNT; i++) {
        char reply[32];
        char id[32];
        snprintf(reply, sizeof(reply), "%d disk", 510 + i % COUNT);
        snprintf(id, sizeof(id), "r-%d", i % COUNT);
        assert_string_equal(winner(&world, reply), id);
    }
    end_world(&world);
}

static void deliveries_are_not_scanned(void **state)
{
    (void)state;
    struct world world = world_of("rules:\n" RULE("a", "x", "550 x"));
    char memory[4096];
    struct event event = event_of("250 x", memory);
    event.kind = KIND_DELIVERED;
    assert_string_equal(rule_of(&world, &event), "");
    end_world(&world);
}

/* --- no memory is taken ----------------------------------------------------------------------- */

static void classifying_takes_no_memory(void **state)
{
    (void)state;
#if !MALLOC_IS_OURS
    skip();
#else
    struct world world = world_of("rules:\n" RULE("a", "no such .*user", "550 no such user"));
    char memory[4096];
    struct event event = event_of("550 5.1.1 no such lovely user", memory);
    const size_t before = allocations;
    assert_true(before > 0);
    for (int i = 0; i < 1000; i++) {
        event.reply.text.size = (size_t)i % 20;
        (void)classify(world.classifier, &event);
    }
    event.reply.text = SPAN("no such\nuser");
    assert_string_equal(rule_of(&world, &event), "a");
    assert_int_equal(allocations, before);
    end_world(&world);
#endif
}

/* --- refusals -------------------------------------------------------------------------------- */

static void assert_faults(struct world *world, const char *const *faults, size_t count)
{
    size_t seen = 0;
    assert_int_equal(rules_read(world->files, world->count, SPAN_NONE, &world->rules),
                     ERR_BAD_CONFIG);
    assert_null(world->rules);
    for (size_t i = 0; i < world->count; i++) {
        for (size_t j = 0; j < yaml_fault_count(world->files[i].yaml); j++, seen++) {
            const char *fault = yaml_fault_at(world->files[i].yaml, j);
            if (seen >= count || strstr(fault, faults[seen]) == NULL) {
                print_faults(world);
                fail_msg("not expected: %s", fault);
            }
        }
        yaml_close(&world->files[i].yaml);
    }
    assert_int_equal(seen, count);
}

static void assert_refused(const char *rules, const char *fault)
{
    char text[2048];
    struct world world = {0};
    (void)snprintf(text, sizeof(text), "rules:\n%s", rules);
    add_file(&world, "t.yaml", text, true);
    assert_faults(&world, &fault, 1);
}

static void an_example_that_another_rule_wins_is_refused_with_both_places(void **state)
{
    (void)state;
    assert_refused(
        RULE("any", "messages", "450 messages") "- {id: rate, pattern: too many, "
                                                "category: expired, examples: [450 too many,\n"
                                                "  450 too many messages]}\n",
        "t.yaml:4: rules[2].examples[2]: the example of rate (t.yaml:3) is won by any "
        "(t.yaml:2); put the more specific rule first, or narrow that one");
}

static void a_rule_that_can_never_win_is_refused(void **state)
{
    (void)state;
    assert_refused(
        RULE("any", "messages", "450 messages") "- {id: rate, pattern: too many, category: "
                                                "expired, examples: [450 too many messages, "
                                                "messages are too many]}\n",
        "t.yaml:3: rules[2]: rate can never win: rules before it take all its examples, "
        "the last is won by any (t.yaml:2); put it before, or delete it");
}

static void an_example_that_the_rule_does_not_know_is_refused(void **state)
{
    (void)state;
    assert_refused(
        RULE("a", "mesages", "450 messages"),
        "t.yaml:2: rules[1].examples[1]: a does not win this example: its pattern is not "
        "found in what is seen of it");
    assert_refused("- {id: a, pattern: x, when: {reply: 5xx}, category: moved, examples: [450 x]}",
                   "a does not win this example: its reply code is none of `when.reply`");
    assert_refused("- {id: a, pattern: x, when: {enhanced: 5.1}, category: moved, examples: [x]}",
                   "a does not win this example: its enhanced code is none of `when.enhanced`");
    assert_refused("- {id: a, pattern: x, category: moved, examples: [450 5.1.1]}",
                   "a does not win this example: its pattern is not found in what is seen of it");
}

/* text_seen.h */
static void a_rule_about_what_no_pattern_sees_is_refused(void **state)
{
    (void)state;
    const char *const rules[] = {
        RULE("a", "203\\.0\\.113", "550 from 203.0.113.9"),
        RULE("a", "2e4d6d9b1b", "550 no (2E4d6D9b1B)"),
        RULE("a", "error 1000726", "550 error 1000726"),
        RULE("a", "bob@m", "550 moved to bob@m.example"),
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        assert_refused(rules[i], "its pattern is not found in what is seen of it");
    }
}

static void a_rule_without_what_it_needs_is_refused(void **state)
{
    (void)state;
    assert_refused("- {id: a, pattern: x, category: moved}",
                   "t.yaml:2: rules[1]: a rule needs examples: replies that it wins");
    assert_refused("- {id: a, pattern: x, category: moved, examples: []}",
                   "t.yaml:2: rules[1]: a rule needs examples: replies that it wins");
    assert_refused("- {pattern: x, category: moved, examples: [x]}", "a rule needs an id");
    assert_refused("- {id: a, category: moved, examples: [x]}", "a rule needs a pattern");
    assert_refused("- {id: a, pattern: x, examples: [x]}", "needs a category");
}

static void a_counter_example_that_the_rule_takes_is_refused(void **state)
{
    (void)state;
    assert_refused(
        "- {id: a, pattern: x, category: moved, examples: [x],\n   counter: [y, x y]}",
        "t.yaml:3: rules[1].counter[2]: a takes this counter-example; narrow its pattern or its "
        "`when`");
}

static void an_unknown_word_is_refused(void **state)
{
    (void)state;
    assert_refused("- {id: a, pattern: x, category: mailbox_ful, examples: [x]}",
                   "did you mean mailbox_full");
    assert_refused("- {id: a, pattern: x, category: manual, examples: [x]}", "is none of");
    assert_refused("- {id: A b, pattern: x, category: moved, examples: [x]}",
                   "an id is made of a-z, 0-9 and -, at most 63 of them");
    assert_refused("- {id: a, pattern: x, category: moved, exampels: [y], examples: [x]}",
                   "rules[1].exampels: there is no such key here; did you mean examples");
    assert_refused("- {id: a, pattern: x, when: {replay: 550}, category: moved, examples: [x]}",
                   "rules[1].when.replay: there is no such key here; did you mean reply");
    assert_refused("- {id: a, pattern: x, when: {reply: [4yy]}, category: moved, examples: [x]}",
                   "rules[1].when.reply[1]: a reply is 4xx, 5xx, none or a code like 552");
    assert_refused("- {id: a, pattern: x, when: {enhanced: 5.x}, category: moved, examples: [x]}",
                   "an enhanced code is 5, 5.2, 5.2.2, x.2 or x.2.2 (of either class), or none");
    assert_refused("- {id: a, pattern: x, when: {kind: []}, category: moved, examples: [x]}",
                   "rules[1].when.kind: an empty list holds nowhere; leave it out");
    assert_refused("- {id: a, pattern: x, when: {kind: bounce}, category: moved, examples: [x]}",
                   "did you mean bounced");
    assert_refused("- {id: a, pattern: x, when: {stage: rcpt}, category: moved, examples: [x]}",
                   "rules[1].when.stage: \"rcpt\" is none of connect, ehlo, starttls, auth, "
                   "mail_from, rcpt_to, data, end_of_data");
    assert_refused("- {id: a, pattern: x, when: {stage: [data, none]}, category: moved, "
                   "examples: [x]}",
                   "rules[1].when.stage[2]: \"none\" is none of connect");
    assert_refused("- {id: a, pattern: x, when: {stage: data}, category: moved, examples: [x]}",
                   "a does not win this example: nothing tells its stage, and `when.stage` wants "
                   "one");
    assert_refused("- {id: a, pattern: x, when: {stage: data}, category: moved, examples: ['x (in "
                   "reply to RCPT TO command)']}",
                   "a does not win this example: its stage is none of `when.stage`");
    assert_refused(RULE("a", "x", "x") RULE("a", "y", "y"),
                   "t.yaml:3: rules[2].id: a is the id of another rule (t.yaml:2); choose another");
}

static void a_pattern_that_the_engine_refuses_is_told_in_its_words(void **state)
{
    (void)state;
    assert_refused("- {id: a, pattern: 'x(y', category: moved, examples: [x]}",
                   "t.yaml:2: rules[1].pattern: the engine refuses the pattern: Missing close "
                   "parenthesis for group started at index 1.");
    assert_refused("- {id: a, pattern: '(?=x)x', category: moved, examples: [x]}",
                   "Zero-width assertions are not supported.");
    assert_refused("- {id: a, pattern: 'x*', category: moved, examples: [x]}",
                   "it matches an empty text too");
    assert_refused("- {id: a, pattern: 'bo[îi]te', category: moved, examples: [boite]}",
                   "a letter beyond ASCII is several bytes to the engine");
    assert_refused("- {id: a, pattern: 'été?', category: moved, examples: [ét]}",
                   "a letter beyond ASCII is several bytes to the engine");
}

static void a_provider_that_nobody_can_be_is_refused(void **state)
{
    (void)state;
    static const char CODES_OF_A_PROVIDER[] =
        "provider: {name: a, mx: b}\n"
        "codes: [{reply: 550, category: moved, example: 550}]\n";
    const char *const heads[] = {
        "provider: {name: a}\n",
        "provider: {mx: a.example}\n",
        "provider: {name: a, mx: .example}\n",
        "first: maybe\n",
        CODES_OF_A_PROVIDER,
    };
    const char *const faults[] = {
        "a provider needs `mx: [...]`, `domains: [...]`, or both",
        "a provider needs a name, made of a-z, 0-9 and -",
        "the end of a name is wanted here, like example.com",
        "`first: true`, or leave it out",
        "the table of codes is one for all providers; write a rule with `when` instead",
    };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct world world = {0};
        add_file(&world, "t.yaml", heads[i], true);
        assert_faults(&world, &faults[i], 1);
    }
}

static void all_faults_of_all_files_are_told_at_once(void **state)
{
    (void)state;
    const char *const faults[] = {
        "a.yaml:1: colour: there is no such key here",
        "a.yaml:3: rules[1].category: \"mvoed\" is none of",
        "a.yaml:4: rules[2].pattern: the engine refuses the pattern: Missing close parenthesis",
        "a.yaml:5: rules[3].pattern: the engine refuses the pattern: Unmatched parentheses",
        "a.yaml:6: rules[4].examples[1]: d does not win",
        /* of one file, what is wrong with codes comes before what is wrong with rules */
        "b.yaml:3: codes[1]: a row needs an example",
        "b.yaml:2: rules[1].id: d is the id of another rule (a.yaml:6)",
    };
    struct world world = {0};
    add_file(&world, "a.yaml",
             "colour: red\nrules:\n"
             "- {id: a, pattern: x, category: mvoed, examples: [x]}\n"
             "- {id: b, pattern: 'x(', category: moved, examples: [x]}\n"
             "- {id: c, pattern: 'x)', category: moved, examples: [x]}\n"
             "- {id: d, pattern: y, category: moved, examples: [x]}\n",
             false);
    add_file(&world, "b.yaml",
             "rules:\n- {id: d, pattern: z, category: moved, examples: [z]}\n"
             "codes: [{reply: 550, category: moved}]\n",
             true);
    assert_faults(&world, faults, sizeof(faults) / sizeof(faults[0]));
}

/* --- version --------------------------------------------------------------------------------- */

static void the_version_changes_with_the_rules_and_not_with_their_comments(void **state)
{
    (void)state;
    struct world a = world_of("rules:\n" RULE("a", "x", "550 x"));
    struct world same = world_of("# why\nrules:\n" RULE("a", "x", "550 x"));
    struct world other = world_of("rules:\n" RULE("a", "x+", "550 x"));
    assert_string_equal(ruleset_version(a.rules), ruleset_version(same.rules));
    assert_string_not_equal(ruleset_version(a.rules), ruleset_version(other.rules));
    end_world(&a);
    end_world(&same);
    end_world(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_rules_that_know_a_text_the_first_wins),
        cmocka_unit_test(a_text_rule_is_not_overridden_by_codes),
        cmocka_unit_test(first_files_come_before_providers_and_providers_before_the_rest),
        cmocka_unit_test(the_user_wins_over_what_is_shipped),
        cmocka_unit_test(the_step_counts_before_whose_rule_it_is),
        cmocka_unit_test(a_rule_holds_where_its_conditions_do),
        cmocka_unit_test(a_kind_is_a_condition_too),
        cmocka_unit_test(a_provider_is_known_by_the_end_of_the_mx_or_of_the_recipients_domain),
        cmocka_unit_test(an_explanation_names_the_winner_and_why_the_others_lost),
        cmocka_unit_test(line_breaks_and_tabs_are_one_space),
        cmocka_unit_test(bytes_that_are_no_utf8_harm_nobody),
        cmocka_unit_test(of_a_long_text_only_the_beginning_is_read),
        cmocka_unit_test(the_recipients_own_address_is_no_words_of_the_servers),
        cmocka_unit_test(a_text_that_was_read_before_is_judged_by_each_events_own_conditions),
        cmocka_unit_test(what_was_read_before_means_the_same_as_what_is_new),
        cmocka_unit_test(more_texts_than_are_remembered_mean_what_they_say),
        cmocka_unit_test(a_rule_without_conditions_hides_only_those_behind_it),
        cmocka_unit_test(a_text_with_the_patterns_of_many_rules_is_judged_by_all_of_them),
        cmocka_unit_test(deliveries_are_not_scanned),
        cmocka_unit_test(classifying_takes_no_memory),
        cmocka_unit_test(an_example_that_another_rule_wins_is_refused_with_both_places),
        cmocka_unit_test(a_rule_that_can_never_win_is_refused),
        cmocka_unit_test(an_example_that_the_rule_does_not_know_is_refused),
        cmocka_unit_test(a_rule_about_what_no_pattern_sees_is_refused),
        cmocka_unit_test(a_rule_without_what_it_needs_is_refused),
        cmocka_unit_test(a_counter_example_that_the_rule_takes_is_refused),
        cmocka_unit_test(an_unknown_word_is_refused),
        cmocka_unit_test(a_pattern_that_the_engine_refuses_is_told_in_its_words),
        cmocka_unit_test(a_provider_that_nobody_can_be_is_refused),
        cmocka_unit_test(all_faults_of_all_files_are_told_at_once),
        cmocka_unit_test(the_version_changes_with_the_rules_and_not_with_their_comments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
